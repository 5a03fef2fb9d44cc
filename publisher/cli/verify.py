"""`publisher verify`."""

from __future__ import annotations

import click

from publisher.cli.call import Call
from publisher.cli.options import one_repo


@click.command()
@one_repo
def verify(call: Call, repo: str | None) -> None:
    """Prove a repo, and validate its documents.

    The whole repo is read: the commit's signature by the key of the account's DID, the tree, and
    every record. Nothing is written, and no login is needed.

    REPO is a handle, a DID or folder:PATH; without it, the repo of publisher.toml.

    \b
    Example:
      publisher verify alice.example
    """
    from publisher.commands import verify as verifying

    config, target = call.config(), call.target(repo)
    call.run(lambda bar: verifying.verify(target, config, bar))
