"""A worker on another host is cut off from one server for longer than a lease, and comes back.

The other worker goes on, and takes the jobs of one that has no ledger; the one that comes back delivers nothing twice;
every job ends once. The oracle reads the ledger, the bucket and the hashes.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.broker import check_queues, make_app, ring
from core.errors import FactoryError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.verify import verify
from schemas.campaigns import Kind
from workers.sweep import sweep

from support.brokers import BROKERS
from support.lines import line_campaign, line_jobs
from support.networks import SERVERS, Host, network
from support.servers import S3_KEY, S3_SECRET, Postgres, SeaweedFS
from support.waiting import wait_until
from support.workers import Workers

pytestmark = [pytest.mark.timeout(600), pytest.mark.broker]
LEASE_SECONDS = 4.0
BATCH = 4
JOBS = 60


class Plant:
    """Two workers on hosts of their own, and servers on a third."""

    def __init__(self, settings: Settings, hosts: list[Host], folder: Path) -> None:
        self.settings, self.hosts, self.logs = settings, hosts, folder
        self.ledger, self.storage = Ledger(settings), Storage(settings)
        self.workers = Workers(settings, folder)
        self.submitted: dict[str, int] = {}
        self._ends = threading.Event()
        self._housekeeping = threading.Thread(target=self._keep_house, daemon=True)

    def _keep_house(self) -> None:
        """Do what beat does."""
        app = make_app(self.settings)
        while not self._ends.wait(1):
            with contextlib.suppress(FactoryError):
                sweep(app, self.ledger)

    def open(self) -> None:
        self.storage.ensure_bucket()
        check_queues(make_app(self.settings))
        self._housekeeping.start()

    def submit(self, name: str, model: Path, jobs: int) -> None:
        campaign = line_campaign(name, products=jobs, variants=1)
        self.ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, model))
        self.submitted[name] = jobs
        ring(make_app(self.settings), Kind.COPY, 6)

    def go_on(self, model: Path) -> None:
        """Give the workers something to do when they have nothing."""
        if self.is_settled():
            self.submit(f"c{len(self.submitted)}", model, 4 * BATCH)

    def holders(self) -> set[str]:
        """Return the hosts whose workers hold jobs; the workers are called like their hosts."""
        return {holder.partition("@")[0] for holder in self.ledger.leases.holders()}

    def done(self) -> int:
        return sum(self.ledger.campaigns.status(name).done for name in self.submitted)

    def is_settled(self) -> bool:
        return all(self.ledger.campaigns.status(name).is_settled for name in self.submitted)

    def batches(self, host: Host) -> int:
        """Return how many batches the worker of a host has finished."""
        return (self.logs / f"{host.name}.log").read_text().count("batch of")

    def close(self) -> None:
        self._ends.set()
        self._housekeeping.join(30)
        self.workers.end()
        self.ledger.close()


@pytest.fixture
def plant(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Plant]:
    """Servers and two hosts, for one test."""
    folders = {name: tmp_path / name for name in SERVERS}
    for folder in folders.values():
        folder.mkdir()
    with network(2) as hosts, contextlib.ExitStack() as stack:
        broker = BROKERS[pytestconfig.getoption("--broker")](folders["broker"], SERVERS["broker"])
        store = SeaweedFS(folders["store"], SERVERS["store"])
        is_debian = pytestconfig.getoption("--postgres") == "debian"
        database = Postgres(folders["ledger"], SERVERS["ledger"], is_debian=is_debian)
        for server in (broker, store, database):
            stack.callback(server.remove)
            server.start()
        settings = Settings(
            home=tmp_path / "home",
            broker_url=SecretStr(broker.url),
            ledger_url=database.new_database(),
            s3_endpoint=store.endpoint,
            s3_access_key=S3_KEY,
            s3_secret_key=SecretStr(S3_SECRET),
            lease_seconds=LEASE_SECONDS,
            batch_size=BATCH,
            slice_seconds=1.0,
        )
        opened = Plant(settings, hosts, tmp_path)
        stack.callback(opened.close)
        opened.open()
        yield opened


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_worker_that_is_cut_off_and_comes_back_doubles_nothing(server: str, plant: Plant, line_model: Path):
    lonely, other = plant.hosts
    workers = [plant.workers.start(host.name, "generate.copy", host.name) for host in plant.hosts]
    plant.submit("c0", line_model, JOBS)
    wait_until(lambda: plant.holders() == {lonely.name, other.name}, 120, "both workers at work")

    lonely.pull(server)
    before = plant.done()
    signal.sigtimedwait([], 3 * LEASE_SECONDS)
    wait_until(lambda: plant.done() > before + BATCH, 120, "progress without it")
    if server == "ledger":
        wait_until(lambda: lonely.name not in plant.holders(), 60, "the end of its leases")
    lonely.plug(server)
    batches = plant.batches(lonely)
    wait_until(lambda: plant.batches(lonely) > batches or plant.go_on(line_model), 180, "its return to work")
    wait_until(plant.is_settled, 180, "the end")

    for name, jobs in plant.submitted.items():
        verdict = verify(plant.ledger, plant.storage, name)
        assert verdict.is_sound, verdict.violations
        assert verdict.states["done"] + verdict.states["failed"] == jobs
        assert {letter.error_code for letter in plant.ledger.jobs.dead_letters(name)} <= {"rejected"}
    assert [worker.poll() for worker in workers] == [None, None]
