"""`publisher pull`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from publisher.cli.call import Call
from publisher.cli.options import PATH, report, servers

if TYPE_CHECKING:
    from publisher.commands.pull import Selection
    from publisher.pulling.wanted import Form
    from publisher.syntax import Nsid


@click.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("-o", "--out", type=PATH, help="Folder to write to.  [default: pulled]")
@click.option(
    "--collection", multiple=True, metavar="NSID", help="Only this collection; repeatable."
)
@click.option("--publication", metavar="AT-URI", help="A publication with its documents.")
@click.option("--force", is_flag=True, help="Replace files that were changed here.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["json", "markdown", "jsonl", "car"]),
    default="json",
    show_default=True,
    help="Files of JSON or Markdown, lines of JSON on stdout, or one archive.",
)
@click.option(
    "--from", "lists", type=PATH, multiple=True, metavar="FILE", help="Repos, one a line."
)
@click.option("--mirror", is_flag=True, help="Delete files of what is gone; no trash.")
@click.option(
    "--require", type=click.Choice(["proven"]), help="Fail where the repo can't be proven."
)
@click.option("--check", is_flag=True, help="Write nothing; compare the repo with the documents.")
@servers
@report()
def pull(
    call: Call,
    *,
    repos: tuple[str, ...],
    out: Path | None,
    collection: tuple[str, ...],
    publication: str | None,
    form: Form,
    lists: tuple[Path, ...],
    force: bool,
    mirror: bool,
    require: str | None,
    check: bool,
) -> None:
    """Bring records and blobs here, proven.

    From the signed commit down: signature, tree, each record and blob. No login is needed.

    REPO is a handle, a DID, an AT-URI (a collection or one record), or folder:PATH; without it,
    the repo of publisher.toml. With --check, name the documents whose records differ.

    \b
    Example:
      publisher pull alice.example --collection site.standard.document --out backup
    """
    given = (repos, lists, collection, publication, force, mirror, require, out, call.pds, call.plc)
    if check and any(given):
        raise click.UsageError("--check compares publisher.toml's repo; it takes no other option")
    if check:
        from publisher.commands.check import check as compare

        call.run(lambda bar: compare(call.config(), bar))
        return
    from publisher.commands import pull as pulling
    from publisher.pulling.wanted import PullOptions

    selections = _selections(call, repos, lists, collection, publication)
    content = form != "markdown" or call.config().settings.content == "markdown"
    emit = sys.stdout.buffer.write
    options = PullOptions(force, mirror, require == "proven", form, content, emit)
    call.run(
        lambda bar: pulling.pull(selections, out or Path("pulled"), options, bar),
        aside=form == "jsonl",
    )


def _selections(
    call: Call,
    repos: tuple[str, ...],
    lists: tuple[Path, ...],
    collection: tuple[str, ...],
    publication: str | None,
) -> list[Selection]:
    from publisher.commands import pull as pulling

    chosen = tuple(_nsid(name) for name in collection)
    names = repos + tuple(name for path in lists for name in pulling.listed(path))
    if publication and (chosen or len(names) > 1):
        raise click.UsageError("--publication takes one REPO at most, and no --collection")
    if publication and not names:
        names = (publication,)
    targets = call.targets(*names)
    selections = [pulling.select(target.name, target, chosen) for target in targets]
    if publication:
        return [pulling.with_publication(selections[0], publication)]
    return selections


def _nsid(text: str) -> Nsid:
    from publisher.syntax import InvalidSyntax, parse_nsid

    try:
        return parse_nsid(text)
    except InvalidSyntax as error:
        raise click.UsageError(f"--collection {text!r} {error}") from error
