"""The demo: the example campaign under a new seed each time, and the best lines of what came of it."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from core.errors import StateError
from core.ledger import Ledger
from core.settings import Settings
from producer.delivered import Delivery
from schemas.campaigns import Kind

EXAMPLE = Path(__file__).parent.parent / "examples" / "northbeam" / "campaign.yaml"
LOGO = "logo.png"
CAMPAIGNS_LOOKED_AT = 10_000


def write_campaign(settings: Settings, ledger: Ledger) -> Path:
    """Write the example with a seed that no demo in this home had, so that each demo makes new lines."""
    if not EXAMPLE.is_file():
        raise StateError(f"{EXAMPLE} is not there: the demo is part of the checkout, not of the installed package")
    text = EXAMPLE.read_text(encoding="utf-8")
    name, seed = _value(text, "name"), int(_value(text, "seed"))
    earlier = sum(status.name == name for status in ledger.campaigns.newest_first(CAMPAIGNS_LOOKED_AT))
    path = settings.home / "demo" / "campaign.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    # What a campaign names lies beside it.
    shutil.copy(EXAMPLE.with_name(LOGO), path.with_name(LOGO))
    path.write_text(re.sub(r"^seed: .*$", f"seed: {seed + earlier}", text, flags=re.MULTILINE), encoding="utf-8")
    return path


def best_lines(made: Iterable[Delivery], number: int) -> list[Delivery]:
    """Return the lines that the model thinks best of, of equals longer ones, spread over channels and products."""
    lines = (one for one in made if one.kind == Kind.COPY)
    left = sorted(lines, key=lambda one: (score(one), len(one.text)), reverse=True)
    best: list[Delivery] = []
    used: Counter[str] = Counter()
    while left and len(best) < number:
        # Sorted by score, and the first of equals is taken: so the best of the least used channel and product.
        line = min(left, key=lambda one: used[one.brief.channel] + used[one.brief.product.sku])
        left.remove(line)
        best.append(line)
        used.update((line.brief.channel, line.brief.product.sku))
    return best


def score(line: Delivery) -> float:
    """Return what the model thinks of its line, as the manifest says."""
    value = line.manifest.recipe.get("score") if line.manifest else None
    return float(value) if isinstance(value, int | float) else 0.0


def _value(text: str, key: str) -> str:
    found = re.search(rf"^{key}: (\S+)$", text, flags=re.MULTILINE)
    if found is None:
        raise StateError(f"{EXAMPLE} has no line '{key}: ...': the demo needs one")
    return found[1]
