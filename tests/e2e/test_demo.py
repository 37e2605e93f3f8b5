"""The demo with a tiny model: from nothing to lines in a folder, and everything stopped again."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from producer.campaigns import read
from producer.demo import write_campaign

FACTORY = str(Path(sys.executable).with_name("factory"))
SECONDS = 280


@pytest.fixture
def demo_settings(tmp_path: Path, line_model: Path) -> Settings:
    """Settings of a stack of its own, with the tiny model."""
    return Settings(home=tmp_path / "home", copy_model=str(line_model), copy_adapter="", threads=1)


@pytest.fixture
def environment(demo_settings: Settings) -> Iterator[dict[str, str]]:
    """The environment of the demo; whatever it left running is stopped at the end."""
    given = {"FACTORY_HOME", "FACTORY_COPY_MODEL", "FACTORY_COPY_ADAPTER", "FACTORY_THREADS"}
    values = demo_settings.environment()
    chosen = {key: value for key, value in values.items() if key in given or not key.startswith("FACTORY_")}
    yield chosen | {"OMP_NUM_THREADS": "1"}
    subprocess.run([FACTORY, "down"], env=chosen, capture_output=True, timeout=SECONDS, check=True)


def test_the_demo_makes_lines_shows_them_and_stops_what_it_started(
    environment: dict[str, str], demo_settings: Settings, tmp_path: Path
):
    shown = subprocess.run(
        [FACTORY, "demo"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert shown.returncode == 0, shown.stdout + shown.stderr
    made = re.search(r"^made +(\d+) lines?, ", shown.stdout, flags=re.MULTILINE)
    folder = re.search(r"^lines +(.+)$", shown.stdout, flags=re.MULTILINE)
    assert made
    assert folder
    assert len(list(Path(folder[1]).glob("*/*.txt"))) == int(made[1]) > 0
    assert re.search(r"^checked .* sound$", shown.stdout, flags=re.MULTILINE)
    assert "is down" in shown.stdout
    assert (demo_settings.home / "demo" / "campaign.yaml").is_file()


def test_each_demo_asks_for_new_lines(tmp_path: Path):
    settings = Settings(home=tmp_path / "home")
    ledger = Ledger(settings)
    ids = []
    for _ in range(3):
        source = read(write_campaign(settings, ledger))
        ledger.campaigns.submit(source.id, source.campaign, [])
        ids.append(source.id)
    ledger.close()

    assert len(set(ids)) == 3
