"""How awkward a line reads that breaks no rule: what an editor would turn round before it is published."""

import re

from schemas.channels import channels
from schemas.jobs import Brief

# Nats of fluency, read off 373 lines that an editor judged (docs/decisions/0004-copy-quality.md).
PRICE_FIRST = 0.4
UNINTRODUCED = 0.3


def awkwardness(text: str, brief: Brief) -> float:
    """Return what an awkward line lacks in fluency, 0 for one that is not; headlines may be as they like."""
    if channels()[brief.channel].headline:
        return 0.0
    lost = 0.0
    names = (brief.brand.name, brief.product.name)
    if re.match(r"(?i)(?:at |from )?[^a-z ]*\d[\d.,]* ?(?:[A-Z]{3}\b)?[^,]* is (?:the price|what)", text):
        lost += PRICE_FIRST
    if re.match(r"The [a-z]", text) and not any(name.lower() in text.lower() for name in names):
        lost += UNINTRODUCED
    return lost
