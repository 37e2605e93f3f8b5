"""The embedded stack, whole: it starts, survives what kills it, lives beside another one, and leaves nothing behind."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.errors import SettingsError
from core.settings import Settings
from core.storage import Storage
from deploy import doctor, processes, stack
from deploy.checks import workers
from deploy.embedded import read
from deploy.findings import Level
from deploy.home import Home
from deploy.pages import wait_for_pages
from deploy.programs import SERVERS, WORKERS
from deploy.stack import Stack
from deploy.supervision import State, Supervisor

from support.waiting import free_port, wait_until

DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Everything the stack reported."""
    return []


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> Iterator[Settings]:
    """Settings that name a home and nothing else; what runs in it at the end is stopped."""
    settings = Settings(home=tmp_path_factory.mktemp("stack") / "home")
    yield settings
    stack.down(settings, said.append)


@pytest.fixture
def running(bare: Settings, said: list[str]) -> Stack:
    """The stack, up: in whatever state the test before left it."""
    return stack.up(bare, said.append)


def _pids(of: Stack) -> dict[str, int | None]:
    return {one.name: one.pid for one in of.processes}


def _all(of: Stack) -> list[processes.Leftover]:
    return processes.of_home(Home.of(of.settings))


def test_every_server_and_worker_runs(running: Stack):
    assert [(one.name, one.state) for one in running.processes] == [
        (name, State.RUNNING) for name in (*SERVERS, *WORKERS)
    ]


def test_the_doctor_finds_nothing_wrong(running: Stack):
    settings = running.settings
    # Workers may still be starting; everything else is well at once.
    wait_until(lambda: workers.ping(settings).level == Level.OK, DEADLINE_SECONDS, what="an answer of the workers")

    wrong = [one for one in doctor.check(settings) if one.level == Level.FAIL]

    assert wrong == []


def test_up_twice_is_up_once(bare: Settings, running: Stack):
    lines: list[str] = []

    again = stack.up(bare, lines.append)

    assert lines == [f"the stack in {bare.home} is already up"]
    assert _pids(again) == _pids(running)
    assert again.settings == running.settings


def test_changed_settings_are_told_and_wait_for_a_restart(bare: Settings, running: Stack):
    lines: list[str] = []

    again = stack.up(bare.model_copy(update={"batch_size": 3}), lines.append)

    assert lines[0] == "FACTORY_BATCH_SIZE changed: `factory down`, then `factory up` takes that over"
    assert _pids(again) == _pids(running)


def test_a_setting_with_a_wrong_name_is_told_and_stops_nothing(
    bare: Settings, running: Stack, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_BATCHSIZE", "3")
    lines: list[str] = []

    again = stack.up(bare, lines.append)
    said = {finding.found: finding for finding in doctor.check(bare) if finding.name == "settings"}

    words = "FACTORY_BATCHSIZE in the environment is no setting, and does nothing"
    assert lines[0] == f"{words}: did you mean FACTORY_BATCH_SIZE?"
    assert _pids(again) == _pids(running)
    assert (said[words].level, said[words].mend) == (Level.WARN, "did you mean FACTORY_BATCH_SIZE?")


@pytest.mark.timeout(DEADLINE_SECONDS)
@pytest.mark.parametrize("name", ["flower_port", "api_port"])
def test_the_port_of_a_page_that_was_changed_is_told_and_not_waited_for(name: str, bare: Settings, running: Stack):
    lines: list[str] = []

    again = stack.up(bare.model_copy(update={name: free_port()}), lines.append)
    wait_for_pages(again.settings, lines.append)

    assert lines[0] == f"FACTORY_{name.upper()} changed: `factory down`, then `factory up` takes that over"
    assert (again.flower_url, again.api_url) == (running.flower_url, running.api_url)


@pytest.mark.parametrize("name", ["valkey", "seaweedfs", "housekeeping"])
def test_what_is_killed_comes_back(name: str, running: Stack):
    pid = _pids(running)[name]
    assert pid

    def is_back() -> bool:
        now = {one.name: one for one in stack.status(running.settings)}[name]
        return now.state == State.RUNNING and now.pid != pid

    os.kill(pid, signal.SIGKILL)

    wait_until(is_back, DEADLINE_SECONDS, what=f"a new {name}")


def test_what_outlives_its_supervisor_is_replaced_and_no_object_is_lost(bare: Settings, running: Stack):
    location = Storage(running.settings).put("kept", b"of before", "text/plain")
    supervisor = Supervisor(Home.of(bare)).pid
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(supervisor), DEADLINE_SECONDS, what="the supervisor's end")
    assert {one.state for one in stack.status(bare)} == {State.LEFT_OVER}
    lines: list[str] = []

    again = stack.up(bare, lines.append)

    assert lines[0].startswith("stopping what an earlier run left over: ")
    assert set(_pids(again).values()).isdisjoint(_pids(running).values())
    assert len(_all(again)) == len(running.processes) + 1
    assert Storage(again.settings).get(location) == b"of before"


def test_everything_killed_at_once_starts_again_where_it_was(bare: Settings, running: Stack):
    for one in _all(running):
        one.process.kill()
    lines: list[str] = []

    again = stack.up(bare, lines.append)

    assert {one.state for one in again.processes} == {State.RUNNING}
    # Unless another stack of this machine was faster.
    assert again.settings == running.settings or any("is held by" in line for line in lines)


def test_new_secrets_leave_data_ports_and_own_lines_as_they_are(bare: Settings, running: Stack):
    location = Storage(running.settings).put("older", b"than the keys", "text/plain")
    env_file = bare.home / "factory.env"
    with env_file.open("a") as file:
        file.write("FACTORY_BATCH_SIZE=31\n")
    before = read(env_file)
    lines: list[str] = []

    again = stack.up(bare, lines.append, new_secrets=True)

    after = read(env_file)
    assert before
    assert after
    assert after.ports == before.ports
    assert not {"broker_url", "s3_access_key", "s3_secret_key"} & {
        name for name in Settings.model_fields if getattr(again.settings, name) == getattr(running.settings, name)
    }
    assert "FACTORY_BATCH_SIZE=31" in env_file.read_text().splitlines()
    assert f"new secrets for valkey and seaweedfs; ports and your own lines in {env_file} stay" in lines
    assert Storage(again.settings).get(location) == b"than the keys"
    with pytest.raises(SettingsError, match="InvalidAccessKeyId"):
        Storage(running.settings).get(location)


def test_a_port_that_a_person_changed_is_taken_over_without_a_word_of_others(bare: Settings, running: Stack):
    env_file = bare.home / "factory.env"
    wanted, lines = free_port(), list[str]()
    stack.down(running.settings, print)
    with env_file.open("a") as file:
        file.write(f"FACTORY_FLOWER_PORT={wanted}\n")

    again = stack.up(bare.model_copy(update={"flower_port": wanted}), lines.append)

    env_file.write_text(env_file.read_text().replace(f"FACTORY_FLOWER_PORT={wanted}\n", ""))
    assert again.settings.flower_port == wanted
    assert not [line for line in lines if "flower takes" in line]


def test_two_homes_live_side_by_side(running: Stack, tmp_path: Path):
    lines: list[str] = []
    other = stack.up(Settings(home=tmp_path / "other"), lines.append)
    try:
        Storage(other.settings).put("theirs", b"theirs", "text/plain")
        found = list(Storage(running.settings).list("theirs"))
    finally:
        stack.down(other.settings, lines.append)

    assert found == []
    assert any(line.startswith("port ") and " is held by " in line for line in lines)
    assert _all(other) == []
    assert {one.name: one.pid for one in stack.status(running.settings)} == _pids(running)


def test_housekeeping_holds_no_torch(running: Stack):
    maps = psutil.Process(_pids(running)["housekeeping"]).memory_maps()

    assert not [one.path for one in maps if "libtorch" in one.path]


def test_nothing_listens_beyond_this_machine(running: Stack):
    addresses = {
        connection.laddr.ip
        for one in _all(running)
        for connection in one.process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


def test_no_secret_is_reported_logged_or_on_a_command_line(running: Stack, said: list[str]):
    home = running.settings.home
    secrets = read(home / "factory.env")
    assert secrets
    assert secrets.broker
    assert secrets.store
    logs = [path.read_text(errors="replace") for path in (home / "logs").iterdir()]
    commands = [" ".join(one.process.cmdline()) for one in _all(running)]

    everything = "\n".join([*said, *logs, *commands])

    assert secrets.broker.password not in everything
    assert secrets.store.secret_key not in everything


def test_a_home_that_was_moved_while_it_ran_is_told_and_mended_by_down_and_up(running: Stack, tmp_path: Path):
    settings = running.settings
    location = Storage(settings).put("moved", b"with the home", "text/plain")
    wait_until(lambda: workers.ping(settings).level == Level.OK, DEADLINE_SECONDS, what="an answer of the workers")
    home, there = settings.home, tmp_path / "moved"
    home.rename(there)
    moved, lines = Settings(home=there), list[str]()
    try:
        found = {finding.name: finding for finding in doctor.check(moved)}
        stack.up(moved, lines.append)
        stack.down(moved, print)
        again = stack.up(moved, print)
        kept = Storage(again.settings).get(location)
        stack.down(moved, print)
    finally:
        # What was still starting may have made an empty ledger at the old place.
        shutil.rmtree(home, ignore_errors=True)
        there.rename(home)

    words = f"moved from {home} while its stack ran, and what ends does not start again"
    assert (found["home"].level, found["home"].found) == (Level.FAIL, words)
    assert found["home"].mend == "`factory down`, then `factory up`"
    assert [name for name, one in found.items() if one.level == Level.FAIL] == ["home"]
    assert f"{there} was {words}: `factory down`, then `factory up`" in lines
    assert kept == b"with the home"


def test_down_leaves_no_process_and_twice_is_no_error(bare: Settings, running: Stack):
    pids = [one.pid for one in _all(running)]
    lines: list[str] = []

    stack.down(bare, lines.append)
    stack.down(bare, lines.append)

    assert [pid for pid in pids if processes.is_running(pid)] == []
    assert lines[-2:] == [f"the stack in {bare.home} is down", f"nothing runs in {bare.home}"]
    assert {one.state for one in stack.status(bare)} == {State.STOPPED}
    assert list((bare.home / "run").glob("supervisor.*")) == []
    record = read(bare.home / "factory.env")
    assert record
    assert [port for port in record.all_ports if list(Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"))] == []
