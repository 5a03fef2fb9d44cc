"""Repos made by the reference implementation, proven by us; ours, verified by it.

`python -m tests.test_archive_reference 3000` does it for thousands of repos.
"""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from publisher.archive import (
    ArchiveError,
    CarFile,
    InvalidSignature,
    key_depth,
    prove,
    prove_record,
    verify_car,
)
from publisher.data import Cid, Value, decode, record_cid
from publisher.folder import FolderRepo
from publisher.repo import CreateWrite, DeleteWrite, UpdateWrite, Write
from publisher.syntax import Nsid, Rkey, tid
from tests.proof_repos import (
    COLLECTIONS,
    DID,
    HIGH,
    KEY,
    P256,
    block_of,
    cid_of,
    did_of,
    make,
    unchanged,
)
from tests.reference_pds import FILES, install, node

pytestmark = [pytest.mark.xdist_group("reference repos"), pytest.mark.usefixtures("unmeasured")]

OTHER_KEY = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc"
State = dict[str, int]
Batch = list[tuple[str, int | None]]


class Reference:
    """The reference implementation, which answers questions; node/repos.mjs lists them."""

    def __init__(self, to: IO[str], answers: IO[str]) -> None:
        self._to = to
        self._answers = answers

    def ask(self, **question: object) -> Any:
        self._to.write(json.dumps(question) + "\n")
        self._to.flush()
        answer = json.loads(self._answers.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise Refused(answer["error"])
        return answer


class Refused(Exception):
    """What the reference implementation says of a repo that it doesn't take."""


@contextmanager
def started() -> Iterator[Reference]:
    with subprocess.Popen(
        [node(), FILES / "repos.mjs", install()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        yield Reference(process.stdin, process.stdout)
        process.stdin.close()


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    with started() as running:
        yield running


# --- what repos hold, and how they come to it


def some_paths(chance: random.Random, count: int) -> list[str]:
    """Return keys as they come: TIDs, short ones that share prefixes, and some of high layers."""
    found = {
        f"{chance.choice(COLLECTIONS)}/{chance.choice([some_tid, some_word])(chance)}"
        for _ in range(count)
    }
    return sorted({*found, *chance.sample(sorted(HIGH), min(count, chance.randrange(4)))})


def some_tid(chance: random.Random) -> str:
    return tid(chance.randrange(1 << 63))


def some_word(chance: random.Random) -> str:
    return "".join(chance.choices("abAB01-_~:.", k=chance.randrange(1, 9))).strip(".") or "a"


def some_batches(chance: random.Random, most: int) -> list[Batch]:
    """Return commits that create, update and delete; records differ by a number."""
    paths, state, batches = some_paths(chance, chance.randrange(most)), State(), list[Batch]()
    for _ in range(chance.randrange(1, 5)):
        batch: Batch = []
        for path in chance.sample(paths, chance.randrange(len(paths) + 1)):
            gone = path in state and chance.random() < 0.4
            batch.append((path, None if gone else chance.randrange(1 << 40)))
        apply(state, batch)
        batches.append(batch)
    return batches


def apply(state: State, batch: Batch) -> None:
    for path, number in batch:
        if number is None:
            del state[path]
        else:
            state[path] = number


def state_after(batches: Sequence[Batch]) -> State:
    state: State = {}
    for batch in batches:
        apply(state, batch)
    return state


def typed_cid(path: str, number: int) -> str:
    return record_cid({"$type": path.partition("/")[0], "n": number})


# --- the reference's repos, proven by us


def check_theirs(reference: Reference, chance: random.Random, batches: list[Batch]) -> int:
    """Have a repo made, and prove it in every way; return how many records it has."""
    state, since = state_after(batches), chance.randrange(len(batches))
    ask = [*chance.sample(sorted(state), min(3, len(state))), *some_paths(chance, 2)]
    curve = chance.choice(["k256", "p256"])
    made = reference.ask(make={"curve": curve, "batches": batches, "since": since, "ask": ask})
    did, car = made["did"], base64.b64decode(made["car"])
    expected = {path: typed_cid(path, number) for path, number in sorted(state.items())}

    found = prove(CarFile(io.BytesIO(car)), did=did, key=did)

    assert (str(found.cid), found.commit.rev, found.unused) == (made["cid"], made["rev"], 0)
    assert [(path, str(cid)) for path, cid in found.items.items()] == list(expected.items())
    assert dict(made["items"]) == expected
    for path, cid in chance.sample(list(found.items.items()), min(3, len(state))):
        value = decode(found.block(cid))
        assert value == {"$type": path.partition("/")[0], "n": state[path]}
    check_since(made, found.items, since)
    for path, content in made["records"]:
        check_record(did, path, base64.b64decode(content), expected.get(path))
    with pytest.raises(InvalidSignature):
        prove(CarFile(io.BytesIO(car)), did=did, key=OTHER_KEY)
    with pytest.raises(ArchiveError):
        verify_car(car[: chance.randrange(len(car))], did=did, key=did)
    return len(state)


def check_since(made: Any, items: Mapping[str, Cid], since: int) -> None:
    before = {path: Cid.parse(cid) for path, cid in made["before"]["items"]}
    car = CarFile(io.BytesIO(base64.b64decode(made["before"]["car"])))
    old = before.items() if since else None
    found = prove(car, did=made["did"], key=made["did"], old=old)
    assert (found.items, str(found.cid), found.unused) == (items, made["cid"], 0)


def check_record(did: str, path: str, content: bytes, expected: str | None) -> None:
    collection, _, rkey = path.partition("/")
    found = prove_record(content, did=did, key=did, collection=collection, rkey=rkey)
    assert (str(found.cid) if found.cid else None) == expected


@pytest.mark.parametrize("seed", range(40))
def test_repos_of_the_reference_are_proven(reference: Reference, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # repos, the same in every run
    check_theirs(reference, chance, some_batches(chance, 60))


@pytest.mark.parametrize("count", [0, 1, 2000])
def test_repos_of_the_reference_are_proven_whatever_their_size(
    reference: Reference, count: int
) -> None:
    chance = random.Random(count)  # noqa: S311
    paths = [f"com.example.note/{some_tid(chance)}" for _ in range(count)]
    first: Batch = [(path, number) for number, path in enumerate(paths)]
    second: Batch = [(path, None) for path in paths[::3]]
    left = check_theirs(reference, chance, [first, second])
    assert left == count - len(second)


# --- our repos, verified by the reference


def check_ours(reference: Reference, chance: random.Random, state: State) -> None:
    key = chance.choice([KEY, P256])
    did = did_of(key)
    made = make(state, key, did)
    items = {path: str(cid_of(block_of(number))) for path, number in state.items()}
    car = made.car()
    verify(reference, car, did, items)
    newer = changed(chance, state)
    now = make(newer, key, did)
    part = now.car(without=unchanged(state, newer, key))
    writes = reference.ask(diff={"old": text(car), "car": text(part), "did": did, "key": did})
    assert sorted(writes) == sorted(differences(state, newer))
    cut = text(made.car(without=[max(made.blocks)]))
    with pytest.raises(Refused):
        reference.ask(verify={"car": cut, "did": did, "key": did, "claims": []})


def verify(reference: Reference, car: bytes, did: str, items: Mapping[str, str]) -> Any:
    claims = [*items.items(), ("com.example.record/absent", None)]
    answer = reference.ask(verify={"car": text(car), "did": did, "key": did, "claims": claims})
    assert dict(answer["items"]) == items
    assert (answer["records"], answer["verified"]) == (len(items), len(claims))
    assert answer["blocks"] == len(CarFile(io.BytesIO(car)))
    return answer


def changed(chance: random.Random, state: State) -> State:
    kept = {path: number for path, number in state.items() if chance.random() < 0.8}
    new = {path: chance.randrange(1 << 40) for path in some_paths(chance, 3)}
    return {**kept, **new}


def differences(old: State, new: State) -> Iterator[list[str]]:
    for path in old.keys() | new.keys():
        if path not in new:
            yield ["delete", path, str(cid_of(block_of(old[path])))]
        elif old.get(path) != new[path]:
            action = "update" if path in old else "create"
            yield [action, path, str(cid_of(block_of(new[path])))]


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("seed", range(40))
def test_our_repos_are_verified_by_the_reference(reference: Reference, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    check_ours(reference, chance, state_after(some_batches(chance, 60)))


@pytest.mark.parametrize("state", [{}, {"a.b.c/1": 1}, dict.fromkeys(HIGH, 1)], ids=len)
def test_our_smallest_repos_are_verified_by_the_reference(
    reference: Reference, state: State
) -> None:
    check_ours(reference, random.Random(1), state)  # noqa: S311


def check_folder(
    reference: Reference, chance: random.Random, folder: Path, batches: list[Batch]
) -> None:
    """Make a repo in a folder commit by commit; have it verified after each."""
    repo, state = FolderRepo.create(folder), State()
    for batch in batches:
        writes = [folder_write(state, path, number) for path, number in batch]
        for part in repo.batches(writes):
            repo.apply(part, swap_commit=repo.head().cid)
        apply(state, batch)
        items = {path: typed_cid(path, number) for path, number in state.items()}
        answer = verify(reference, b"".join(repo.car()), repo.did, items)
        assert (answer["cid"], answer["rev"]) == (repo.head().cid, repo.head().rev)


def folder_write(state: State, path: str, number: int | None) -> Write:
    collection, _, rkey = path.partition("/")
    place = (Nsid(collection), Rkey(rkey))
    if number is None:
        return DeleteWrite(*place, typed_cid(path, state[path]))
    value: dict[str, Value] = {"$type": collection, "n": number}
    if path in state:
        return UpdateWrite(*place, value, typed_cid(path, state[path]))
    return CreateWrite(*place, value)


@pytest.mark.parametrize("seed", range(10))
def test_repos_in_folders_are_verified_after_every_edit(
    reference: Reference, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    check_folder(reference, chance, tmp_path, some_batches(chance, 60))


# --- the parts


def test_the_layers_of_keys_are_those_of_the_reference(reference: Reference) -> None:
    chance = random.Random(1)  # noqa: S311
    paths = [*HIGH, *some_paths(chance, 3000)]

    depths = reference.ask(depths=paths)

    assert depths == [key_depth(path.encode()) for path in paths]
    assert max(depths) == 8


def test_the_reference_refuses_what_is_not_ours(reference: Reference) -> None:
    car = text(make({"a.b.c/1": 1}).car())

    for did, key in ((OTHER_KEY, DID), (DID, OTHER_KEY)):
        with pytest.raises(Refused):
            reference.ask(verify={"car": car, "did": did, "key": key, "claims": []})


def main() -> None:
    """Do it for as many repos of each kind as the command line says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    done: Counter[str] = Counter()
    began = time.monotonic()
    with started() as reference, tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            chance = random.Random(f"campaign {seed}")  # noqa: S311
            most = 400 if seed % 10 == 0 else 60
            done["records"] += check_theirs(reference, chance, some_batches(chance, most))
            check_ours(reference, chance, state_after(some_batches(chance, most)))
            if seed % 5 == 0:
                place = Path(folder, str(seed))
                check_folder(reference, chance, place, some_batches(chance, most))
                done["in folders"] += 1
            done["of each"] += 1
            if done["of each"] % 100 == 0:
                print(dict(done), f"{time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
        for size in (0, 1, 10_000):
            paths = [f"com.example.note/{tid(n << 30)}" for n in range(size)]
            batches: list[Batch] = [
                [(path, n) for n, path in enumerate(paths)],
                [(path, None) for path in paths[::7]],
            ]
            check_theirs(reference, random.Random(size), batches)  # noqa: S311
            check_ours(reference, random.Random(size), state_after(batches))  # noqa: S311
            print(f"{size} records, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
