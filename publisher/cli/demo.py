"""`publisher demo`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from publisher.cli.call import Call
from publisher.cli.options import text_or_json


@click.command()
@text_or_json
def demo(call: Call) -> None:
    """Try all of it on sample documents.

    In the folder ./publisher-demo; without an account.

    They are validated, published with their covers into a repo in a folder, pulled back, and
    each CID is compared. Edit them and run it again.
    """
    from publisher.commands import demo as showing

    call.run(lambda bar: showing.demo(Path("publisher-demo"), os.environ, bar))
