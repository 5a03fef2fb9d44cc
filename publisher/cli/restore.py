"""`publisher restore`."""

from __future__ import annotations

import click

from publisher.cli import asking
from publisher.cli.call import Call
from publisher.cli.options import report


@click.command()
@click.argument("what", required=False, metavar="[WHAT]")
@click.option("--cid", help="This version, not the newest.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be written, and stop.")
@report()
def restore(call: Call, what: str | None, cid: str | None, *, dry_run: bool) -> None:
    """List what was overwritten or deleted, or put one record back.

    WHAT is the PATH of a document, an AT-URI or a CID. What is there now is kept in its turn, and
    the document and publisher.lock stay as they are.

    \b
    Example:
      publisher restore content/posts/hello.md
    """
    from datetime import UTC, datetime

    from publisher.commands import restore as restoring

    if what is None:
        if cid or dry_run:
            raise click.UsageError("--cid and --dry-run need WHAT")
        call.run(lambda _bar: restoring.kept(call.config()))
        return
    wanted, now = restoring.Wanted(what, cid, dry_run), datetime.now(UTC)
    call.run(
        lambda bar: restoring.restore(call.config(), wanted, asking.password(bar), bar, now=now)
    )
