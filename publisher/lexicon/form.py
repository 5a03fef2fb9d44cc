"""What the models of the language refuse, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from publisher.data import Cid, Fault
from publisher.findings import Finding, pointer_to
from publisher.lexicon.language import KINDS, PRIMARY, LexiconFile
from publisher.lexicon.leaves import short
from publisher.lexicon.nodes import Node, Place
from publisher.lexicon.values import Model

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "union_tag_not_found": "an object",
}
"""What is asked for, by the type of pydantic's error."""

_ACTUAL = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a fraction",
    list: "an array",
    dict: "an object",
    Cid: "a link",
    bytes: "bytes",
    type(None): "null",
}
_ALONE = {
    "ref": "refer to its target wherever it is needed",
    "unknown": "make it the type of a field",
    "params": "write it as the parameters of an endpoint",
    "permission": "write it among the permissions of a permission-set",
}
"""What is no definition of its own, and where it belongs."""

_TYPES = (KINDS.keys() - {"lexicon"}) | PRIMARY | _ALONE.keys()
_ASKED_FOR = {"account", "blob", "identity"}


def parse(document: object) -> tuple[LexiconFile | None, list[Finding]]:
    """Return the file, or else everything in it that isn't of its form, endpoints aside."""
    try:
        return LexiconFile.model_validate(document), []
    except ValidationError as error:
        return None, _findings(error, ())


def endpoint_faults(node: Node) -> list[Finding]:
    """Return everything in the definition of an endpoint that isn't of its form."""
    model = model_of(node.kind)
    if model is None or len(node.place) != 2:  # a type that can't stand there
        return []
    try:
        model.model_validate(node.body)
    except ValidationError as error:
        return _findings(error, (*node.place, node.kind))
    return []


def model_of(kind: str) -> type[Model] | None:
    """Return the model of a kind of node; None for one that isn't known."""
    return KINDS.get(kind) or every_kind().get(kind)


def every_kind() -> Mapping[str, type[Model]]:
    """Return the models of all kinds of nodes."""
    # Endpoints take 6 ms to load, and few folders have one.
    from publisher.lexicon import endpoints

    return {**KINDS, **endpoints.KINDS}


def _findings(error: ValidationError, place: Place) -> list[Finding]:
    faults = error.errors(include_url=False)
    return [finding for fault in faults if (finding := _finding(fault, place))]


def _finding(fault: ErrorDetails, above: Place) -> Finding | None:
    """Return the finding of one error; None where the data model says what is wrong."""
    place, value = _place((*above, *fault["loc"])), fault["input"]
    if isinstance(value, Fault):
        return None
    if fault["type"] in {"union_tag_invalid", "union_tag_not_found"} and isinstance(value, dict):
        return _of_kind(fault["ctx"], place, value)
    message, remedy = _words(fault)
    return Finding(pointer_to(*place), "lexicon-form", message, "error", remedy)


def _words(fault: ErrorDetails) -> tuple[str, str]:
    context, value, name = fault.get("ctx", {}), fault["input"], fault["loc"][-1:]
    match fault["type"]:
        case "lexicon-form":
            return f"{short(context['value'])} {context['reason']}", context["remedy"]
        case "missing":
            return f"{name[0]} is missing", f"add {name[0]}"
        case "greater_than_equal":
            return f"is {short(value)}, below {context['ge']}", f"write {context['ge']} or more"
        case "too_short":
            return "is empty", "name one at least, or leave it out"
        case "literal_error":
            return f"{short(value)} isn't known here", f"write {context['expected']}"
        case kind if kind in _EXPECTED:
            return f"is {_actual(value)}, not {_EXPECTED[kind]}", f"write {_EXPECTED[kind]}"
        case _:
            return fault["msg"], "write it as the Lexicon specification says"


def _of_kind(context: dict[str, Any], place: Place, body: dict[str, object]) -> Finding | None:
    """Return the finding of a `type` or `resource` by which no model was found."""
    key = context["discriminator"].strip("'")
    name, pointer = body.get(key), pointer_to(*place, key)
    if isinstance(name, Fault):
        return None
    if key not in body:
        return Finding(pointer, "lexicon-form", f"{key} is missing", "error", f"add {key}")
    if not isinstance(name, str):
        message, remedy = f"is {_actual(name)}, not a string", f"write the name of a {key}"
        return Finding(pointer, "lexicon-form", message, "error", remedy)
    if key == "resource":
        return _of_resource(name, pointer)
    expected = context["expected_tags"].replace("'", "").split(", ")
    message, remedy = _of_type(name, expected, alone=len(place) == 2)
    return Finding(pointer, "lexicon-type", message, "error", remedy)


def _of_resource(name: str, pointer: str) -> Finding:
    if name in _ASKED_FOR:
        message, remedy = f"a permission set can't grant {name}", "let apps ask for it themselves"
        return Finding(pointer, "lexicon-permission", message, "error", remedy)
    message = f"{short(name)} is no resource"
    return Finding(pointer, "lexicon-permission", message, "error", "write repo or rpc")


def _of_type(name: str, expected: Sequence[str], *, alone: bool) -> tuple[str, str]:
    """Say what is wrong with a type here; `alone`: as a definition with a name of its own."""
    if name not in _TYPES:
        meant = get_close_matches(name, expected, n=1) or [", ".join(expected)]
        return f"{short(name)} is no type of Lexicon", f"write {meant[0]}"
    if alone:
        return f"{name} can't be a definition of its own", _ALONE[name]
    if name in PRIMARY:
        return f"{name} can't stand here", "make it the main definition of its own file"
    return f"{name} can't stand here", f"write {', '.join(expected)}"


def _actual(value: object) -> str:
    return _ACTUAL.get(type(value), type(value).__name__)


def _place(steps: tuple[str | int, ...]) -> Place:
    """Return the way to a fault in the file: without the types that pydantic puts among its steps.

    A definition's type follows its name, a permission's resource its number.
    """
    kept: list[str | int] = []
    among_names = is_type = False
    for step in steps:
        if is_type or step == "[key]":
            is_type = False
            continue
        kept.append(step)
        is_type = among_names or step in {"items", "schema"} or kept[-2:-1] == ["permissions"]
        among_names = not among_names and step in {"defs", "properties"}
    return tuple(kept)
