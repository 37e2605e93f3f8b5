"""The door to SQL: many threads of one process write, and none of them stands in the way of the others for long."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert

from core.errors import UnknownIdError
from core.ledger import Ledger
from core.settings import Settings
from core.tables import tenants
from schemas.access import DEFAULT_TENANT, Limits

THREADS, WRITES = 20, 10


def write(ledger: Ledger, name: str) -> None:
    ledger.tenants.set_limits(name, Limits(1, 1))


def test_threads_that_write_at_once_all_write(ledger: Ledger):
    names = [f"tenant-{number}" for number in range(THREADS * WRITES)]

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda name: write(ledger, name), names))

    usual = Limits(None, None)
    assert {ledger.tenants.limits(name, usual).jobs_a_day for name in names} == {1}


def test_a_write_that_fails_lets_the_next_one_in(ledger: Ledger):
    with pytest.raises(UnknownIdError), ledger.database.write():
        raise UnknownIdError("nothing")
    ended = threading.Event()

    def next_one() -> None:
        write(ledger, DEFAULT_TENANT)
        ended.set()

    threading.Thread(target=next_one, daemon=True).start()

    assert ended.wait(10)


def test_who_reads_does_not_wait_for_who_writes(ledger: Ledger):
    write(ledger, "ann")

    with ledger.database.write(), ThreadPoolExecutor(1) as threads:
        limits = threads.submit(ledger.tenants.limits, "ann", Limits(None, None)).result(10)

    assert limits.jobs_a_day == 1


def test_who_waits_for_another_process_writes_as_soon_as_that_has_written(
    ledger: Ledger, ledger_url: str, tmp_path: Path
):
    # Another set of connections and locks, as another process has them.
    other = Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url))
    begun, may_end, ended = (threading.Event() for _ in range(3))

    def hold() -> None:
        with other.database.write() as connection:
            connection.execute(insert(tenants).values(name="held", jobs_a_day=1, open_jobs=1))
            begun.set()
            may_end.wait(10)

    def follow() -> None:
        write(ledger, "held")
        ended.set()

    threads = [threading.Thread(target=one, daemon=True) for one in (hold, follow)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    assert not ended.wait(0.3)
    may_end.set()

    assert ended.wait(10)
    for thread in threads:
        thread.join(10)
    other.close()
