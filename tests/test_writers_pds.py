"""Publishers and another app at work on one account of the real server, as in test_writers.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from publisher.commands.reports import PublishReport
from publisher.documents import DOCUMENT
from publisher.pds import PdsRepo
from publisher.repo import RemoteRecord, Repo
from publisher.syntax import Rkey
from tests.pds_repo import open_pds_repo
from tests.reference_pds import ReferencePds
from tests.site import Site, make_site
from tests.test_writers import Writers


class WritersOnPds(Writers):
    """Each example has an account of its own."""

    kind = PdsRepo

    def __init__(self, pds: ReferencePds) -> None:
        self.pds = pds
        self.account = pds.new_account()
        self.reading = open_pds_repo(pds, self.account)
        super().__init__()

    def make_site(self, root: Path) -> Site:
        return make_site(root, repo=self.account.did, pds=self.pds.url, plc=self.pds.plc)

    def repo(self) -> Repo:
        return open_pds_repo(self.pds, self.account)

    def publish(self, site: Site, **options: object) -> PublishReport:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PUBLISHER_APP_PASSWORD", self.account.app_password)
            return site.publish(**options)

    def records(self) -> Mapping[Rkey, RemoteRecord]:
        return self.reading.read([DOCUMENT], afresh=True).records[DOCUMENT]

    def teardown(self) -> None:
        self.reading.close()
        super().teardown()


@pytest.mark.parametrize("few", [0, 100], ids=["batches", "alone"])
def test_nothing_of_the_other_app_is_lost_on_the_real_server(few: int, pds: ReferencePds) -> None:
    class Machine(WritersOnPds):
        def __init__(self) -> None:
            super().__init__(pds)

    Machine.few = few

    short = settings(
        max_examples=5,
        stateful_step_count=12,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

    run_state_machine_as_test(Machine, settings=short)
