"""The errors that end a command, each with what to do next."""

from __future__ import annotations


class PublisherError(Exception):
    """Something that stops the command: what happened, to what, and the remedy.

    `exit_status` is what the command line exits with (docs/architecture.md has the table).
    """

    exit_status = 2

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class ConfigError(PublisherError):
    """`publisher.toml`, an environment variable or an option can't be used."""


class LexiconError(PublisherError):
    """A lexicon file can't be read."""


class SourceError(PublisherError):
    """The folder of documents, or what was named on the command line, can't be read."""


class StateError(PublisherError):
    """`publisher.lock`, the journal or another file of ours can't be read or written."""


class CredentialError(PublisherError):
    """There is no app password, or the server refused it."""


class IdentityError(PublisherError):
    """A handle or DID doesn't lead to a repo that can be trusted."""


class RepoUnavailable(PublisherError):
    """The repo didn't answer, or not with anything that can be understood; later it may."""


class OutcomeUnknown(RepoUnavailable):
    """A write was sent and no answer came: it may be in the repo. Reading tells."""


class RepoRefused(PublisherError):
    """The repo answered that it won't do this; `name` is its error name ('InvalidSwap', …)."""

    def __init__(self, message: str, *, name: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.name = name


class SwapRefused(RepoRefused):
    """The repo moved since it was read: nothing was written."""


class ProofFailed(PublisherError):
    """What a repo's server answered isn't what the repo's owner signed."""

    exit_status = 1


class GuardStopped(PublisherError):
    """A guard rail refused to go on without an explicit word."""

    exit_status = 1


class RateLimited(PublisherError):
    """The server asks for patience; nothing is lost, run again later."""

    exit_status = 75


class Interrupted(PublisherError):
    """Somebody stopped it between two requests; what was written stands."""

    exit_status = 130
