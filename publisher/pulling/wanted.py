"""What is wanted of a repo, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from publisher.data import Value
from publisher.documents import DOCUMENT
from publisher.pulling.folder import PulledFile
from publisher.pulling.state import Proof
from publisher.syntax import Did, Nsid

PUBLICATION: Final = Nsid("site.standard.publication")
Form = Literal["json", "markdown", "jsonl", "car"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is wanted of a repo: `rkey` of the one collection, some collections, or everything.

    With `publication`, the rkey of one: its record, and the documents whose site it is.
    """

    collections: tuple[Nsid, ...] = ()
    rkey: str | None = None
    publication: str | None = None

    @classmethod
    def of_publication(cls, rkey: str) -> Scope:
        """Return the scope of a publication."""
        return cls((PUBLICATION, DOCUMENT), publication=rkey)

    @property
    def whole(self) -> bool:
        """Whether everything is wanted."""
        return not self.collections

    def takes(self, key: str) -> bool:
        """Tell whether the record 'collection/rkey' is wanted."""
        if self.whole:
            return True
        collection, _, rkey = key.partition("/")
        if self.publication and collection == PUBLICATION:
            return rkey == self.publication
        return collection in self.collections and self.rkey in {None, rkey}

    def takes_value(self, key: str, value: Mapping[str, Value], did: Did) -> bool:
        """Tell whether a record that `takes` took is wanted by what it holds."""
        if self.publication is None or not key.startswith(f"{DOCUMENT}/"):
            return True
        return value.get("site") == f"at://{did}/{PUBLICATION}/{self.publication}"

    def text(self) -> str:
        """Return what tells two selections apart."""
        return " ".join([*sorted(self.collections), self.rkey or self.publication or ""])


@dataclass(frozen=True, slots=True)
class PullOptions:
    """What the command line asks for.

    `force` replaces files that were changed here. `mirror`: what is gone from the repo is deleted,
    not moved to the trash. `must_prove`: nothing is taken that isn't proven. `form` is what the
    records become; lines of JSON are handed to `emit`, and nothing is written. `with_content`: the
    setting of those who will read the Markdown.
    """

    force: bool = False
    mirror: bool = False
    must_prove: bool = False
    form: Form = "json"
    with_content: bool = True
    emit: Callable[[bytes], object] = field(default=lambda _line: None)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one repo: the files that aren't as they were before, and how many are.

    `reason` says why no more than `proof` is known. `lossy` are what files that were left as they
    are don't say of their records, by path.
    """

    repo: str
    did: str
    rev: str
    folder: Path
    files: tuple[PulledFile, ...]
    unchanged: int = 0
    proof: Proof = "proven"
    reason: str = ""
    lossy: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many files have each status."""
        found: Counter[str] = Counter(file.status for file in self.files)
        return {**found, "unchanged": self.unchanged}
