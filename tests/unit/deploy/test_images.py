"""Images and the Compose file, read by the tools that read them elsewhere; nothing of it is started here."""

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from core.broker import queue_names
from core.settings import Settings
from deploy.programs import WORKERS
from producer.cli import run

DEPLOY = Path(__file__).parents[3] / "deploy"
TOOLS = Path(sys.executable).parent
IMAGES = sorted((DEPLOY / "images").glob("*.Dockerfile"))
NAMES = [line.partition("=")[0] for line in (DEPLOY / "compose.env").read_text().splitlines() if "=" in line[:40]]
SECRETS = {name: f"{name.lower().replace('_', '')}0123" for name in NAMES if not name.startswith("#")}
# Images of others, which know nothing of ours.
FOREIGN = {"postgres", "valkey", "s3", "prometheus", "grafana"}


def compose(env_file: Path) -> subprocess.CompletedProcess[str]:
    command = [TOOLS / "docker-compose", "-f", DEPLOY / "compose.yaml", "--env-file", env_file, "--profile", "gpu"]
    return subprocess.run(
        [*map(str, command), "config", "--format", "json"], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The file of passwords, filled in."""
    (tmp_path / "filled.env").write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    return tmp_path / "filled.env"


@pytest.fixture
def services(filled: Path) -> dict[str, Any]:
    ended = compose(filled)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout)["services"])


@cache
def seconds_of(text: str) -> int:
    """Return the seconds of a duration as Compose writes it: 11m0s."""
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text).groups()
    return 60 * int(minutes or 0) + int(seconds or 0)


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_a_reader_of_dockerfiles_has_nothing_to_say(image: Path):
    ended = subprocess.run([TOOLS / "hadolint", image], capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_runs_as_nobody_in_particular_and_every_library_is_pinned(image: Path):
    text = image.read_text()
    lines = text.replace("\\\n", " ").splitlines()
    installs = [part for line in lines if line.startswith("RUN") for part in line.split("&&") if "pip install" in part]

    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert len(installs) >= 3
    assert [one for one in installs if "-c constraints.txt" not in one] == []
    assert "HEALTHCHECK" in text


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_a_process_compiles_no_library_when_it_starts(image: Path):
    _, built, run_from = image.read_text().split("\nFROM ")
    said, _, installs = built.partition("RUN ")

    assert "ENV UV_COMPILE_BYTECODE=1" in said
    # pip compiles as well, but only what uv installs reaches the image.
    assert installs.count("uv pip install") >= 3
    assert "pip install" not in run_from


def test_only_what_an_image_needs_is_sent_to_its_build():
    lines = (DEPLOY.parent / ".dockerignore").read_text().splitlines()

    kept = {line[1:] for line in lines if line.startswith("!")}

    assert lines[1] == "*"
    assert kept == {
        *("schemas", "core", "producer", "workers", "deploy"),
        *("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE"),
    }


@pytest.mark.parametrize("name", SECRETS)
def test_while_a_password_is_missing_nothing_starts_and_the_way_out_is_said(name: str, filled: Path):
    filled.write_text(filled.read_text().replace(f"{name}={SECRETS[name]}", f"{name}="))

    ended = compose(filled)

    assert ended.returncode != 0
    assert f"{name} is missing a value: copy deploy/compose.env to deploy/.env and fill it in" in ended.stderr


def test_no_password_is_there_from_the_start():
    lines = (DEPLOY / "compose.env").read_text().splitlines()

    assert [line for line in lines if not line.startswith("#") and not line.endswith("=")] == []
    assert len(SECRETS) == 7


def test_no_command_and_no_check_holds_a_password(services: dict[str, Any]):
    for name, service in services.items():
        said = json.dumps([service.get("command"), service.get("healthcheck"), service.get("labels")])
        assert [secret for secret in SECRETS.values() if secret in said] == [], name


def test_only_this_machine_reaches_what_is_published(services: dict[str, Any]):
    ports = [(name, port) for name, service in services.items() for port in service.get("ports", [])]

    assert {name for name, _ in ports} == {"api", "flower", "prometheus", "grafana"}
    assert {port["host_ip"] for _, port in ports} == {"127.0.0.1"}


def test_servers_and_workers_are_in_a_network_that_leads_nowhere(services: dict[str, Any], filled: Path):
    networks = json.loads(compose(filled).stdout)["networks"]
    outside = {name for name, service in services.items() if "outside" in service["networks"]}

    assert networks["inside"]["internal"] is True
    # What is published, and what tells webhooks.
    assert outside == {"api", "flower", "prometheus", "grafana", "deliver"}


def test_our_processes_can_write_and_become_nothing(services: dict[str, Any]):
    for name in services.keys() - FOREIGN:
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name


def test_every_process_of_the_stack_has_a_container(services: dict[str, Any]):
    assert set(WORKERS) - {"generate"} <= services.keys()
    assert {"worker", "worker-gpu"} <= services.keys()


def test_every_queue_is_served(services: dict[str, Any]):
    served = {f"generate.{kind}" for kind in _option(services["worker"], "--kinds").split(",")}
    served |= {name for name in ("feedback", "train") if f"--{name}" in services[name]["command"]}
    served.add(services["housekeeping"]["command"][services["housekeeping"]["command"].index("-Q") + 1])

    assert served == set(queue_names())


def _option(service: dict[str, Any], name: str) -> str:
    return next(one.partition("=")[2] for one in service["command"] if one.startswith(f"{name}="))


def test_a_worker_has_longer_than_its_longest_batch(services: dict[str, Any]):
    longest = Settings.model_fields["batch_limit_seconds"].default

    assert min(seconds_of(services[name]["stop_grace_period"]) for name in ("worker", "worker-gpu")) > longest


def test_every_command_of_the_factory_is_one(services: dict[str, Any], capsys: pytest.CaptureFixture[str]):
    commands = {name: one["command"] for name, one in services.items() if (one.get("command") or [""])[0] == "factory"}

    codes = {name: run([*command[1:], "--help"]) for name, command in commands.items()}

    assert "Usage" in capsys.readouterr().out
    assert codes.keys() >= {"api", "worker", "worker-gpu", "feedback", "train", "scheduler", "deliver"}
    assert set(codes.values()) == {0}


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_has_what_traces_need(image: Path):
    assert "--extra traces" in image.read_text()


def test_traces_go_where_the_file_of_passwords_says_and_nowhere_by_default(services: dict[str, Any], filled: Path):
    ours = services.keys() - FOREIGN - {"bucket"}
    with filled.open("a") as file:
        file.write("FACTORY_TRACES_ENDPOINT=http://collector:4318\n")

    told = json.loads(compose(filled).stdout)["services"]

    assert {services[name]["environment"]["FACTORY_TRACES_ENDPOINT"] for name in ours} == {""}
    assert {told[name]["environment"]["FACTORY_TRACES_ENDPOINT"] for name in ours} == {"http://collector:4318"}


def test_referees_judge_who_are_named_in_the_file_of_passwords(services: dict[str, Any], filled: Path):
    with filled.open("a") as file:
        file.write("FACTORY_REFEREES=ada, acme/bo\n")

    told = json.loads(compose(filled).stdout)["services"]

    assert {services[name]["environment"]["FACTORY_REFEREES"] for name in ("train", "housekeeping")} == {""}
    assert {told[name]["environment"]["FACTORY_REFEREES"] for name in ("train", "housekeeping")} == {"ada, acme/bo"}


def test_prometheus_asks_containers_that_are_there_at_their_ports(services: dict[str, Any]):
    read = YAML(typ="safe").load((DEPLOY / "monitoring" / "prometheus.yml").read_text())
    jobs = {one["job_name"]: one for one in read["scrape_configs"]}
    asked = jobs["factory-processes"]["dns_sd_configs"][0]

    assert jobs["factory"]["static_configs"] == [{"targets": ["api:5580"]}]
    assert set(asked["names"]) <= services.keys()
    assert {services[name]["environment"]["FACTORY_METRICS_PORT"] for name in asked["names"]} == {str(asked["port"])}
    assert services["api"]["environment"]["FACTORY_API_HOSTS"].split(",")[0] == "api"


def test_every_setting_of_a_container_is_one(services: dict[str, Any]):
    known = {f"FACTORY_{name.upper()}" for name in Settings.model_fields}
    images = {word for path in IMAGES for word in re.findall(r"FACTORY_[A-Z_]+", path.read_text())}
    given = {name for one in services.values() for name in one.get("environment", {}) if name.startswith("FACTORY_")}

    assert (given | images) - known - {"FACTORY_BATCH_LIMIT_SECONDS"} == set()


def test_valkey_gets_its_password_where_no_list_of_processes_shows_it(services: dict[str, Any]):
    script = services["valkey"]["command"][2]

    assert shlex.split(script.splitlines()[0]) == ["exec", "docker-entrypoint.sh", "valkey-server", "-", "<<END"]
    assert "requirepass $$VALKEY_PASSWORD" in script


def test_postgres_is_asked_where_the_server_of_its_first_minute_does_not_answer(services: dict[str, Any]):
    assert "-h 127.0.0.1" in services["postgres"]["healthcheck"]["test"][1]


def test_empty_volumes_of_the_store_take_no_room(services: dict[str, Any]):
    assert "-master.volumePreallocate=false" in services["s3"]["command"]
