"""Lines of a tiny model in a real ledger, rated by people with a taste; and what does trainings on them."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.tiny_writer import LINES, THINGS, jobs_of
from core.ledger import Ledger
from core.ledger.leases import Lease
from core.storage import Storage
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind
from schemas.jobs import Job
from schemas.learning import Curriculum, Recipe
from workers.learning.examiners import CopyExaminer
from workers.learning.registry import Registry
from workers.learning.teacher import Teacher, Tools
from workers.models.tuning.copy import CopyTuner
from workers.models.tuning.protocol import Place

from support.rated import an_asset, message, rate

LIKED = THINGS[::2]
# Whether a person approves of a line.
Taste = Callable[[str, random.Random], bool]


def by_taste(text: str, dice: random.Random) -> bool:
    """Like half of the things, and slip now and then."""
    return text.endswith(LIKED) != (dice.random() < 0.05)


def at_random(_text: str, dice: random.Random) -> bool:
    """Like anything, or not."""
    return dice.random() < 0.5


def rated_world(
    ledger: Ledger, model: Path | str, products: int = 40, variants: int = 6, taste: Taste = by_taste
) -> None:
    """Record a campaign for each product, and what two people think of each of its lines."""
    dice = random.Random(3)
    for product in range(products):
        add_product(ledger, model, product, variants)
        texts = texts_of(product, variants)
        rate(
            ledger,
            [
                message({"type": "rating", "job_id": job.id, "approves": taste(texts[job.variant], dice)}, rater)
                for job in jobs_of_product(model, product, variants)
                for rater in ("ada", "bo")
            ],
        )


def add_product(ledger: Ledger, model: Path | str, product: int, variants: int) -> None:
    """Record a campaign of one product with its lines."""
    jobs = jobs_of_product(model, product, variants)
    brief = jobs[0].brief
    campaign = Campaign(
        name="spring",
        brand=Brand(name="Northbeam"),
        products=(brief.product,),
        audiences=(Audience(id="commuters", description="people who need coffee before eight"),),
        deliverables=(CopyDeliverable(kind=Kind.COPY, channel=brief.channel, variants=variants),),
    )
    ledger.campaigns.submit(jobs[0].campaign_id, campaign, jobs)
    lease = ledger.leases.claim(jobs[0].bucket, 1000, "w@test#1")
    assert isinstance(lease, Lease)
    texts = texts_of(product, variants)
    ledger.leases.finish(lease, [an_asset(job, texts[job.variant]) for job in lease.jobs])


def jobs_of_product(model: Path | str, product: int, variants: int) -> list[Job]:
    """Return the jobs of one product, in a campaign of its own."""
    name = f"spring-{product:03d}"
    jobs = jobs_of(product + 1, variants, model)[-variants:]
    return [job.model_copy(update={"campaign_id": name, "id": f"{name}-{job.variant:06d}"}) for job in jobs]


def texts_of(product: int, variants: int) -> list[str]:
    """Return the lines of a product, all different."""
    return random.Random(product).sample(LINES, variants)


def teacher_of(
    ledger: Ledger,
    storage: Storage,
    rules: Curriculum,
    folder: Path,
    stopping: threading.Event | None = None,
    canary_share: float = 0.0,
) -> Teacher:
    """Return what trains tiny models."""

    def tuner_of(_kind: Kind, model: str, recipe: Recipe) -> CopyTuner:
        return CopyTuner(model, folder / "models", recipe, Place("cpu", "float32", 1))

    registry = Registry(ledger, storage, folder / "models", canary_share)
    tools = Tools(ledger, storage, registry, tuner_of, lambda _kind: CopyExaminer(), rules, folder / "trainings")
    return Teacher(tools, "w@test#1", stopping or threading.Event())
