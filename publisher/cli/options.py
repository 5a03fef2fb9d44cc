"""Arguments and options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from publisher.cli.call import Call

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Command: TypeAlias = Callable[..., None]
Decorator: TypeAlias = Callable[[Command], Command]

PATH = click.Path(path_type=Path)


def together(*decorators: Decorator) -> Decorator:
    """Return several decorators as one; the help lists their options in this order."""

    def decorate(command: Command) -> Command:
        return functools.reduce(lambda inner, add: add(inner), reversed(decorators), command)

    return decorate


def _called(command: Command) -> Command:
    """Hand over as one Call what the options of `servers` and `report` say."""

    @functools.wraps(command)
    def call(
        *,
        format: str,
        config: Path | None = None,
        pds: str | None = None,
        plc: str | None = None,
        **arguments: Any,
    ) -> None:
        command(Call(format, config, pds, plc), **arguments)

    return call


_json = click.option("--json", "format", flag_value="json", help="Short for --format json.")
text_or_json = together(
    click.option("--format", type=click.Choice(["text", "json"]), default="text"), _json, _called
)


def report(*formats: str) -> Decorator:
    """Return the options of a command whose report has these formats, beside text and JSON."""
    return together(
        click.option("--config", type=PATH, help="The publisher.toml to use."),
        click.option(
            "--format",
            type=click.Choice(["text", "json", *formats]),
            default="text",
            help="How the report is written.",
        ),
        _json,
        _called,
    )


paths = click.argument("paths", nargs=-1, type=PATH, metavar="[PATH]...")

servers = together(
    click.option("--pds", help="The PDS to ask, instead of the DID document's."),
    click.option("--plc", help="Another PLC directory, for test networks."),
)

one_repo = together(click.argument("repo", required=False), servers, report())


def _known(
    _context: click.Context, parameter: click.Parameter, codes: tuple[str, ...]
) -> frozenset[str]:
    """Refuse what is no code of a finding; the nearest that is one is named."""
    from publisher.findings import unknown_code

    if reason := next(filter(None, map(unknown_code, codes)), None):
        raise click.BadParameter(reason, param=parameter)
    return frozenset(codes)


def _begun(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from publisher.findings import CODES

    found = {code: row for code, row in CODES.items() if code.startswith(begun)}
    return [CompletionItem(code, help=row.says) for code, row in found.items()]


_codes = functools.partial(
    click.option, multiple=True, metavar="CODE", callback=_known, shell_complete=_begun
)

counting = together(
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning"]),
        default="error",
        show_default=True,
        help="The least severity for which the exit status is 1.",
    ),
    _codes("--select", help="Only these findings; repeatable."),
    _codes("--ignore", help="Not these findings; repeatable."),
)
