"""The peers of `publish`: sequoia-cli from npm, pdsx from PyPI, each installed into the cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests import reference_pds  # noqa: E402  # found through the line above
from tests.reference_pds import Account, ReferencePds  # noqa: E402

SEQUOIA: Final = "sequoia-cli 0.5.7"
PDSX: Final = "pdsx 0.1.11"
NODE: Final = Path(__file__).with_name("node")
SCRIPT: Final = "node_modules/sequoia-cli/dist/index.js"


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of Markdown documents below `root`/content, and the account that it goes to."""

    root: Path
    account: Account
    server: ReferencePds
    url: str


def sequoia(site: Site) -> Callable[[], float]:
    """Return a `sequoia publish` of the site, which returns its seconds; the first one creates.

    It writes into the documents, and needs a publication. Its records have no Markdown: they are
    half as large as ours.
    """
    publication = _publication(site)
    settings = {
        "siteUrl": site.url,
        "contentDir": "content",
        "imagesDir": "content/covers",
        "publicationUri": publication,
        "frontmatter": {"publishDate": "date", "coverImage": "cover"},
    }
    (site.root / "sequoia.json").write_text(json.dumps(settings))
    program: list[str | Path] = [
        reference_pds.node(),
        reference_pds.install(NODE) / SCRIPT,
        "publish",
    ]
    environment = {
        "ATP_IDENTIFIER": site.account.did,
        "ATP_APP_PASSWORD": site.account.app_password,
        "PDS_URL": site.server.url,
    }
    return lambda: _timed(program, site.root, environment)


def pdsx(site: Site, records: bytes) -> Callable[[], float]:
    """Return a `pdsx create` of the records (JSON lines), which returns its seconds.

    It knows no documents: it is given records that are ready.
    """
    environment = {
        "ATPROTO_HANDLE": site.account.handle,
        "ATPROTO_PASSWORD": site.account.app_password,
    }
    options = ["--pds", site.server.url, "create", "site.standard.document"]
    program: list[str | Path] = [_pdsx(), "-c", "from pdsx.cli import main; main()", *options]
    return lambda: _timed(program, site.root, environment, records)


def _publication(site: Site) -> str:
    login = {"identifier": site.account.did, "password": site.account.app_password}
    token = site.server.call("com.atproto.server.createSession", login)["accessJwt"]
    nsid = "site.standard.publication"
    record = {"$type": nsid, "url": site.url, "name": "Harbour"}
    made = site.server.call(
        "com.atproto.repo.createRecord",
        {"repo": site.account.did, "collection": nsid, "record": record},
        token=token,
    )
    return str(made["uri"])


def _pdsx() -> Path:
    """Return the Python that has pdsx, installing it the first time."""
    folder = reference_pds.CACHE / PDSX.replace(" ", "-")
    python, whole = folder / "bin" / "python", folder / "whole"
    if not whole.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        quietly = ["--quiet", "--disable-pip-version-check"]
        wanted = PDSX.replace(" ", "==")
        pip = [str(python), "-m", "pip", "install", *quietly, wanted]
        ended = subprocess.run(pip, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr
        whole.touch()
    return python


def _timed(
    program: Sequence[str | Path], folder: Path, environment: dict[str, str], stdin: bytes = b""
) -> float:
    """Run a program that must succeed, at home in its folder."""
    start = time.perf_counter()
    ended = subprocess.run(
        program,
        cwd=folder,
        env={**os.environ, **environment, "HOME": str(folder)},
        input=stdin,
        capture_output=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    assert ended.returncode == 0, (ended.stdout[-2000:], ended.stderr[-2000:])
    return seconds
