"""The loop with a tiny model: simulated people rate, it learns, serves and is taken back; or it is said why not."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.tiny_writer import CHANNEL, LINES, build_writer
from core.ledger import Ledger
from core.ledger.promotions import Action
from core.settings import Settings
from schemas.buckets import model_name
from schemas.campaigns import Kind
from schemas.learning import curriculum
from schemas.versions import SHIPPED, version_of

FACTORY = str(Path(sys.executable).with_name("factory"))
SECONDS = 570
# By their skus five of them are held out.
PRODUCTS = 16


@pytest.fixture
def loop_settings(tmp_path: Path) -> Settings:
    """Settings of a stack of its own, with a tiny model; its canary hears too few ratings and is decided by hand."""
    return Settings(
        home=tmp_path / "home",
        copy_model=str(build_writer(tmp_path / "writer")),
        copy_adapter="",
        threads=1,
        canary_least_ratings=1000,
    )


@pytest.fixture
def environment(loop_settings: Settings) -> Iterator[dict[str, str]]:
    """The environment of the demo; whatever it left running is stopped at the end."""
    given = {f"FACTORY_{name.upper()}" for name in loop_settings.model_fields_set}
    values = loop_settings.environment()
    chosen = {key: value for key, value in values.items() if key in given or not key.startswith("FACTORY_")}
    yield chosen | {"OMP_NUM_THREADS": "1"}
    subprocess.run([FACTORY, "down"], env=chosen, capture_output=True, timeout=SECONDS, check=True)


@pytest.fixture
def campaign_file(tmp_path: Path) -> Path:
    """A campaign whose products allow every line that the tiny model writes."""
    products = [
        {"sku": f"NB-{number:03d}", "name": f"Blend {number}", "description": ". ".join(LINES)}
        for number in range(PRODUCTS)
    ]
    path = tmp_path / "campaign.json"
    campaign = {
        "name": "tiny",
        "brand": {"name": "Northbeam"},
        "products": products,
        "audiences": [{"id": "commuters", "description": "people who need coffee before eight"}],
        "deliverables": [{"kind": "copy", "channel": CHANNEL, "variants": 6}],
    }
    path.write_text(json.dumps(campaign), encoding="utf-8")
    return path


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """Rules by which a tiny model learns in seconds, from a few lines, and passes when it is better at all."""
    rules = curriculum()
    needs = {"opinions": 20, "pairs": 10, "held_out_pairs": 3, "held_out_products": 2}
    recipe = {"learning_rate": 5e-3, "epochs": 6, "imitation": 1.0}
    gate = {"error": 0.45, "resamples": 1000, "most_briefs": 6, "neutral_loss": 5.0, "slowdown": 100.0}
    gate |= {"pass_rate_loss": 1.0, "distinct_loss": 1.0}
    changed = rules.model_dump(mode="json")
    changed["needs"] |= needs
    changed["recipes"]["copy"] |= recipe
    changed["gate"] |= gate
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps(changed), encoding="utf-8")
    return path


def run(environment: dict[str, str], campaign: Path) -> "subprocess.CompletedProcess[str]":
    command = [FACTORY, "demo-loop", str(campaign)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest.mark.timeout(2 * SECONDS)
def test_the_loop_goes_from_ratings_to_a_version_that_serves_and_back(
    environment: dict[str, str], loop_settings: Settings, campaign_file: Path, rules_file: Path
):
    shown = run(environment | {"FACTORY_CURRICULUM": str(rules_file)}, campaign_file)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "PEOPLE ARE SIMULATED" in shown.stdout
    assert len(re.findall(r": \d+ assets, sound$", shown.stdout, flags=re.MULTILINE)) == 3
    assert re.search(r"^\d+ pairs? of the same brief and seed; .* \d+%$", shown.stdout, flags=re.MULTILINE)
    assert "is down" in shown.stdout
    model = model_name(loop_settings.copy_model, loop_settings.copy_adapter)
    ledger = Ledger(loop_settings)
    history = ledger.promotions.history(Kind.COPY, model)
    assert [one.action for one in history] == [Action.START_CANARY, Action.PROMOTE, Action.ROLLBACK]
    assert history[-1].champion == SHIPPED
    last = ledger.campaigns.newest_first(1)[0]
    made_by = {version_of(one.asset.model) for one in ledger.assets.of_campaign(last.id)}
    ledger.close()
    assert made_by == {history[1].champion}


@pytest.mark.timeout(2 * SECONDS)
def test_a_loop_that_heard_too_little_says_so_and_changes_nothing(
    environment: dict[str, str], loop_settings: Settings, campaign_file: Path
):
    shown = run(environment, campaign_file)

    assert shown.returncode == 1, shown.stdout + shown.stderr
    assert "nothing was promoted" in shown.stderr
    assert "of 200 assets with an opinion that counts" in shown.stderr
    assert "is down" in shown.stdout
    assert "sound" in shown.stdout
    ledger = Ledger(loop_settings)
    served = ledger.promotions.all()
    ledger.close()
    assert served == []
