"""The table of finding codes: complete, without dead ones, and what the docs say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from publisher import findings
from publisher.findings import CODES, RULES, unknown_code

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (off|error|warning|info) \| (.*) \|$", re.MULTILINE)
CODE = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
Function = ast.FunctionDef | ast.Lambda
Around = tuple[Function, ...]


@dataclass
class Scan:
    """Every code that the sources give to Finding or Fault, through functions of their own too.

    `takers` are the functions through which a code goes, with its place among their arguments and
    its name. `lost` is what can't be followed: a new way of giving a code, to be told here.
    """

    sources: list[tuple[str, ast.Module]]
    codes: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    takers: dict[str, tuple[int, str]] = field(
        default_factory=lambda: {"Finding": (1, "code"), "Fault": (0, "code")}
    )

    def run(self) -> Scan:
        """Read the sources until no further function is found to take a code."""
        before = 0
        while before != len(self.takers):
            before = len(self.takers)
            for module, tree in self.sources:
                for call, around in calls(tree):
                    for given in self.given(call, module):
                        self.follow(given, around, module)
        return self

    def given(self, call: ast.Call, module: str) -> list[ast.expr]:
        """Return what a call gives for a code, if it takes one."""
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        at, parameter = self.takers.get(own(name, module), (len(call.args), ""))
        if name == "replace":
            parameter = "code"
        named = [word.value for word in call.keywords if word.arg == parameter]
        return [*call.args[at : at + 1], *named]

    def follow(self, given: ast.expr, around: Around, module: str) -> None:
        """Take constants, the strings of a module's table, and what the callers give."""
        match given:
            case ast.Constant(value=str(code)):
                self.codes.add(code)
            case ast.Tuple(elts=items):
                for item in items:
                    self.follow(item, around, module)
            case ast.IfExp(body=first, orelse=second):
                self.follow(first, around, module)
                self.follow(second, around, module)
            case ast.Subscript(value=ast.Name(id=name)):
                self.table(name, module)
            case ast.Attribute(attr="code"):  # of a Finding or Fault, which was given it
                pass
            case ast.Name(id=name):
                self.name(name, around, module)
            case _:
                self.lost.add(f"{module}: {ast.unparse(given)}")

    def name(self, name: str, around: Around, module: str) -> None:
        """Follow a name to what is assigned to it, to the callers, or to the module."""
        for at, function in enumerate(around):
            parameters = [parameter.arg for parameter in function.args.args]
            sources = list(assigned(name, function))
            for source in sources:
                self.follow(source, around[at:], module)
            if name in parameters and isinstance(function, ast.FunctionDef):
                place = parameters.index(name) - (parameters[0] == "self")
                self.takers[own(function.name, module)] = (place, name)
            if sources or name in parameters:
                return
        self.table(name, module)

    def table(self, name: str, module: str) -> None:
        """Take what could be codes of a module's constant."""
        held = list(strings(getattr(import_module(module), name, None)))
        self.codes |= {text for text in held if CODE.fullmatch(text)}
        if not held:
            self.lost.add(f"{module}: {name}")


def own(name: str, module: str) -> str:
    """A private function is its module's; two modules may have one of a name."""
    return f"{module}.{name}" if name.startswith("_") else name


def calls(node: ast.AST, around: Around = ()) -> Iterator[tuple[ast.Call, Around]]:
    """Every call, with the functions around it, the innermost first."""
    if isinstance(node, ast.Call) and around:
        yield node, around
    inside = (node, *around) if isinstance(node, Function) else around
    for child in ast.iter_child_nodes(node):
        yield from calls(child, inside)


def assigned(name: str, function: Function) -> Iterator[ast.expr]:
    """What a function assigns to a name, also in a loop over rows that are written out."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            names = [item for target in node.targets for item in ast.walk(target)]
            if any(isinstance(item, ast.Name) and item.id == name for item in names):
                yield node.value
        elif isinstance(node, ast.For):
            yield from looped(name, node)


def looped(name: str, loop: ast.For) -> Iterator[ast.expr]:
    match loop.target, loop.iter:
        case ast.Name(id=found), _ if found == name:
            yield loop.iter
        case ast.Tuple(elts=targets), ast.Tuple(elts=rows):
            for at, target in enumerate(targets):
                if isinstance(target, ast.Name) and target.id == name:
                    yield from (row.elts[at] for row in rows if isinstance(row, ast.Tuple))


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def package() -> list[tuple[str, ast.Module]]:
    return [
        (".".join(path.relative_to(ROOT).with_suffix("").parts), ast.parse(path.read_text("utf-8")))
        for path in sorted((ROOT / "publisher").rglob("*.py"))
    ]


def test_the_table_has_every_code_that_is_given_and_no_other() -> None:
    scan = Scan(package()).run()
    assert scan.lost == set()
    assert scan.codes == set(CODES)


@pytest.mark.parametrize(
    ("source", "codes", "lost"),
    [
        ("def f(): Finding('', 'a')", {"a"}, 0),
        ("def f(): Finding('', code='a-b')", {"a-b"}, 0),
        ("def f(): return Fault('a', 'message', 'remedy')", {"a"}, 0),
        ("def f(x): _g('a' if x else 'b')\ndef _g(code): Finding('', code)", {"a", "b"}, 0),
        ("def f(): _g('p', c='a')\ndef _g(p, c): _h(c)\ndef _h(d): Finding('', d)", {"a"}, 0),
        ("class A:\n def g(self, c): Finding('', c)\n def f(self): self.g('a')", {"a"}, 0),
        ("def f(): _g(('a', 'b'))\ndef _g(c):\n x, y = c\n Finding('', x)", {"a", "b"}, 0),
        ("def f():\n def g(): return Finding('', 'a')\n return g", {"a"}, 0),
        ("def h(): f('a')\ndef f(c):\n def g(): return Finding('', c)\n return g", {"a"}, 0),
        ("def f(x): return lambda y: Finding('', 'a')", {"a"}, 0),
        ("def f(x): replace(x, code='a')", {"a"}, 0),
        ("def f(x): Finding('', x.code)", set(), 0),
        ("def f(x): Finding('', CODES[x])", {"a", "b"}, 0),
        ("def f():\n for x, c in (('$', 'a'), ('/', 'b')): Finding(x, c)", {"a", "b"}, 0),
        ("def f():\n for c in ('a', 'b'): Finding('', c)", {"a", "b"}, 0),
        ("def f(x):\n for y, c in x: Finding('', c)", set(), 1),
        ("def f(x): Finding('', x['type'])", set(), 1),
        ("def f(x): Finding('', x())", set(), 1),
        ("def f(x): Finding('', 'a' + x)", set(), 1),
    ],
)
def test_the_scan_follows_a_code_or_says_that_it_cannot(
    source: str, codes: set[str], lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "CODES", {"x": ("a", "Not a code."), "y": ["b"]})
    scan = Scan([("publisher.findings", ast.parse(source))]).run()
    assert (scan.codes, len(scan.lost)) == (codes, lost)


def test_the_docs_have_a_row_for_each_code_and_say_what_the_table_says() -> None:
    pages = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in PAGES}
    rows = [(name, *row) for name, page in pages.items() for row in ROW.findall(page)]

    assert sorted(code for _, code, _, _ in rows) == sorted(CODES)
    assert {code: severity for _, code, severity, _ in rows} == {
        code: row.severity for code, row in CODES.items()
    }
    assert {code for page, code, *_ in rows if page == "rules"} >= set(RULES)
    odd = [c for _, c, _, says in rows if c not in RULES and not says.startswith(CODES[c].says)]
    assert odd == []


PAGES = ("validation", "rules")


def test_what_a_code_says_is_one_short_line() -> None:
    assert [code for code, row in CODES.items() if not 10 < len(row.says) <= 75] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tag-markup", None),
        ("tag-markp", "'tag-markp' is no code of a finding; the nearest is tag-markup"),
        ("cover_size", "'cover_size' is no code of a finding; the nearest is cover-size"),
        ("TOO-LONG", "'TOO-LONG' is no code of a finding; the nearest is too-long"),
    ],
)
def test_what_is_no_code_is_told_with_the_nearest_one(text: str, reason: str | None) -> None:
    assert unknown_code(text) == reason
