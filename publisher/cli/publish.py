"""`publisher publish`, and `status` and `diff`, which stop where it would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from publisher.cli import asking
from publisher.cli.call import Call
from publisher.cli.options import paths, report, together

_GUARDS = {
    "account": "the lock belongs to another account",
    "origin": "the documents were pulled from another repo, and aren't migrated",
    "empty": "all documents are gone",
    "delete": "many records would be deleted",
    "mass-update": "most unchanged documents would be updated",
    "mass-create": "most documents would be created beside records that may be theirs",
}

_deciding = together(
    click.option("--adopt", is_flag=True, help="Take over records that look like a document's."),
    click.option("--prune", is_flag=True, help="Delete records whose documents are gone."),
    click.option("--recreate", is_flag=True, help="Publish again what was deleted in the repo."),
    click.option(
        "--force",
        is_flag=True,
        help="Overwrite what another app wrote; only with PATH, and after a backup.",
    ),
    click.option(
        "--keep-remote", is_flag=True, help="Leave what another app wrote; only with PATH."
    ),
)
_migrating = click.option(
    "--migrate-from",
    metavar="DID",
    help="The documents are what was pulled from this repo: what they say of its records, they say"
    " of this one's.",
)


@click.command()
@paths
@click.option(
    "-n", "--dry-run", is_flag=True, help="Say what would be written, field by field, and stop."
)
@_deciding
@_migrating
@click.option(
    "--allow",
    type=click.Choice(list(_GUARDS)),
    multiple=True,
    help=f"Go on where a guard would stop: {'; '.join(map(': '.join, _GUARDS.items()))}.",
)
@click.option("--read-back", is_flag=True, help="Read everything again at the end, and compare.")
@click.option(
    "--max-wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait for a rate limit before stopping with 75.",
)
@report()
def publish(call: Call, *, dry_run: bool, allow: tuple[str, ...], **wishes: Any) -> None:
    """Make the repo equal the folder.

    Covers are uploaded, records created and updated, and deleted with --prune. Nothing is written
    that hasn't changed, nothing is overwritten that wasn't read, and what is overwritten is kept in
    .publisher/backups. Invalid documents are left out and named. With PATH, only these documents.

    \b
    Example:
      publisher publish --dry-run
    """
    _publish(call, dry_run=dry_run, differences=dry_run, allow=frozenset(allow), **wishes)


@click.command()
@paths
@_deciding
@_migrating
@report()
def status(call: Call, **wishes: Any) -> None:
    """Say what a publish would do, and what it would cost.

    Nothing is written, and no login is needed.

    \b
    Example:
      publisher status --prune
    """
    _publish(call, dry_run=True, **wishes)


@click.command()
@paths
@_migrating
@report()
def diff(call: Call, paths: tuple[Path, ...], migrate_from: str | None) -> None:
    """Show how documents and their records differ, field by field.

    From the record to the document, conflicts too: '-' is in the repo, '+' is here. Nothing is
    written, and no login is needed.

    \b
    Example:
      publisher diff content/posts/hello.md
    """
    from publisher.commands.publish import compare

    call.run(lambda bar: compare(call.config(*paths), paths, bar, migrate_from=migrate_from))


def _publish(
    call: Call, *, paths: tuple[Path, ...], force: bool, keep_remote: bool, **wishes: Any
) -> None:
    from publisher.commands import publish as publishing
    from publisher.commands.rounds import Options

    if (force or keep_remote) and not paths:
        raise click.UsageError("--force and --keep-remote need the PATHs of documents")
    if force and keep_remote:
        raise click.UsageError("--force and --keep-remote exclude each other")
    options = Options(paths, force=force, keep_remote=keep_remote, **wishes)
    call.run(
        lambda bar: publishing.publish(
            call.config(*paths), options, asking.password(bar), bar, asking.yes_or_no(bar)
        )
    )
