"""`publisher login`, `logout` and `whoami`."""

from __future__ import annotations

import os

import click

from publisher.cli import asking
from publisher.cli.call import Call
from publisher.cli.options import one_repo


@click.command()
@one_repo
def login(call: Call, repo: str | None) -> None:
    """Keep an app password in the keyring.

    It is asked for and tried first.

    Make an app password in the settings of your account; the main password is not needed.

    \b
    Example:
      publisher login alice.example
    """
    from publisher.commands import account

    target = call.target(repo)
    call.run(lambda bar: account.login(target, asking.password(bar), os.environ), quiet=True)


@click.command()
@one_repo
def logout(call: Call, repo: str | None) -> None:
    """Remove the app password from the keyring.

    \b
    Example:
      publisher logout alice.example
    """
    from publisher.commands import account

    target = call.target(repo)
    call.run(lambda _bar: account.logout(target))


@click.command()
@one_repo
def whoami(call: Call, repo: str | None) -> None:
    """Say which account is published to.

    And where its app password would come from.

    \b
    Example:
      publisher whoami
    """
    from publisher.commands import account

    target = call.target(repo)
    call.run(lambda _bar: account.whoami(target, os.environ))
