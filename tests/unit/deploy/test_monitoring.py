"""Alerts come when they should, and neither they nor the dashboard ask for a metric that nobody shows."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from core.ledger.figures import Backlog, Made, Opinions, Snapshot
from core.ledger.leases import Settled
from core.ledger.promotions import Serving
from core.settings import Settings
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.programs import programs
from producer.api.figures import render
from schemas.campaigns import Kind
from schemas.jobs import JobState
from workers import measures

FOLDER = Path(__file__).parents[3] / "deploy" / "monitoring"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "factory.json"
# What Prometheus adds to whatever it asks.
OF_PROMETHEUS = {"up"}
NOT_METRICS = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring) *\([^)]*\)')
WORDS = {
    "and",
    "or",
    "unless",
    "sum",
    "max",
    "count",
    "rate",
    "increase",
    "delta",
    "absent",
    "histogram_quantile",
    "time",
}
FACTS = Snapshot(
    jobs={(Kind.COPY, JobState.LEASED): 1},
    claimable={Kind.COPY: Backlog(1, 1.0)},
    dead_letters={(Kind.COPY, "rejected"): 1},
    made={(Kind.COPY, "starter"): Made(1, 1.0)},
    spent_device_seconds=1.0,
    opinions={Kind.COPY: Opinions(1, 1, 0)},
    open_trainings={},
    canaries=(Serving(Kind.COPY, "starter", challenger="copy-20261126-00000001"),),
    outbox=Backlog(),
    inbox=Backlog(),
    late_schedules=Backlog(),
    due_runs=Backlog(),
    at=1.0,
)


@cache
def shown() -> dict[str, set[str]]:
    """Return every metric that the API or a worker shows, with the names of its labels."""
    measures.count_batch("copy/starter/short", 1, 2, Settled(done=("a",)))
    measures.count_round("copy/starter/short", [0.1])
    measures.count_uploads("copy/starter/short", 1, 0.1)
    measures.count_halving("copy/starter/short")
    measures.note_sweep()
    pages = [render(FACTS, Settings(home=Path("nowhere"), device_hour_price=1.0)), generate_latest(measures.REGISTRY)]
    process = CollectorRegistry()
    ProcessCollector(registry=process)
    pages.append(generate_latest(process))
    found: dict[str, set[str]] = {}
    for page in pages:
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked(expression: str) -> set[str]:
    """Return the metrics of an expression."""
    return set(re.findall(r"[a-z_][a-z_:]*[a-z]", NOT_METRICS.sub(" ", expression))) - WORDS


def expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def rules() -> list[dict[str, Any]]:
    read = YAML(typ="safe").load((FOLDER / "alerts.yml").read_text())
    return [rule for group in read["groups"] for rule in group["rules"]]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / "promtool"
    program = str(beside) if beside.exists() else shutil.which("promtool")
    assert program, "promtool is missing: `make test` unpacks it from Debian's package prometheus"
    return subprocess.run([program, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("expression", [*expressions(), *(str(rule["expr"]) for rule in rules())])
def test_what_is_asked_for_is_shown(expression: str):
    names = asked(expression)

    assert names
    assert names - shown().keys() - OF_PROMETHEUS == set()


@pytest.mark.parametrize("expression", [*expressions(), *(str(rule["expr"]) for rule in rules())])
def test_labels_that_are_asked_for_are_there(expression: str):
    labels = set(re.findall(r"(\w+)(?:=|!=|=~)\"", expression))
    labels |= {one.strip() for found in re.findall(r"(?:by|on) *\(([^)]*)\)", expression) for one in found.split(",")}
    # Those that Prometheus or its configuration adds.
    labels -= {"job", "instance", "process", "le"}

    known = set().union(*(shown().get(name, set()) for name in asked(expression)))

    assert labels - known == set()


def test_the_alerts_come_when_they_should_and_not_before():
    ended = promtool("test", "rules", "alerts_test.yml")

    assert (ended.returncode, "SUCCESS" in ended.stdout) == (0, True), ended.stdout + ended.stderr


def test_every_alert_is_tried():
    tried = (FOLDER / "alerts_test.yml").read_text()

    assert [rule["alert"] for rule in rules() if rule["alert"] not in tried] == []


@pytest.mark.parametrize("options", [("--syntax-only", "prometheus.yml"), ("prometheus-one-machine.yml",)])
def test_the_configuration_of_prometheus_is_one(options: tuple[str, ...]):
    ended = promtool("check", "config", *options)

    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("name", "options"), [("prometheus.yml", ["--syntax-only"]), ("prometheus-one-machine.yml", [])]
)
def test_what_is_commented_out_is_configuration_too(name: str, options: list[str], tmp_path: Path):
    text = (FOLDER / name).read_text()
    lines = ("alerting: ", "authorization: ", "- {targets: ")
    for line in lines:
        text = text.replace(f"# {line}", line)
    (tmp_path / name).write_text(text)
    (tmp_path / "metrics_key").touch()
    shutil.copy(FOLDER / "alerts.yml", tmp_path)

    ended = promtool("check", "config", *options, str(tmp_path / name))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    read = YAML(typ="safe").load(text)
    assert read["alerting"]["alertmanagers"]
    assert all("authorization" in one for one in read["scrape_configs"] if one["job_name"] == "factory")


def test_the_key_of_prometheus_is_not_committed_by_mistake():
    text = (FOLDER / "prometheus-one-machine.yml").read_text()
    ignored = (FOLDER.parents[1] / ".gitignore").read_text().splitlines()

    assert "credentials_file: metrics_key" in text
    assert "metrics_key" in ignored


def test_on_one_machine_every_process_is_asked_at_its_port(tmp_path: Path):
    text = (FOLDER / "prometheus-one-machine.yml").read_text()
    jobs = {one["job_name"]: one["static_configs"] for one in YAML(typ="safe").load(text)["scrape_configs"]}
    settings = Settings(home=tmp_path, metrics_port=9400, generate_processes=2, device="cpu")
    started = programs(Home.of(settings), Embedded.choose(settings, None), settings)

    ports = {one.name: dict(one.environment).get("FACTORY_METRICS_PORT") for one in started}
    asked_at = {one["labels"]["process"]: one["targets"] for one in jobs["factory-processes"]}

    second = "generate-2"
    assert {name: [f"127.0.0.1:{port}"] for name, port in ports.items() if port and name != second} == asked_at
    assert f'# - {{targets: ["127.0.0.1:{ports[second]}"], labels: {{process: {second}}}}}' in text
    assert jobs["factory"] == [{"targets": [f"127.0.0.1:{settings.api_port}"]}]


def test_prometheus_reads_the_expressions_of_the_dashboard(tmp_path: Path):
    wrapped = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    (tmp_path / "panels.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": wrapped}]}))

    ended = promtool("check", "rules", str(tmp_path / "panels.json"))

    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_says_what_is_wrong_how_bad_it_is_and_where_to_look():
    manual = (FOLDER.parents[1] / "docs" / "operations.md").read_text()

    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= rule["annotations"].keys()
        assert f"`{rule['alert']}`" in manual


def test_the_panels_of_the_dashboard_do_not_overlap():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)
