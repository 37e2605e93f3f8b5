"""The seed lines: briefs with the lines a careful copywriter wrote for them, read from seeds/*.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from schemas.campaigns import Audience, Brand, Product
from schemas.channels import channels
from schemas.jobs import Brief
from schemas.styles import Style
from workers.models.tuning.trees import Line

SEEDS = Path(__file__).parent / "seeds"


@dataclass(frozen=True)
class SeedBrief:
    """All lines of one product and audience, and the family of trades that it belongs to."""

    family: str
    lines: tuple[Line, ...]


def seed_briefs(folder: Path = SEEDS) -> list[SeedBrief]:
    """Return all briefs, in the order of the files; lines over the limit of their channel are left out."""
    yaml = YAML(typ="safe", pure=True)
    found = []
    for path in sorted(folder.glob("*.yaml")):
        family = path.stem.partition("-")[0]
        found += [_seed_brief(family, entry) for entry in yaml.load(path.read_text(encoding="utf-8"))]
    return found


def train_and_held_out(briefs: list[SeedBrief]) -> tuple[list[SeedBrief], list[SeedBrief]]:
    """Split: the last brief of each family is never trained on."""
    last = {brief.family: index for index, brief in enumerate(briefs)}
    held_out = set(last.values())
    train = [brief for index, brief in enumerate(briefs) if index not in held_out]
    return train, [briefs[index] for index in sorted(held_out)]


def _seed_brief(family: str, entry: dict[str, Any]) -> SeedBrief:
    brand = Brand(name=entry["brand"], voice=entry["voice"])
    product = Product(
        sku="seed",
        name=entry["product"],
        description=entry["about"],
        price=entry["price"],
        offer=entry["offer"],
    )
    audience = Audience(id="seed", description=entry["audience"])
    lines = tuple(
        Line(Brief(brand=brand, product=product, audience=audience, channel=channel, style=style), text)
        for channel, style, text in _texts(entry["lines"])
    )
    return SeedBrief(family=family, lines=lines)


def _texts(lines: dict[str, dict[str, str]]) -> Iterator[tuple[str, Style, str]]:
    for channel, texts in lines.items():
        for style, text in texts.items():
            if len(text) <= channels()[channel].max_characters:
                yield channel, Style(style), text
