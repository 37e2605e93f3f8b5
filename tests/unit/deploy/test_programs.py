import configparser
from pathlib import Path

import pytest
from pydantic import SecretStr
from supervisor.options import ServerOptions

from core.settings import Settings
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.programs import SERVERS, WORKERS, place_of, programs, supervisor_config, workers


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "a home")


@pytest.fixture
def home(settings: Settings) -> Home:
    return Home.of(settings)


@pytest.fixture
def embedded(settings: Settings) -> Embedded:
    return Embedded.choose(settings, None)


def _parsed(home: Home, embedded: Embedded, settings: Settings) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read_string(supervisor_config(home, programs(home, embedded, settings)))
    return parser


def test_servers_start_first_and_stop_last(home: Home, embedded: Embedded, settings: Settings):
    parsed = _parsed(home, embedded, settings)

    places = {name: parsed.getint(f"program:{name}", "priority") for name in (*SERVERS, *WORKERS)}

    assert sorted(places, key=lambda name: places[name]) == [*SERVERS, *WORKERS]


def test_everything_comes_back_when_it_dies_but_nothing_starts_too_early(
    home: Home, embedded: Embedded, settings: Settings
):
    parsed = _parsed(home, embedded, settings)

    rules = {
        (parsed[section]["autostart"], parsed[section]["autorestart"])
        for section in parsed.sections()
        if section.startswith("program:")
    }

    assert rules == {("false", "true")}


def test_a_worker_may_finish_its_batch(home: Home, embedded: Embedded, settings: Settings):
    generate = _parsed(home, embedded, settings)["program:generate"]

    assert (generate["stopsignal"], generate["stopwaitsecs"], generate["stopasgroup"]) == ("TERM", "120", "false")


def test_a_worker_is_named_and_bound_to_its_queue(home: Home, embedded: Embedded, settings: Settings):
    commands = {program.name: " ".join(program.command) for program in programs(home, embedded, settings)}

    assert (
        "-n generate@%h -Q generate.copy,generate.image,generate.creative,generate.music --pool" in commands["generate"]
    )
    assert "-n housekeeping@%h -Q housekeeping --pool=solo" in commands["housekeeping"]
    # The other queues are no place for what is acknowledged last.
    assert "-n feedback@%h -Q feedback --pool=threads -c 3" in commands["feedback"]


def test_several_that_generate_start_one_after_the_other_under_names_of_their_own(
    home: Home, embedded: Embedded, settings: Settings
):
    several = settings.model_copy(update={"generate_processes": 11, "device": "cpu", "threads": 3})

    made = {program.name: program for program in programs(home, embedded, several)}
    names = ["generate", *(f"generate-{number}" for number in range(2, 12))]
    nodes = [made[name].command[made[name].command.index("-n") + 1] for name in names]

    assert list(made) == [*SERVERS, *names, *WORKERS[1:]]
    assert nodes == [f"{name}@%h" for name in names]
    assert {made[name].environment for name in names} == {(("FACTORY_THREADS", "3"),)}
    assert {made[name].command[-5:] for name in names} == {made["generate"].command[-5:]}


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, ["0", "1", "2"]), ("2,0", ["2", "0"]), ("GPU-8f1c,MIG-GPU-2a/1/0", ["GPU-8f1c", "MIG-GPU-2a/1/0"])],
)
def test_the_supervisor_shows_each_process_that_generates_a_card_of_its_own(
    visible: str | None,
    expected: list[str],
    home: Home,
    embedded: Embedded,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("nvidia0", "nvidia1", "nvidia2"):
        (tmp_path / name).touch()
    monkeypatch.setattr("deploy.generating.DEVICES", tmp_path)
    monkeypatch.setattr("deploy.generating._torch_version", lambda: "2.9.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    file = tmp_path / "supervisord.conf"
    by_cards = settings.model_copy(update={"generate_processes": 0})
    file.write_text(supervisor_config(home, programs(home, embedded, by_cards)))
    Path(home.run).mkdir(parents=True)
    home.logs.mkdir(parents=True)

    # As supervisord itself reads it.
    options = ServerOptions()
    options.realize(["-c", str(file)])
    read = {one.name: one.environment for group in options.process_group_configs for one in group.process_configs}

    seen = {name: values["CUDA_VISIBLE_DEVICES"] for name, values in read.items() if "CUDA_VISIBLE_DEVICES" in values}
    assert seen == {f"generate-{number}" if number > 1 else "generate": card for number, card in enumerate(expected, 1)}
    assert not any("FACTORY_DEVICE" in values for values in read.values())


def test_the_names_of_workers_are_those_of_the_programs(home: Home, embedded: Embedded, settings: Settings):
    several = settings.model_copy(update={"generate_processes": 3})

    named = [program.name for program in programs(home, embedded, several)]

    assert [*SERVERS, *workers(several)] == named
    assert sorted(set(named), key=place_of) == named


def test_what_an_older_stack_left_over_has_its_place_behind_all_others():
    assert sorted(["of-old", "train", "generate-10", "generate-9", "valkey", "generate"], key=place_of) == [
        *("valkey", "generate", "generate-9", "generate-10", "train", "of-old")
    ]


def test_flower_listens_on_this_machine_alone(home: Home, embedded: Embedded, settings: Settings):
    flower = _parsed(home, embedded, settings)["program:flower"]

    assert f"--address=127.0.0.1 --port={embedded.flower_port}" in flower["command"]
    assert flower["environment"] == 'FLOWER_UNAUTHENTICATED_API="true"'


def test_the_api_of_the_stack_listens_on_this_machine_alone(home: Home, embedded: Embedded, settings: Settings):
    open_to_all = settings.model_copy(update={"api_host": "0.0.0.0"})

    api = _parsed(home, embedded, open_to_all)["program:api"]

    assert api["command"].endswith(f"-m producer api --host=127.0.0.1 --port={embedded.api_port}")


def test_flower_lists_product_and_channel_of_every_job(home: Home, embedded: Embedded, settings: Settings):
    flower = _parsed(home, embedded, settings)["program:flower"]

    assert "--tasks_columns=name,args,state" in flower["command"]


def test_every_process_writes_its_own_log_and_the_supervisor_rotates_them(
    home: Home, embedded: Embedded, settings: Settings
):
    parsed = _parsed(home, embedded, settings)

    for name in (*SERVERS, *WORKERS):
        program = parsed[f"program:{name}"]
        assert f"launch.py '{home.logs / name}.log' " in program["command"]
        assert program["stdout_logfile"] == "NONE"
    rotation = parsed["rpcinterface:logs"]
    assert (rotation["folder"], rotation["megabytes"], rotation["files"]) == (str(home.logs), "10", "3")


def test_a_space_in_the_path_stays_inside_its_argument(home: Home, embedded: Embedded, settings: Settings):
    parsed = _parsed(home, embedded, settings)

    assert parsed["program:valkey"]["command"].endswith(f"'{home.run}/valkey.conf'")


def test_no_secret_is_in_the_configuration_or_in_a_command(home: Home, embedded: Embedded, settings: Settings):
    assert embedded.broker
    assert embedded.store

    text = supervisor_config(home, programs(home, embedded, settings))

    for secret in (embedded.broker.password, embedded.store.access_key, embedded.store.secret_key):
        assert secret not in text


def test_servers_named_elsewhere_are_not_started(home: Home, settings: Settings):
    elsewhere = settings.model_copy(
        update={"broker_url": SecretStr("redis://queue:6379/0"), "s3_endpoint": "https://s3.example.com"}
    )

    names = [program.name for program in programs(home, Embedded.choose(elsewhere, None), elsewhere)]

    assert names == list(WORKERS)


def test_processes_that_answer_probes_have_a_port_each(home: Home, embedded: Embedded, settings: Settings):
    watched = settings.model_copy(update={"metrics_port": 9400})

    ports = {
        program.name: dict(program.environment).get("FACTORY_METRICS_PORT")
        for program in programs(home, embedded, watched)
    }

    given = {name: port for name, port in ports.items() if port}
    assert given["generate"] == "9400"
    assert set(given) == {"generate", "feedback", "housekeeping", "deliver", "scheduler", "train"}
    assert len(set(given.values())) == len(given)


def test_further_processes_that_generate_take_the_ports_behind_the_six(
    home: Home, embedded: Embedded, settings: Settings
):
    def ports(processes: int) -> dict[str, str]:
        watched = settings.model_copy(update={"metrics_port": 9400, "generate_processes": processes})
        made = programs(home, embedded, watched)
        given = {program.name: dict(program.environment).get("FACTORY_METRICS_PORT") for program in made}
        return {name: port for name, port in given.items() if port}

    assert ports(3) == ports(1) | {"generate-2": "9406", "generate-3": "9407"}


def test_without_a_port_nobody_answers_probes(home: Home, embedded: Embedded, settings: Settings):
    text = supervisor_config(home, programs(home, embedded, settings))

    assert "FACTORY_METRICS_PORT" not in text
