"""How the contract tests open a repo on the reference PDS."""

from __future__ import annotations

from pathlib import Path

from publisher.credentials import AppPassword, Secret, Source
from publisher.identity import resolve
from publisher.pds import PdsRepo
from publisher.transport import transport_for
from tests.reference_pds import Account, ReferencePds


def open_pds_repo(
    pds: ReferencePds,
    account: Account,
    *,
    password: str = "",
    max_wait: float = 60.0,
    state: Path | None = None,
    source: Source = "environment",
) -> PdsRepo:
    """Open the account's repo with its app password, or another; close it after use."""
    transport = transport_for(pds.url, pds.plc)
    identity = resolve(account.handle, pds=pds.url, plc=pds.plc, transport=transport)
    found = AppPassword(Secret(password or account.app_password), source)
    return PdsRepo(
        identity,
        transport=transport,
        credentials=lambda: found,
        max_wait=max_wait,
        state=state,
    )
