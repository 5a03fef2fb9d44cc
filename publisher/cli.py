"""The command line: parse, call one command, show its report, exit.

Each command's modules are imported when it runs, so that start-up stays fast.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from click.shell_completion import CompletionItem

from publisher import __version__
from publisher.errors import ConfigError, PublisherError

if TYPE_CHECKING:
    from publisher.commands.repos import Target
    from publisher.config import Config
    from publisher.output.text import Report
    from publisher.progress import Progress

Function = TypeVar("Function", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_INTERRUPTED = 130
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _InOrder(click.Group):
    """Lists the commands in the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the names as they were added."""
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=_SETTINGS)
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


def _reports(*formats: str) -> Callable[[Function], Function]:
    """Add the options of a command whose report has these formats, beside text and JSON."""

    def add(function: Function) -> Function:
        options = (
            click.option("--config", type=_PATH, help="The publisher.toml to use."),
            click.option(
                "--format",
                type=click.Choice(["text", "json", *formats]),
                default="text",
                help="How the report is written.",
            ),
            click.option("--json", "format", flag_value="json", help="Short for --format json."),
        )
        for option in reversed(options):
            function = option(function)
        return function

    return add


_common = _reports()


def _known(
    _context: click.Context, parameter: click.Parameter, codes: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no code of a finding; the nearest that is one is named."""
    from publisher.findings import unknown_code

    if reason := next(filter(None, map(unknown_code, codes)), None):
        raise click.BadParameter(reason, param=parameter)
    return codes


def _codes(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    from publisher.findings import CODES

    found = {code: row for code, row in CODES.items() if code.startswith(begun)}
    return [CompletionItem(code, help=row.says) for code, row in found.items()]


def _chosen(name: str, help: str) -> Callable[[Function], Function]:
    """Return an option that takes codes of findings."""
    return click.option(
        name, multiple=True, metavar="CODE", callback=_known, shell_complete=_codes, help=help
    )


def _counting(function: Function) -> Function:
    """Add the options that say what counts in a report of findings."""
    fail_on = click.option(
        "--fail-on",
        type=click.Choice(["error", "warning"]),
        default="error",
        show_default=True,
        help="The least severity for which the exit status is 1.",
    )
    select = _chosen("--select", "Only these findings; repeatable.")
    ignore = _chosen("--ignore", "Not these findings; repeatable.")
    return fail_on(select(ignore(function)))


def _servers(function: Function) -> Function:
    """Add the options that say where a repo is found."""
    function = click.option("--plc", help="Another PLC directory, for test networks.")(function)
    return click.option("--pds", help="The PDS to ask, instead of the DID document's.")(function)


@cli.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@click.option(
    "--lexicons", type=_PATH, multiple=True, help="Another folder of lexicon files; repeatable."
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
@_counting
@click.option("--stdin", is_flag=True, help="Check a record, or JSON lines, on standard input.")
@_reports("github", "sarif")
def validate(
    paths: tuple[Path, ...],
    lexicons: tuple[Path, ...],
    profiles: tuple[Literal["spec", "publish", "bluesky", "leaflet"], ...],
    fail_on: Literal["error", "warning"],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    stdin: bool,
    config: Path | None,
    format: str,
) -> None:
    """Check documents and records, offline.

    Every fault of every file is told, with its place and what to do.

    PATH is a file or folder of documents, records in JSON lines (.jsonl), or the CAR of a repo.
    Without PATH: all documents of publisher.toml.

    \b
    Example:
      publisher validate content/posts/hello.md
      publisher validate archive.jsonl --lexicons lexicons --fail-on warning
    """
    from publisher.commands.streams import Input
    from publisher.commands.validate import Request
    from publisher.commands.validate import validate as run

    request = Request(
        paths,
        Input(Path("stdin"), sys.stdin.buffer) if stdin else None,
        lexicons,
        profiles,
        fail_on,
        frozenset(select),
        frozenset(ignore),
        with_cids=format == "json",
    )
    _finish(lambda progress: run(_config(config, paths), request, progress), format)


@cli.group()
def lexicon() -> None:
    """Check lexicon files, for those who write them.

    \b
    Example:
      publisher lexicon check
    """


@lexicon.command("check")
@click.argument("folders", nargs=-1, type=_PATH, metavar="[DIR]...")
@_counting
@_reports("github", "sarif")
def check_lexicons(
    folders: tuple[Path, ...],
    fail_on: Literal["error", "warning"],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    config: Path | None,
    format: str,
) -> None:
    """Check lexicon files, each by itself and beside all others.

    Every *.json below DIR is one; without DIR, below `lexicons` of publisher.toml, else
    ./lexicons. Refs may also lead to the lexicons that come with publisher.

    \b
    Example:
      publisher lexicon check lexicons --fail-on warning
    """
    from publisher.commands.lexicon import Request
    from publisher.commands.lexicon import check as run

    request = Request(folders, fail_on, frozenset(select), frozenset(ignore))
    _finish(lambda _progress: run(_config(config, folders), request), format)


_GUARDS = {
    "account": "the lock belongs to another account",
    "empty": "all documents are gone",
    "delete": "many records would be deleted",
    "mass-update": "most unchanged documents would be updated",
    "mass-create": "most documents would be created beside records that may be theirs",
}


def _deciding(function: Function) -> Function:
    """Add the options that decide what the plan leaves open."""
    options = (
        click.option(
            "--adopt", is_flag=True, help="Take over records that look like a document's."
        ),
        click.option("--prune", is_flag=True, help="Delete records whose documents are gone."),
        click.option(
            "--recreate", is_flag=True, help="Publish again what was deleted in the repo."
        ),
        click.option(
            "--force",
            is_flag=True,
            help="Overwrite what another app wrote; only with PATH, and after a backup.",
        ),
        click.option(
            "--keep-remote", is_flag=True, help="Leave what another app wrote; only with PATH."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


_migrating = click.option(
    "--migrate-from",
    metavar="DID",
    help="The documents are what was pulled from this repo: what they say of its records, they say"
    " of this one's.",
)


@cli.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
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
@_common
def publish(
    paths: tuple[Path, ...],
    dry_run: bool,
    allow: tuple[str, ...],
    migrate_from: str | None,
    read_back: bool,
    max_wait: float,
    config: Path | None,
    format: str,
    **wishes: bool,
) -> None:
    """Make the repo equal the folder.

    Covers are uploaded, records created and updated, and deleted with --prune. Nothing is written
    that hasn't changed, nothing is overwritten that wasn't read, and what is overwritten is kept in
    .publisher/backups. Invalid documents are left out and named. With PATH, only these documents.

    \b
    Example:
      publisher publish --dry-run
    """
    _publish(
        paths,
        config,
        format,
        dry_run=dry_run,
        differences=dry_run,
        allow=frozenset(allow),
        migrate_from=migrate_from,
        read_back=read_back,
        max_wait=max_wait,
        **wishes,
    )


@cli.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@_deciding
@_migrating
@_common
def status(
    paths: tuple[Path, ...],
    migrate_from: str | None,
    config: Path | None,
    format: str,
    **wishes: bool,
) -> None:
    """Say what a publish would do, and what it would cost.

    Nothing is written, and no login is needed.

    \b
    Example:
      publisher status --prune
    """
    _publish(paths, config, format, dry_run=True, migrate_from=migrate_from, **wishes)


@cli.command()
@click.argument("paths", nargs=-1, type=_PATH, metavar="[PATH]...")
@_migrating
@_common
def diff(
    paths: tuple[Path, ...], migrate_from: str | None, config: Path | None, format: str
) -> None:
    """Show how documents and their records differ, field by field.

    From the record to the document, conflicts too: '-' is in the repo, '+' is here. Nothing is
    written, and no login is needed.

    \b
    Example:
      publisher diff content/posts/hello.md
    """
    from publisher.commands.publish import compare as run

    _finish(lambda bar: run(_config(config, paths), paths, bar, migrate_from=migrate_from), format)


@cli.command()
@click.argument("what", required=False, metavar="[WHAT]")
@click.option("--cid", help="This version, not the newest.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be written, and stop.")
@_common
def restore(
    what: str | None, cid: str | None, dry_run: bool, config: Path | None, format: str
) -> None:
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
        _finish(lambda _bar: restoring.kept(_config(config)), format)
        return
    wanted, now = restoring.Wanted(what, cid, dry_run), datetime.now(UTC)
    _finish(
        lambda bar: restoring.restore(_config(config), wanted, _asking(bar), bar, now=now), format
    )


def _publish(paths: tuple[Path, ...], config: Path | None, format: str, **options: Any) -> None:
    from publisher.commands.publish import publish as run
    from publisher.commands.rounds import Options

    if (options.get("force") or options.get("keep_remote")) and not paths:
        raise click.UsageError("--force and --keep-remote need the PATHs of documents")
    if options.get("force") and options.get("keep_remote"):
        raise click.UsageError("--force and --keep-remote exclude each other")
    chosen = Options(tuple(paths), **options)
    _finish(
        lambda bar: run(_config(config, paths), chosen, _asking(bar), bar, _confirming(bar)),
        format,
    )


@cli.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("-o", "--out", type=_PATH, help="Folder to write to.  [default: pulled]")
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
    "--from", "lists", type=_PATH, multiple=True, metavar="FILE", help="Repos, one a line."
)
@click.option("--mirror", is_flag=True, help="Delete files of what is gone; no trash.")
@click.option(
    "--require", type=click.Choice(["proven"]), help="Fail where the repo can't be proven."
)
@click.option("--check", is_flag=True, help="Write nothing; compare the repo with the documents.")
@_servers
@_common
def pull(
    repos: tuple[str, ...],
    out: Path | None,
    collection: tuple[str, ...],
    publication: str | None,
    form: Any,
    lists: tuple[Path, ...],
    force: bool,
    mirror: bool,
    require: str | None,
    check: bool,
    pds: str | None,
    plc: str | None,
    config: Path | None,
    format: str,
) -> None:
    """Bring records and blobs here, proven.

    From the signed commit down: signature, tree, each record and blob. No login is needed.

    REPO is a handle, a DID, an AT-URI (a collection or one record), or folder:PATH; without it,
    the repo of publisher.toml. With --check, name the documents whose records differ.

    \b
    Example:
      publisher pull alice.example --collection site.standard.document --out backup
    """
    given = (repos, lists, collection, publication, force, mirror, require, out, pds, plc)
    if check and any(given):
        raise click.UsageError("--check compares publisher.toml's repo; it takes no other option")
    if check:
        from publisher.commands.check import check as compare

        _finish(lambda progress: compare(_config(config), progress), format)
        return
    from publisher.commands import pull as pulling
    from publisher.pulling import wanted as wanting

    chosen = tuple(_nsid(name) for name in collection)
    names = repos + tuple(name for path in lists for name in pulling.listed(path))
    if publication and (chosen or len(names) > 1):
        raise click.UsageError("--publication takes one REPO at most, and no --collection")
    if publication and not names:
        names = (publication,)
    targets = _targets(names, pds, plc, config)
    selections = [pulling.select(target.name, target, chosen) for target in targets]
    if publication:
        selections = [pulling.with_publication(selections[0], publication)]
    folder = out or Path("pulled")
    emit = sys.stdout.buffer.write
    content = form != "markdown" or _config(config).settings.content == "markdown"
    options = wanting.PullOptions(force, mirror, require == "proven", form, content, emit)
    _finish(
        lambda progress: pulling.pull(selections, folder, options, progress),
        format,
        aside=form == "jsonl",
    )


@cli.command()
@click.argument("repo", required=False)
@_servers
@_common
def verify(
    repo: str | None, pds: str | None, plc: str | None, config: Path | None, format: str
) -> None:
    """Prove a repo, and validate its documents.

    The whole repo is read: the commit's signature by the key of the account's DID, the tree, and
    every record. Nothing is written, and no login is needed.

    REPO is a handle, a DID or folder:PATH; without it, the repo of publisher.toml.

    \b
    Example:
      publisher verify alice.example
    """
    from publisher.commands.collect import load_catalog
    from publisher.commands.judge import Judge
    from publisher.commands.verify import verify as run

    settings = _config(config)
    judge = Judge(settings, load_catalog(settings), keep=False)
    target = _target(repo, pds, plc, config)
    _finish(lambda progress: run(target, judge, progress), format)


@cli.command()
@click.argument("repo", required=False)
@_servers
@_common
def login(
    repo: str | None, pds: str | None, plc: str | None, config: Path | None, format: str
) -> None:
    """Keep an app password in the keyring.

    It is asked for and tried first.

    Make an app password in the settings of your account; the main password is not needed.

    \b
    Example:
      publisher login alice.example
    """
    from publisher.commands.account import login as run

    target = _target(repo, pds, plc, config)
    _finish(lambda progress: run(target, _asking(progress), os.environ), format, quiet=True)


@cli.command()
@click.argument("repo", required=False)
@_servers
@_common
def logout(
    repo: str | None, pds: str | None, plc: str | None, config: Path | None, format: str
) -> None:
    """Remove the app password from the keyring.

    \b
    Example:
      publisher logout alice.example
    """
    from publisher.commands.account import logout as run

    target = _target(repo, pds, plc, config)
    _finish(lambda _progress: run(target), format)


@cli.command()
@click.argument("repo", required=False)
@_servers
@_common
def whoami(
    repo: str | None, pds: str | None, plc: str | None, config: Path | None, format: str
) -> None:
    """Say which account is published to.

    And where its app password would come from.

    \b
    Example:
      publisher whoami
    """
    from publisher.commands.account import whoami as run

    target = _target(repo, pds, plc, config)
    _finish(lambda _progress: run(target, os.environ), format)


@cli.command()
@click.option("--repo", help="Handle or DID, or folder:./repo.")
@click.option("--site", help="Address of the site, or AT-URI of a publication.")
@click.option("--documents", help="Folder of documents.")
@click.option("--timezone", help="For dates without a zone, like Europe/Berlin.")
@click.option("--format", type=click.Choice(["text", "json"]), default="text")
@click.option("--json", "format", flag_value="json", help="Short for --format json.")
def init(
    repo: str | None, site: str | None, documents: str | None, timezone: str | None, format: str
) -> None:
    """Write a commented publisher.toml here.

    Only what can't be found out is asked.

    The folder of documents and the site's address are taken from the config of Hugo, Astro,
    Jekyll, Zola, MkDocs or Pelican where there is one.

    \b
    Example:
      publisher init --repo alice.example --site https://alice.example
    """
    from publisher.commands.init import init as run

    given = {"repo": repo, "site": site, "documents": documents, "timezone": timezone}
    _finish(lambda _progress: run(Path(), given, _ask, os.environ), format, quiet=True)


@cli.command()
@click.option("--format", type=click.Choice(["text", "json"]), default="text")
@click.option("--json", "format", flag_value="json", help="Short for --format json.")
def demo(format: str) -> None:
    """Try all of it on sample documents.

    In the folder ./publisher-demo; without an account.

    They are validated, published with their covers into a repo in a folder, pulled back, and
    each CID is compared. Edit them and run it again.
    """
    from publisher.commands.demo import demo as run

    _finish(lambda progress: run(Path("publisher-demo"), os.environ, progress), format)


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Example:
      publisher completion bash > ~/.local/share/bash-completion/completions/publisher
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise ConfigError(f"there is no completion for {shell}", remedy="use bash, zsh or fish")
    click.echo(script(cli, {}, "publisher", "_PUBLISHER_COMPLETE").source())


def main() -> None:
    """Run the command line and exit with its status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
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


def _finish(
    run: Callable[[Progress], Report], format: str, *, quiet: bool = False, aside: bool = False
) -> None:
    """Run a command under a progress bar, show its report, and leave with its status.

    `aside`: the command itself writes to stdout, so the report goes to stderr.
    """
    from publisher.terminal import progress, show, show_aside, show_error

    with progress(quiet=quiet or aside or format != "text") as bar:
        report = run(bar)
    if aside:
        show_aside(report)
    else:
        show(report, format=format)
    error = getattr(report, "error", None)
    if isinstance(error, PublisherError):
        show_error(error)
    click.get_current_context().exit(report.exit_status)


def _config(explicit: Path | None, paths: tuple[Path, ...] = ()) -> Config:
    from publisher import config

    return config.load(explicit=explicit, starts=(Path.cwd(), *paths), environment=os.environ)


def _target(repo: str | None, pds: str | None, plc: str | None, config: Path | None) -> Target:
    return _targets((repo,) if repo else (), pds, plc, config)[0]


def _targets(
    repos: tuple[str, ...], pds: str | None, plc: str | None, config: Path | None
) -> list[Target]:
    """The servers of publisher.toml belong to its own repo; another takes --pds and --plc."""
    from publisher.commands.repos import Target, configured

    if not repos:
        own = configured(_config(config))
        return [Target(own.name, pds or own.pds, plc or own.plc, own.root)]
    settings = _config(config).settings
    own_account = _account(settings.repo or "")
    return [
        Target(name, pds or settings.pds, plc or settings.plc)
        if _account(name) == own_account
        else Target(name, pds, plc)
        for name in (repo.removeprefix("@") for repo in repos)
    ]


def _account(name: str) -> str:
    """Return whom a handle, a DID or an AT-URI names; a handle's case doesn't count."""
    account = name.removeprefix("at://").partition("/")[0] if name.startswith("at://") else name
    return account if account.startswith("did:") else account.lower()


def _nsid(text: str) -> Any:
    from publisher.syntax import InvalidSyntax, parse_nsid

    try:
        return parse_nsid(text)
    except InvalidSyntax as error:
        raise click.UsageError(f"--collection {text!r} {error}") from error


def _asking(progress: Progress) -> Callable[[str], str | None]:
    """Return what asks for a password on the terminal, the progress bar put aside."""

    def ask(question: str) -> str | None:
        from publisher.credentials import ask_terminal

        with progress.paused():
            return ask_terminal(question)

    return ask


def _confirming(progress: Progress) -> Callable[[str], bool | None]:
    """Return what asks yes or no on the terminal, the progress bar put aside."""

    def ask(question: str) -> bool | None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        with progress.paused():
            return click.confirm(question, default=False, err=True)

    return ask


def _ask(question: str, default: str | None) -> str | None:
    if not sys.stdin.isatty():
        return None
    answer: str = click.prompt(question, default=default, err=True)
    return answer
