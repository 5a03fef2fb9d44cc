"""Lexicon documents that peers and we judge differently, and what is disputed in each."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tests.differential.compare import Excuse
from tests.differential.record_excuses import SAFE
from tests.differential.tree import TwiceError, integer, read, write

FORM: Final = frozenset({"lex-document", "lexicon"})
"""Look at each keyword by itself."""
ATCUTE: Final = frozenset({"atcute"})
LEXICON: Final = frozenset({"lexicon"})
ALL: Final = FORM | ATCUTE

_LENGTHS: Final = ("minLength", "maxLength", "minGraphemes", "maxGraphemes", "maxSize")
_PAIRS: Final = (
    ("minLength", "maxLength"),
    ("minGraphemes", "maxGraphemes"),
    ("minimum", "maximum"),
)
_VALUES: Final = ("default", "const", "enum")
KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    "lexicon": ("lexicon", "id", "revision", "defs"),
    "string": ("format", *_LENGTHS[:4], "knownValues", *_VALUES),
    "integer": ("minimum", "maximum", *_VALUES),
    "boolean": ("default", "const"),
    "bytes": _LENGTHS[:2],
    "cid-link": (),
    "blob": ("accept", "maxSize"),
    "array": ("items", *_LENGTHS[:2]),
    "object": ("properties", "required", "nullable"),
    "ref": ("ref",),
    "union": ("refs", "closed"),
    "unknown": (),
    "token": (),
    "record": ("key", "record"),
    "params": ("properties", "required"),
    "query": ("parameters", "output", "errors"),
    "procedure": ("parameters", "input", "output", "errors"),
    "subscription": ("parameters", "message", "errors"),
    "payload": ("encoding", "schema"),
    "message": ("schema",),
    "error": ("name",),
    "permission-set": ("title", "title:lang", "detail", "detail:lang", "permissions"),
}
"""What each kind of node may say, besides `type` and `description`."""

_SLOTS: Final = {
    "items": "items",
    "record": "record",
    "parameters": "params",
    "input": "payload",
    "output": "payload",
    "schema": "schema",
    "message": "message",
    "errors": "error",
    "permissions": "permission",
    "properties": "property",
    "defs": "definition",
}
"""Where a node stands, by the keyword that holds it or a list or map of such."""


@dataclass(frozen=True, slots=True)
class Node:
    """An object of a document: where it stands, and what it calls itself."""

    slot: str
    body: dict[str, Any]
    document: dict[str, Any]

    @property
    def kind(self) -> str:
        """Return its type, or its place where it has none."""
        type_ = self.body.get("type")
        return type_ if isinstance(type_, str) and self.slot not in _UNTYPED else self.slot


_UNTYPED: Final = {"lexicon", "payload", "message", "error"}
Mend: TypeAlias = Callable[[Node], dict[str, Any]]


def at_nodes(mend: Mend) -> Callable[[str], str]:
    """Return what mends every node of a document, from the root on."""

    def settle(text: str) -> str:
        try:
            tree = read(text)
        except TwiceError:
            return text
        if not isinstance(tree, dict):
            return text
        mended = _below(Node("lexicon", tree, tree), mend)
        return text if mended == tree else write(mended)

    return settle


def _below(node: Node, mend: Mend) -> dict[str, Any]:
    body = mend(node)
    return {key: _held(key, item, node, mend) for key, item in body.items()}


def _held(key: str, item: Any, node: Node, mend: Mend) -> Any:
    slot = _SLOTS.get(key)
    if slot is None:
        return item

    def mended(each: Any) -> Any:
        return _below(Node(slot, each, node.document), mend) if isinstance(each, dict) else each

    if key in {"properties", "defs"} and isinstance(item, dict):
        return {name: mended(each) for name, each in item.items()}
    return [mended(each) for each in item] if isinstance(item, list) else mended(item)


def _without(node: Node, *names: str) -> dict[str, Any]:
    return {key: item for key, item in node.body.items() if key not in names}


def _some_definition(node: Node) -> dict[str, Any]:
    empty = node.slot == "lexicon" and node.body.get("defs") == {}
    return {**node.body, "defs": {"a": {"type": "token"}}} if empty else node.body


def _flat(*kinds: str) -> Mend:
    """Return what puts an unknown for a node of these kinds that stands within another."""

    def mend(node: Node) -> dict[str, Any]:
        within = node.slot in {"property", "items"} and node.kind in kinds
        return {"type": "unknown"} if within else node.body

    return mend


def _flat_items(node: Node) -> dict[str, Any]:
    return {"type": "unknown"} if node.slot == "items" and node.kind == "array" else node.body


def _with_properties(node: Node) -> dict[str, Any]:
    bare = node.kind in {"object", "params"} and "properties" not in node.body
    return {"properties": {}, **node.body} if bare else node.body


def _declared(node: Node) -> dict[str, Any]:
    names, properties = node.body.get("nullable"), node.body.get("properties", {})
    if node.kind != "object" or not isinstance(names, list) or not isinstance(properties, dict):
        return node.body
    kept = [name for name in names if not isinstance(name, str) or name in properties]
    return {**node.body, "nullable": kept} if kept != names else node.body


_RULES: Final = {name for names in KEYWORDS.values() for name in names}


def _placed(node: Node) -> dict[str, Any]:
    """Take out keywords that belong to nodes of another kind."""
    known = KEYWORDS.get(node.kind)
    if known is None:
        return node.body
    strange = (_RULES | {"resource", "lxm", "collection", "action"}) - {*known, "type"}
    return _without(node, *strange)


_NSID: Final = re.compile(r"[a-zA-Z]+(?:\.[a-zA-Z0-9-]+)+\.[a-zA-Z][a-zA-Z0-9]*")
_REF: Final = re.compile(rf"(?:{_NSID.pattern})?(?:#[A-Za-z0-9_-]+)?")


def _led(change: Callable[[list[Any], Node], list[Any]]) -> Mend:
    """Return what changes the refs of a node, one or many."""

    def mend(node: Node) -> dict[str, Any]:
        if node.kind == "ref" and isinstance(node.body.get("ref"), str):
            return {**node.body, "ref": change([node.body["ref"]], node)[0]}
        if node.kind == "union" and isinstance(node.body.get("refs"), list):
            return {**node.body, "refs": change(node.body["refs"], node)}
        return node.body

    return mend


def _elsewhere(index: int) -> str:
    return f"example.elsewhere.thing{index}"


def _well_formed(refs: list[Any], _node: Node) -> list[Any]:
    return [
        _elsewhere(at) if isinstance(ref, str) and not _is_ref(ref) else ref
        for at, ref in enumerate(refs)
    ]


def _is_ref(text: str) -> bool:
    return text != "" and _REF.fullmatch(text) is not None


def _leading(refs: list[Any], node: Node) -> list[Any]:
    """Lead elsewhere what leads nowhere in this document, to no value, or twice to the same."""
    kept: list[Any] = []
    seen: set[str] = set()
    for index, ref in enumerate(refs):
        full = _full_name(ref, node.document)
        fits = full is None or (full not in seen and _fits(full, node))
        kept.append(ref if fits else _elsewhere(index))
        seen.add(full or "")
    return kept


def _full_name(ref: Any, document: dict[str, Any]) -> str | None:
    if not isinstance(ref, str) or not _is_ref(ref):
        return None
    name = f"{document.get('id')}{ref}" if ref.startswith("#") else ref
    return name if "#" in name else f"{name}#main"


def _fits(full: str, node: Node) -> bool:
    """Tell whether a name of this document may stand in the node; one of another always may."""
    nsid, _, name = full.partition("#")
    defs = node.document.get("defs")
    if nsid != node.document.get("id") or not isinstance(defs, dict):
        return True
    target = defs.get(name)
    kind = target.get("type") if isinstance(target, dict) else None
    if node.kind == "union":
        return kind in {"object", "record"}
    return kind in KEYWORDS.keys() - _NOT_VALUES


_NOT_VALUES: Final = {
    *("lexicon", "params", "query", "procedure", "subscription", "permission-set", "payload"),
    *("message", "error"),
}


def _open(node: Node) -> dict[str, Any]:
    empty = node.kind == "union" and node.body.get("refs") == []
    return _without(node, "closed") if empty and node.body.get("closed") is True else node.body


def _no_definition(*kinds: str) -> Mend:
    """Return what puts a token for a definition of these kinds."""

    def mend(node: Node) -> dict[str, Any]:
        return {"type": "token"} if node.slot == "definition" and node.kind in kinds else node.body

    return mend


def _with_key(node: Node) -> dict[str, Any]:
    key = node.body.get("key", "")
    usual = not isinstance(key, str) or re.fullmatch(r"tid|any|nsid|literal:[a-z:~]+", key)
    return node.body if node.kind != "record" or usual else {**node.body, "key": "tid"}


def _in_order(*pairs: tuple[str, str]) -> Mend:
    """Return what takes out a lower limit that is above its upper one."""

    def mend(node: Node) -> dict[str, Any]:
        body = node.body
        for least, most in pairs:
            low, high = integer(body.get(least)), integer(body.get(most))
            if low is not None and high is not None and low > high:
                body = {key: item for key, item in body.items() if key != least}
        return body

    return mend


def _without_empty_enum(node: Node) -> dict[str, Any]:
    return _without(node, "enum") if node.body.get("enum") == [] else node.body


def _own_values(node: Node) -> dict[str, Any]:
    """Take out what the node gives as its own value and would refuse, or may say only once."""
    body = node.body
    if node.kind not in {"string", "integer", "boolean"}:
        return body
    refused: list[str] = [
        name for name in ("default", "const") if name in body and _breaks(body[name], node)
    ]
    given = body.get("enum")
    if isinstance(given, list) and ("const" in body or any(_breaks(each, node) for each in given)):
        refused.append("enum")
    return _without(node, *refused)


def _breaks(value: Any, node: Node) -> bool:
    """Tell whether a value of the right type is outside the node's limits, or of a format."""
    body = node.body
    allowed = body.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        return True
    if "const" in body and body["const"] != value:
        return True
    if isinstance(value, str):
        return "format" in body or not all(
            _within(body, size, name)
            for size, name in ((len(value.encode()), "Length"), (len(value), "Graphemes"))
        )
    number = integer(value)
    lowest, highest = integer(body.get("minimum")), integer(body.get("maximum"))
    return number is not None and (
        (lowest is not None and number < lowest) or (highest is not None and number > highest)
    )


def _within(body: dict[str, Any], size: int, name: str) -> bool:
    least, most = integer(body.get(f"min{name}")), integer(body.get(f"max{name}"))
    return (least is None or size >= least) and (most is None or size <= most)


def _without_known_values(node: Node) -> dict[str, Any]:
    limited = node.body.keys() & {"format", "const", "enum", *_LENGTHS}
    return _without(node, "knownValues") if limited and node.kind == "string" else node.body


def _not_negative_lengths(node: Node) -> dict[str, Any]:
    return _without(node, *[name for name in _LENGTHS if (integer(node.body.get(name)) or 0) < 0])


def _safe(node: Node) -> dict[str, Any]:
    return _without(node, *[key for key, item in node.body.items() if _largest(item) > SAFE])


def _largest(value: Any) -> int:
    """Return the largest integer of a value or list without its sign, 0 if there is none."""
    given = value if isinstance(value, list) else [value]
    return max([abs(integer(each) or 0) for each in given], default=0)


def _whole(text: str) -> str:
    return re.sub(r"(?<=:)[0-9]+\.[1-9]\b", "1", text)


def _said_once(node: Node) -> dict[str, Any]:
    return _without(node, "enum") if "const" in node.body else node.body


def _from_zero(node: Node) -> dict[str, Any]:
    """Take out what is below 0 of an integer."""
    if node.kind != "integer":
        return node.body
    below = [name for name in ("maximum", *_VALUES) if _least(node.body.get(name)) < 0]
    return _without(node, *below)


def _least(value: Any) -> int:
    """Return the least integer of a value or list, 0 if there is none."""
    given = value if isinstance(value, list) else [value]
    return min([integer(each) or 0 for each in given], default=0)


_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,62}")


def _plainly_named(node: Node) -> dict[str, Any]:
    """Put plain names for odd ones of definitions and properties, and take odd refs elsewhere."""
    for keyword in ("defs", "properties"):
        named = node.body.get(keyword)
        if isinstance(named, dict) and any(not _NAME.fullmatch(name) for name in named):
            plain = {name: _plain(name, index) for index, name in enumerate(named)}
            made = {plain[name]: item for name, item in named.items()}
            return {**node.body, keyword: made, **_listed_anew(node.body, plain)}
    return _led(_plain_refs)(node)


def _without_constructor(node: Node) -> dict[str, Any]:
    properties = node.body.get("properties")
    if not isinstance(properties, dict) or "constructor" not in properties:
        return node.body
    return {**node.body, "properties": {**properties, "constructor": {"type": "unknown"}}}


def _plain(name: str, index: int) -> str:
    return name if _NAME.fullmatch(name) else f"plain{index}"


def _listed_anew(body: dict[str, Any], plain: dict[str, str]) -> dict[str, Any]:
    """Return `required` and `nullable` with the plain names, where they are lists."""
    lists = {key: body[key] for key in ("required", "nullable") if isinstance(body.get(key), list)}
    return {
        key: [plain.get(name, name) if isinstance(name, str) else name for name in names]
        for key, names in lists.items()
    }


def _plain_refs(refs: list[Any], _node: Node) -> list[Any]:
    return [
        _elsewhere(at) if isinstance(ref, str) and _has_odd_name(ref) else ref
        for at, ref in enumerate(refs)
    ]


def _has_odd_name(ref: str) -> bool:
    _, mark, name = ref.partition("#")
    return mark != "" and _NAME.fullmatch(name) is None


def _plain_encoding(node: Node) -> dict[str, Any]:
    encoding = node.body.get("encoding")
    odd = isinstance(encoding, str) and not re.fullmatch(r"[a-z]+/[a-z]+|\*/\*", encoding)
    return {**node.body, "encoding": "a/b"} if odd and node.kind == "payload" else node.body


def _named_error(node: Node) -> dict[str, Any]:
    name = node.body.get("name")
    odd = isinstance(name, str) and not re.fullmatch(r"\S+", name)
    return {**node.body, "name": "Gone"} if odd and node.kind == "error" else node.body


def _with_message(node: Node) -> dict[str, Any]:
    message = node.body.get("message", {})
    if node.kind != "subscription" or not isinstance(message, dict) or "schema" in message:
        return node.body
    return {**node.body, "message": {"schema": {"type": "union", "refs": []}}}


def _accepting(node: Node) -> dict[str, Any]:
    """Put an `accept` that nobody disputes for one that may be."""
    accept = node.body.get("accept")
    if node.kind != "blob" or not isinstance(accept, list):
        return node.body
    plain = all(
        isinstance(each, str) and re.fullmatch(r"[a-z]+/(?:\*|[a-z]+)", each) for each in accept
    )
    return node.body if accept and plain else {**node.body, "accept": ["*/*"]}


def _without_revision(node: Node) -> dict[str, Any]:
    negative = node.slot == "lexicon" and (integer(node.body.get("revision")) or 0) < 0
    return _without(node, "revision") if negative else node.body


def _in_languages(node: Node) -> dict[str, Any]:
    body = dict(node.body)
    for name in ("title:lang", "detail:lang"):
        if isinstance(body.get(name), dict):
            body[name] = {k: v for k, v in body[name].items() if re.fullmatch(r"[a-z]{2,3}", k)}
    return body


def _mapped(node: Node) -> dict[str, Any]:
    """Put a map for an array of nothing, in which JavaScript finds a length."""
    token = {"a": {"type": "token"}}
    empty = {"defs": token, "properties": {}, "title:lang": {}, "detail:lang": {}}
    wrong = [key for key in empty if node.body.get(key) == []]
    listing = ("required", "nullable") if wrong else ()
    return {**_without(node, *listing), **{key: empty[key] for key in wrong}}


def _known_parameters(node: Node) -> dict[str, Any]:
    properties = node.body.get("properties")
    if node.kind != "params" or not isinstance(properties, dict):
        return node.body
    known = read(write(properties).replace('"unknown"', '"boolean"'))
    return {**node.body, "properties": known} if known != properties else node.body


def _ending(node: Node) -> dict[str, Any]:
    """Require nothing that refers to this document."""
    properties, names = node.body.get("properties"), node.body.get("required")
    if node.kind == "object" and isinstance(properties, dict) and isinstance(names, list):
        kept = [
            name
            for name in names
            if not isinstance(name, str) or not _refers_home(properties.get(name), node)
        ]
        return {**node.body, "required": kept}
    endless = node.kind == "array" and _refers_home(node.body.get("items"), node)
    return _without(node, "minLength") if endless else node.body


def _refers_home(schema: Any, node: Node) -> bool:
    if not isinstance(schema, dict):
        return False
    refs = schema.get("refs")
    given = refs if isinstance(refs, list) else [schema.get("ref")]
    names = [_full_name(ref, node.document) or "" for ref in given]
    return any(name.startswith(f"{node.document.get('id')}#") for name in names)


_GRANT: Final = {"type": "permission", "resource": "repo", "collection": ["a.b.c"]}


def _granting(node: Node) -> dict[str, Any]:
    empty = node.kind == "permission-set" and node.body.get("permissions") == []
    return {**node.body, "permissions": [_GRANT]} if empty else node.body


def _plain_permission(node: Node) -> dict[str, Any]:
    """Put a permission that nobody disputes for one that may be."""
    if node.slot != "permission" or node.body.get("type") != "permission":
        return node.body
    return node.body if node.body == _GRANT else dict(_GRANT)


DOCUMENTS: Final = (
    Excuse("lexicon file: an array in an array", "either", ALL, at_nodes(_flat_items)),
    Excuse(
        "lexicon file: a property named `constructor`",
        "refuse",
        ATCUTE,
        at_nodes(_without_constructor),
    ),
    Excuse("lexicon file: const and enum together", "take", ATCUTE, at_nodes(_said_once)),
    Excuse(
        "lexicon file: names of definitions and properties", "either", ALL, at_nodes(_plainly_named)
    ),
    Excuse("lexicon file: an encoding", "either", ALL, at_nodes(_plain_encoding)),
    Excuse("lexicon file: an error without a name", "refuse", ALL, at_nodes(_named_error)),
    Excuse("lexicon file: an enum of nothing", "refuse", ALL, at_nodes(_without_empty_enum)),
    Excuse("lexicon file: what a blob accepts", "either", ALL, at_nodes(_accepting)),
    Excuse("lexicon file: a revision below 0", "take", ATCUTE, at_nodes(_without_revision)),
    Excuse("lexicon file: a language that is none", "refuse", LEXICON, at_nodes(_in_languages)),
    Excuse("lexicon file: an array for a map", "refuse", ATCUTE, at_nodes(_mapped)),
    Excuse(
        "lexicon file: a parameter of any type",
        "take",
        ATCUTE | {"lex-document"},
        at_nodes(_known_parameters),
    ),
    Excuse(
        "lexicon file: a definition that needs one like itself", "refuse", ALL, at_nodes(_ending)
    ),
    Excuse(
        "lexicon file: knownValues that the definition refuses",
        "take",
        ATCUTE,
        at_nodes(_without_known_values),
    ),
    Excuse(
        "lexicon file: a subscription without a message", "either", ALL, at_nodes(_with_message)
    ),
    Excuse(
        "lexicon file: a permission set that grants nothing", "take", ATCUTE, at_nodes(_granting)
    ),
    Excuse(
        "lexicon file: what a permission set may grant", "either", ALL, at_nodes(_plain_permission)
    ),
    Excuse("lexicon file: a token as a field", "take", ALL, at_nodes(_flat("token"))),
    Excuse("lexicon file: `defs` that is empty", "refuse", ALL, at_nodes(_some_definition)),
    Excuse(
        "lexicon file: an object within another or in an array",
        "take",
        ALL,
        at_nodes(_flat("object")),
    ),
    Excuse(
        "lexicon file: an object without `properties`", "take", FORM, at_nodes(_with_properties)
    ),
    Excuse("lexicon file: `nullable` that names no property", "refuse", ALL, at_nodes(_declared)),
    Excuse("lexicon file: a keyword where nothing obeys it", "refuse", ALL, at_nodes(_placed)),
    Excuse("lexicon file: a ref that is none", "refuse", FORM, at_nodes(_led(_well_formed))),
    Excuse(
        "lexicon file: a ref or member to nothing, to no value, or twice",
        "refuse",
        ALL,
        at_nodes(_led(_leading)),
    ),
    Excuse("lexicon file: a closed union of nothing", "refuse", FORM, at_nodes(_open)),
    Excuse(
        "lexicon file: `unknown` as a definition",
        "refuse",
        ATCUTE | LEXICON,
        at_nodes(_no_definition("unknown")),
    ),
    Excuse("lexicon file: a union as a definition", "take", ALL, at_nodes(_no_definition("union"))),
    Excuse(
        "lexicon file: a record without a kind of key",
        "refuse",
        ATCUTE | LEXICON,
        at_nodes(_with_key),
    ),
    Excuse("lexicon file: limits out of order", "refuse", FORM, at_nodes(_in_order(*_PAIRS))),
    Excuse(
        "lexicon file: `minGraphemes` above `maxLength`",
        "refuse",
        ALL,
        at_nodes(_in_order(("minGraphemes", "maxLength"))),
    ),
    Excuse(
        "lexicon file: a default, const or enum that its definition refuses",
        "refuse",
        FORM,
        at_nodes(_own_values),
    ),
    Excuse(
        "lexicon file: a length or size below 0", "refuse", FORM, at_nodes(_not_negative_lengths)
    ),
    Excuse(
        "lexicon file: an integer beyond ±(2^53-1)",
        "take",
        ATCUTE | {"lex-document"},
        at_nodes(_safe),
    ),
    Excuse("lexicon file: a fraction where nobody looks", "refuse", ALL, _whole),
    Excuse("lexicon file: integers below 0", "take", ATCUTE, at_nodes(_from_zero)),
)
