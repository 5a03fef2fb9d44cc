"""JSON text as a tree that keeps what strict parsers refuse, to break it and to mend it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
Schema: TypeAlias = dict[str, Any]

UNDECLARED: Final[Schema] = {"type": "undeclared"}
"""The schema of what no lexicon describes."""

ABSENT: Final = object()
"""In the place of a value: no value, and no key either."""


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON text in the place of a value: a fraction, NaN, an object with a key twice."""

    text: str


class TwiceError(ValueError):
    """A key stands twice in one object, which no tree can hold."""


def read(text: str) -> object:
    """Return the tree of any JSON, NaN, fractions and -0 kept as Raw. Raises TwiceError."""
    return json.loads(
        text, object_pairs_hook=_once, parse_float=Raw, parse_int=_whole, parse_constant=Raw
    )


def _whole(text: str) -> int | Raw:
    return Raw(text) if text == "-0" else int(text)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        raise TwiceError
    return tree


def integer(value: object) -> int | None:
    """Return what is a whole number, also where it is written as 1.0 or 1e2; 2^64 for infinity."""
    if isinstance(value, Raw):
        number = float(value.text)
        if math.isinf(number):
            return 2**64
        return int(number) if number.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def write(tree: object) -> str:
    """Return the tree as JSON of ASCII characters."""
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write(tree[key])}" for key in tree) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(map(write, tree)) + "]"
    return json.dumps(tree)


def replaced(tree: object, path: Path, value: object) -> object:
    """Return a copy of the tree with `value` at `path`; an item or field that is ABSENT is gone.

    The whole tree can't be gone and becomes an empty object.
    """
    if not path:
        return {} if value is ABSENT else value
    *above, step = path
    holder = tree
    for each in above:
        holder = holder[each]  # type: ignore[index]  # a path leads through objects and arrays
    if isinstance(holder, dict):
        changed: object = {k: v for k, v in {**holder, step: value}.items() if v is not ABSENT}
    else:
        assert isinstance(holder, list)
        assert isinstance(step, int)
        changed = [*holder[:step], *([] if value is ABSENT else [value]), *holder[step + 1 :]]
    return replaced(tree, tuple(above), changed)


@dataclass(frozen=True, slots=True)
class Site:
    """A value in a record, and the schema that it is held against; a ref is followed."""

    path: Path
    value: Any
    schema: Schema
    nsid: str
    """The lexicon that local names in the schema belong to."""
    name: str | None = None
    """The `$type` of the definition, where a ref or union names it."""


class Lexicons:
    """Lexicon documents by NSID, and their definitions looked up as the specification says."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        self._defs = {
            f"{document['id']}#{name}": definition
            for document in documents
            for name, definition in document["defs"].items()
        }

    def records(self) -> list[str]:
        """Return the NSIDs that are collections."""
        return [
            name.removesuffix("#main")
            for name, definition in self._defs.items()
            if definition["type"] == "record"
        ]

    def record(self, nsid: str) -> Schema:
        """Return the definition of a collection, `key` and `record`."""
        definition: Schema = self._defs[f"{nsid}#main"]
        return definition

    def target(self, ref: str, nsid: str) -> tuple[Schema, str, str]:
        """Return a ref's definition, the NSID that it stands in, and its `$type`."""
        name = nsid + ref if ref.startswith("#") else ref
        full = name if "#" in name else f"{name}#main"
        return self._defs[full], full.partition("#")[0], full.removesuffix("#main")

    def reachable(self, nsid: str) -> Iterator[tuple[Schema, str]]:
        """Yield every schema that a record may be held against, with its lexicon, each once."""
        seen: set[int] = set()
        todo = [(self.record(nsid)["record"], nsid)]
        while todo:
            schema, there = todo.pop()
            if id(schema) not in seen:
                seen.add(id(schema))
                yield schema, there
                todo += self._parts(schema, there)

    def _parts(self, schema: Schema, nsid: str) -> list[tuple[Schema, str]]:
        refs = [schema["ref"]] if "ref" in schema else schema.get("refs", [])
        targets = [self.target(ref, nsid)[:2] for ref in refs]
        parts = [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]
        return [
            *((target.get("record", target), there) for target, there in targets),
            *((part, nsid) for part in parts),
        ]

    def sites(self, nsid: str, tree: object) -> Iterator[Site]:
        """Yield every value of a record, the record itself first, with its schema.

        A member of a union is yielded twice, with the union's schema first.
        """
        yield from self._below(Site((), tree, self.record(nsid)["record"], nsid))

    def _below(self, site: Site) -> Iterator[Site]:
        if site.schema["type"] != "ref":
            yield site
        if (followed := self._followed(site)) is not None:
            yield from self._below(followed)
            return
        for step, value in _items(site.value):
            schema = _schema_of(step, site.schema)
            yield from self._below(Site((*site.path, step), value, schema, site.nsid))

    def _followed(self, site: Site) -> Site | None:
        """Return the site as its ref or union describes it, None where it's neither."""
        ref = site.schema.get("ref")
        if site.schema["type"] == "union" and isinstance(site.value, dict):
            members = {self.target(each, site.nsid)[2]: each for each in site.schema["refs"]}
            named = site.value.get("$type")
            ref = members.get(named) if isinstance(named, str) else None
        if ref is None:
            return None
        schema, nsid, name = self.target(ref, site.nsid)
        return Site(site.path, site.value, schema.get("record", schema), nsid, name)


def _items(value: object) -> list[tuple[str | int, object]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _schema_of(step: str | int, schema: Schema) -> Schema:
    if schema["type"] == "object" and isinstance(step, str):
        found: Schema = schema.get("properties", {}).get(step, UNDECLARED)
        return found
    if schema["type"] == "blob" and step == "ref":
        return {"type": "cid-link"}
    items: Schema = schema["items"] if schema["type"] == "array" else UNDECLARED
    return items


def mended(lexicons: Lexicons, nsid: str, text: str, mend: Callable[[Site], object]) -> str:
    """Return the record with each value replaced by what `mend` makes of its site.

    `mend` returns the site's own value where nothing is to be done; below a value that it changed
    it isn't asked. Text that no tree can hold is returned as it is.
    """
    try:
        tree = read(text)
    except TwiceError:
        return text
    changes: list[tuple[Path, object]] = []
    for site in lexicons.sites(nsid, tree):
        if any(site.path[: len(path)] == path for path, _ in changes):
            continue
        value = mend(site)
        if value is not site.value:
            changes.append((site.path, value))
    # From the back, so that an item that goes moves no other.
    for path, value in reversed(changes):
        tree = replaced(tree, path, value)
    return write(tree) if changes else text
