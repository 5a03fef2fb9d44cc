"""`publisher init`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from publisher.cli import asking
from publisher.cli.call import Call
from publisher.cli.options import text_or_json


@click.command()
@click.option("--repo", help="Handle or DID, or folder:./repo.")
@click.option("--site", help="Address of the site, or AT-URI of a publication.")
@click.option("--documents", help="Folder of documents.")
@click.option("--timezone", help="For dates without a zone, like Europe/Berlin.")
@text_or_json
def init(call: Call, **given: str | None) -> None:
    """Write a commented publisher.toml here.

    Only what can't be found out is asked.

    The folder of documents and the site's address are taken from the config of Hugo, Astro,
    Jekyll, Zola, MkDocs or Pelican where there is one.

    \b
    Example:
      publisher init --repo alice.example --site https://alice.example
    """
    from publisher.commands import init as starting

    call.run(lambda _bar: starting.init(Path(), given, asking.line, os.environ), quiet=True)
