"""`publisher lexicon check`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from publisher.cli.call import Call
from publisher.cli.options import PATH, counting, report


@click.group()
def lexicon() -> None:
    """Check lexicon files, for those who write them.

    \b
    Example:
      publisher lexicon check
    """


@lexicon.command()
@click.argument("folders", nargs=-1, type=PATH, metavar="[DIR]...")
@counting
@report("github", "sarif")
def check(call: Call, folders: tuple[Path, ...], **counts: Any) -> None:
    """Check lexicon files, each by itself and beside all others.

    Every *.json below DIR is one; without DIR, below `lexicons` of publisher.toml, else
    ./lexicons. Refs may also lead to the lexicons that come with publisher.

    \b
    Example:
      publisher lexicon check lexicons --fail-on warning
    """
    from publisher.commands import lexicon as checking

    request = checking.Request(folders, **counts)
    call.run(lambda _bar: checking.check(call.config(*folders), request))
