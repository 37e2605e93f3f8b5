"""The demo with tiny models: from nothing to lines, pictures, advertisements and music on a page, all stopped."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from core.ledger import Ledger
from core.settings import Settings
from producer.campaigns import read
from producer.demo import write_campaign

from support.lines import build_line_model
from support.tiny_composer import write_composer
from support.tiny_pipelines import write_pipeline

FACTORY = str(Path(sys.executable).with_name("factory"))
SECONDS = 570
# A few of them fit each product of the example, so that most headlines are written and their advertisements follow.
LINES = (
    *("Dark Roast Whole Beans", "Whole Beans From Brazil", "Dark Roast, Cocoa and Smoke", "Ember Espresso, Dark Roast"),
    *("Light Roast From Ethiopia", "Light Roast, Peach and Tea", "Harbour Light Roast, Peach"),
    *("Medium Roast From Colombia", "Slow Tide Decaf, Medium Roast", "Decaffeinated With Water"),
    *("Coarse Ground Coffee", "Twelve Filter Bags, Cold Brew", "Coarse Ground, Filter Bags"),
    *("Hand Grinder, Steel Burrs", "Hand Grinder With Steel Burrs", "Steel Burrs and Forty Steps"),
    *("Travel Mug With Double Walls", "Travel Mug of Steel", "Mooring Travel Mug, Double Walls"),
)


@pytest.fixture
def demo_settings(tmp_path: Path) -> Settings:
    """Settings of a stack of its own, with tiny models and two processes that share the work.

    By itself it would start one: only the starters get several.
    """
    return Settings(
        home=tmp_path / "home",
        generate_processes=2,
        copy_model=str(build_line_model(tmp_path / "lines", LINES)),
        copy_adapter="",
        image_model=str(write_pipeline("bold", tmp_path)),
        image_steps=2,
        music_model=str(write_composer(tmp_path / "composer")),
        threads=1,
    )


@pytest.fixture
def environment(demo_settings: Settings) -> Iterator[dict[str, str]]:
    """The environment of the demo; whatever it left running is stopped at the end."""
    given = {f"FACTORY_{name.upper()}" for name in demo_settings.model_fields_set}
    values = demo_settings.environment()
    chosen = {key: value for key, value in values.items() if key in given or not key.startswith("FACTORY_")}
    yield chosen | {"OMP_NUM_THREADS": "1"}
    subprocess.run([FACTORY, "down"], env=chosen, capture_output=True, timeout=SECONDS, check=True)


@pytest.mark.timeout(2 * SECONDS)
def test_the_demo_makes_a_campaign_shows_it_and_stops_what_it_started(
    environment: dict[str, str], demo_settings: Settings, tmp_path: Path
):
    shown = subprocess.run(
        [FACTORY, "demo"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert shown.returncode == 0, shown.stdout + shown.stderr
    things = r"(\d+) lines?, (\d+) pictures?, (\d+) advertisements?, (\d+) music pieces?"
    made = re.search(rf"^made +{things}, ", shown.stdout, flags=re.MULTILINE)
    folder = re.search(r"^files +(.+)$", shown.stdout, flags=re.MULTILINE)
    page = re.search(r"^look at +(.+)$", shown.stdout, flags=re.MULTILINE)
    assert made, shown.stdout
    assert folder
    assert page
    kinds = ("*/*.txt", "images/*/*.png", "creatives/*/*.jpg", "music/*/*.wav")
    files = dict(zip(kinds, map(int, made.groups()), strict=True))
    assert {pattern: len(list(Path(folder[1]).glob(pattern))) for pattern in files} == files
    assert min(files.values()) > 0
    assert pictures_of(Path(page[1])) == sum(files.values()) - files["*/*.txt"]
    assert re.search(r"^checked .* sound$", shown.stdout, flags=re.MULTILINE)
    assert re.search(
        r"^review +http://127\.0\.0\.1:\d+/campaigns/spring-roast-[0-9a-f]{8}/gallery$", shown.stdout, re.MULTILINE
    )
    assert "generate, generate-2, feedback" in shown.stdout
    assert "is down" in shown.stdout
    assert (demo_settings.home / "demo" / "campaign.yaml").is_file()


def pictures_of(page: Path) -> int:
    """Return how many pictures a page shows; each is there, can be opened, and has the size that the page says."""
    shown = re.findall(r'<img src="([^"]+)"[^>]* width="(\d+)" height="(\d+)"', page.read_text(encoding="utf-8"))
    for source, width, height in shown:
        with Image.open(page.parent / source) as picture:
            assert picture.size == (int(width), int(height))
    return len(shown)


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
