"""The objects of Kubernetes: what its schemas say of them, and what the restricted profile and the factory want."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk import environment_variables
from opentelemetry.sdk.trace.sampling import _KNOWN_SAMPLERS
from ruamel.yaml import YAML

from core.broker import queue_names
from core.settings import Settings
from producer.cli import run
from schemas.campaigns import Kind

FOLDER = Path(__file__).parents[3] / "deploy" / "kubernetes"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
# The oldest that is still looked after, and the newest that the schemas know.
VERSIONS = ("1.34", "1.37")
GIVEN_BY_THE_SECRET = {
    *("FACTORY_LEDGER_URL", "FACTORY_BROKER_URL", "FACTORY_S3_ACCESS_KEY", "FACTORY_S3_SECRET_KEY"),
}


@cache
def objects() -> tuple[dict[str, Any], ...]:
    return tuple(one for path in FILES for one in YAML(typ="safe").load_all(path.read_text()) if one)


def of_kind(kind: str) -> dict[str, Any]:
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] == kind}


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield name, pod and container of each Deployment and Job."""
    for name, one in (of_kind("Deployment") | of_kind("Job")).items():
        pod = one["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        yield name, pod, container


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_of_kubernetes_have_nothing_to_say(version: str):
    command = [Path(sys.executable).parent / "kubernetes-validate", "--strict", "-k", version, *FILES]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    told = ended.stdout + ended.stderr
    assert ended.returncode == 0, told
    unknown = {line.split("for kind ")[1].split()[0] for line in told.splitlines() if "Couldn't find schema" in line}
    assert unknown == {"ScaledObject"}
    assert told.count(" passed for resource ") == len(objects()) - len(of_kind("ScaledObject"))


def test_kustomize_is_told_of_every_file_and_image():
    read = YAML(typ="safe").load((FOLDER / "kustomization.yaml").read_text())

    # That runs once an upgrade, before the others.
    assert sorted([*read["resources"], "migrate.yaml"]) == [path.name for path in FILES]
    assert {one["name"] for one in read["images"]} == {container["image"] for _, _, container in pods()}


def test_every_pod_is_what_the_restricted_profile_allows():
    for name, pod, container in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} == {"emptyDir"}, name
    assert of_kind("Namespace")["content-factory"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == (
        "restricted"
    )


def test_secrets_are_named_and_never_written():
    given = {name for _, _, container in pods() for name in (one["name"] for one in container.get("env", []))}
    given |= of_kind("ConfigMap")["factory-settings"]["data"].keys()

    assert of_kind("Secret") == {}
    assert given & GIVEN_BY_THE_SECRET == set()
    for _, _, container in pods():
        assert {"secretRef": {"name": "factory-secrets"}} in container["envFrom"]


def test_every_setting_is_one():
    # Those of traces are the library's own.
    known = {f"FACTORY_{name.upper()}" for name in Settings.model_fields} | set(vars(environment_variables))
    given = {one["name"] for _, _, container in pods() for one in container.get("env", [])}
    given |= of_kind("ConfigMap")["factory-settings"]["data"].keys()

    assert given - known == set()
    assert GIVEN_BY_THE_SECRET - known == set()


def test_traces_go_nowhere_until_somebody_names_a_collector_and_the_network_lets_them_out():
    settings = of_kind("ConfigMap")["factory-settings"]["data"]
    (egress,) = of_kind("NetworkPolicy")["factory-traces"]["spec"]["egress"]

    assert settings["FACTORY_TRACES_ENDPOINT"] == ""
    assert settings["OTEL_TRACES_SAMPLER"] in _KNOWN_SAMPLERS
    assert egress["ports"] == [{"protocol": "TCP", "port": 4318}]


def test_without_referees_that_somebody_names_everybody_judges():
    assert of_kind("ConfigMap")["factory-settings"]["data"]["FACTORY_REFEREES"] == ""


def test_every_queue_has_a_deployment_of_its_own():
    served: list[str] = []
    for _, _, container in pods():
        command = " ".join(container["command"])
        served += [f"generate.{kind}" for kind in re.findall(r"--kinds=(\w+)", command)]
        served += [name for name in ("feedback", "train") if f"--{name} " in command]
        served += re.findall(r"-Q (\w+)", command)

    assert sorted(served) == sorted(queue_names())


def test_a_worker_has_longer_than_its_longest_batch_and_is_asked_to_wait_first():
    longest = Settings.model_fields["batch_limit_seconds"].default
    workers = {name: (pod, container) for name, pod, container in pods() if name.startswith("worker-")}

    assert workers.keys() == {f"worker-{kind}" for kind in Kind}
    for pod, container in workers.values():
        waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        assert pod["terminationGracePeriodSeconds"] > longest + waits


def test_each_kind_is_scaled_by_its_work_and_slowly_down():
    scaled = of_kind("ScaledObject")

    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled.values()} == {f"worker-{kind}" for kind in Kind}
    for kind in Kind:
        spec = scaled[f"worker-{kind}"]["spec"]
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["query"] == f'max(factory_wanted_jobs{{kind="{kind}"}})'
        assert spec["cooldownPeriod"] >= 600
        # What scales says how many: a number here would fight with it.
        assert "replicas" not in of_kind("Deployment")[f"worker-{kind}"]["spec"]


def test_whoever_answers_probes_is_asked():
    for name, _, container in pods():
        if name in {"beat", "migrate"}:
            continue
        paths = {one: container[one].get("httpGet", {}).get("path") for one in ("startupProbe", "readinessProbe")}
        wanted = {"/health"} if name == "api" else {"/healthz", "/readyz"}
        assert set(paths.values()) == wanted, name
        assert container["livenessProbe"]["failureThreshold"] * container["livenessProbe"]["periodSeconds"] >= 60


def test_every_budget_and_policy_speaks_of_pods_that_are_there():
    components = set(of_kind("Deployment"))
    selectors = [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodDisruptionBudget").values()]
    selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of_kind("NetworkPolicy").values()]
    selectors += [one["spec"]["selector"] for one in of_kind("Service").values()]

    named = {one["app.kubernetes.io/component"] for one in selectors if "app.kubernetes.io/component" in one}

    assert {one["app.kubernetes.io/name"] for one in selectors} == {"content-factory"}
    assert named <= components
    assert of_kind("NetworkPolicy")["factory-deny"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_a_budget_never_forbids_to_take_the_only_pod():
    for name, budget in of_kind("PodDisruptionBudget").items():
        least = budget["spec"].get("minAvailable", 0)
        assert least == 0 or of_kind("Deployment")[name]["spec"]["replicas"] > least


def test_every_command_of_the_factory_is_one(capsys: pytest.CaptureFixture[str]):
    commands = [container["command"] for _, _, container in pods() if container["command"][0] == "factory"]

    codes = [run([*command[1:], "--help"]) for command in commands]

    assert "Usage" in capsys.readouterr().out
    assert len(codes) == len(list(pods())) - 2
    assert set(codes) == {0}


def test_the_manual_gives_the_migration_the_image_of_a_new_version():
    manual = (FOLDER.parents[1] / "docs" / "deployment.md").read_text()
    ((pattern, replaced),) = re.findall(r"sed 's\|([^|]+)\|([^|]+)\|' deploy/kubernetes/migrate.yaml", manual)

    read = YAML(typ="safe").load((FOLDER / "migrate.yaml").read_text().replace(pattern, replaced))

    (container,) = read["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "REGISTRY/producer:TAG"
    assert container["command"] == ["factory", "migrate"]
