"""The validators of npm, asked in batches: one Node process that answers line for line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

from tests.reference_pds import ENVIRONMENT, FILES, install, node

Verdicts: TypeAlias = dict[str, list[str | None]]
"""By peer, one for each input: None where it accepts, else its first words."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The running process; node/validators.mjs says what a verdict is."""

    _questions: IO[bytes]
    _answers: IO[bytes]

    def published(self) -> list[dict[str, Any]]:
        """Return the lexicons that the PDS carries, as documents."""
        documents: list[dict[str, Any]] = self._ask({"published": True})["documents"]
        return documents

    def use(self, documents: list[dict[str, Any]]) -> None:
        """Hold records against these lexicons from now on."""
        self._ask({"lexicons": documents})

    def records(self, records: list[tuple[str, str, str]]) -> Verdicts:
        """Judge records: collection, record key, JSON."""
        verdicts: Verdicts = self._ask({"records": records})
        return verdicts

    def formats(self, strings: list[tuple[str, str]]) -> Verdicts:
        """Judge strings: the format's name, the text."""
        verdicts: Verdicts = self._ask({"formats": strings})
        return verdicts

    def documents(self, texts: list[str]) -> Verdicts:
        """Judge lexicon documents in JSON."""
        verdicts: Verdicts = self._ask({"documents": texts})
        return verdicts

    def _ask(self, question: object) -> Any:
        self._questions.write(json.dumps(question).encode() + b"\n")
        self._questions.flush()
        return json.loads(self._answers.readline())


@contextmanager
def start() -> Iterator[Peers]:
    """Run the validators until the block ends. Costs half a second, the first time an install."""
    process = subprocess.Popen(
        [node(), FILES / "validators.mjs", install()],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Peers(process.stdin, process.stdout)
        finally:
            process.stdin.close()
