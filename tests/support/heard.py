"""What the ledger would have heard of lines, without a ledger; and the rules of a small world."""

import random
from collections.abc import Callable, Iterable

from benchmarks.raters import Rated, heard_of
from benchmarks.tiny_writer import brief_of, jobs_of
from core.ledger.opinions import Heard, Said
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.learning import Curriculum, curriculum

MODEL = "starter+house"


def lines_of(products: int, variants: int, text: Callable[[Job], str] | None = None) -> list[Rated]:
    """Return lines that nobody wrote, each with the number of its variant in it."""
    return [Rated(job, text(job) if text else f"Line {job.variant}") for job in jobs_of(products, variants, MODEL)]


def answer(line: Rated, rater: str, *, approves: bool) -> Said:
    """Return one yes or no."""
    return Said(line.job.id, ("default", rater), None, approves)


def heard(lines: Iterable[Rated], said: Iterable[Said]) -> Heard:
    """Return both as the ledger hands them over."""
    return heard_of(list(lines), list(said))


def small_rules(**recipe: object) -> Curriculum:
    """Return the rules of the factory for a world of some hundred ratings and a tiny model."""
    rules = curriculum()
    needs = rules.needs.model_copy(update={"opinions": 60, "pairs": 40, "held_out_pairs": 10, "held_out_products": 4})
    changed = rules.recipes[Kind.COPY].model_copy(
        update={"learning_rate": 5e-3, "epochs": 4, "imitation": 1.0} | recipe
    )
    # Of the few lines of such a world, word pairs come again by chance, and a tiny model slips.
    gate = rules.gate.model_copy(
        update={"most_briefs": 8, "distinct_loss": 0.4, "pass_rate_loss": 0.3, "slowdown": 3.0}
    )
    return rules.model_copy(update={"needs": needs, "recipes": {Kind.COPY: changed}, "gate": gate})


def strict_rules() -> Curriculum:
    """Return such rules of which the tiny model loses one when it is taken whole: it then slips in two of 32 lines."""
    rules = small_rules()
    return rules.model_copy(update={"gate": rules.gate.model_copy(update={"pass_rate_loss": 0.05})})


def shuffled(some: Heard, seed: int) -> Heard:
    """Return the same in another order."""
    dice = random.Random(seed)
    assets = list(some.assets.items())
    ratings, comparisons = list(some.ratings), list(some.comparisons)
    for one in (assets, ratings, comparisons):
        dice.shuffle(one)
    return Heard(dict(assets), tuple(ratings), tuple(comparisons), some.last_rating_id, some.last_comparison_id)


__all__ = ["MODEL", "answer", "brief_of", "heard", "lines_of", "shuffled", "small_rules", "strict_rules"]
