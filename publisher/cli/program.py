"""All commands together, and what becomes of their errors: messages and exit statuses."""

from __future__ import annotations

import gc
import os
import sys
import threading

import click

from publisher import __version__
from publisher.cli.account import login, logout, whoami
from publisher.cli.completion import completion
from publisher.cli.demo import demo
from publisher.cli.init import init
from publisher.cli.lexicon import lexicon
from publisher.cli.publish import diff, publish, status
from publisher.cli.pull import pull
from publisher.cli.restore import restore
from publisher.cli.validate import validate
from publisher.cli.verify import verify
from publisher.errors import PublisherError

# In the order in which one meets them.
_COMMANDS: tuple[click.Command, ...] = (
    *(validate, lexicon, publish, status, diff, restore, pull, verify),
    *(login, logout, whoami, init, demo, completion),
)
_INTERRUPTED = 130


class _InOrder(click.Group):
    """Lists the commands as they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names in that order."""
        return list(self.commands)


@click.group(
    cls=_InOrder,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="publisher")
def cli() -> None:
    """Keep a folder of documents and an AT Protocol repo in step.

    \b
    Start here:
      publisher demo                   all of it, in a repo in a folder; no account
      publisher init                   write publisher.toml for your site
      publisher validate               are the documents what readers accept? (offline)
      publisher status                 what a publish would do
      publisher publish                write it

    Exit status: 0 all is well, 1 something needs you, 2 it could not run, 75 stopped by a rate
    limit (run again later), 130 interrupted.
    """
    import logging  # 5 ms that neither --help nor completion needs

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


def main() -> None:
    """Run the command line and exit with its status."""
    gc.set_threshold(1_000_000)  # many values and hardly a cycle: looking for one is a tenth of all
    status = _run()
    gc.freeze()  # nor at the exit
    if status == _INTERRUPTED and threading.active_count() > 1:
        sys.stdout.flush()
        os._exit(status)  # a thread that waits for a server would keep the process
    sys.exit(status)


def _run() -> int:
    try:
        status = cli.main(prog_name="publisher", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("interrupted; run it again to go on", file=sys.stderr)
        return _INTERRUPTED
    except PublisherError as error:
        from publisher.terminal import show_error

        show_error(error)
        return error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
