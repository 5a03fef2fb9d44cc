"""`publisher validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from publisher.cli.call import Call
from publisher.cli.options import PATH, counting, paths, report


@click.command()
@paths
@click.option(
    "--lexicons", type=PATH, multiple=True, help="Another folder of lexicon files; repeatable."
)
@click.option(
    "--profile",
    "profiles",
    type=click.Choice(["spec", "publish", "bluesky", "leaflet"]),
    multiple=True,
    default=["publish"],
    show_default=True,
    help="'spec': the specification alone; 'publish': also what servers refuse; a reader's name:"
    " also what it drops or doesn't show. Repeatable.",
)
@counting
@click.option("--stdin", is_flag=True, help="Check a record, or JSON lines, on standard input.")
@report("github", "sarif")
def validate(call: Call, paths: tuple[Path, ...], *, stdin: bool, **wanted: Any) -> None:
    """Check documents and records, offline.

    Every fault of every file is told, with its place and what to do.

    PATH is a file or folder of documents, records in JSON lines (.jsonl), or the CAR of a repo.
    Without PATH: all documents of publisher.toml.

    \b
    Example:
      publisher validate content/posts/hello.md
      publisher validate archive.jsonl --lexicons lexicons --fail-on warning
    """
    from publisher.commands import validate as validating
    from publisher.commands.streams import Input

    given = Input(Path("stdin"), sys.stdin.buffer) if stdin else None
    request = validating.Request(paths, given, with_cids=call.format == "json", **wanted)
    call.run(lambda bar: validating.validate(call.config(*paths), request, bar))
