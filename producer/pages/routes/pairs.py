"""The pairs: two assets of one product and channel side by side, and which of them a person finds better."""

from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from core.errors import FeedbackError, UnknownIdError
from core.ledger.pairs import Pair
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnCampaign
from producer.pages.forms import Sent
from producer.pages.person import RATES, Person, Visitor
from producer.pages.render import go_to, page
from producer.pages.routes.rating import PATIENCE_SECONDS
from producer.pages.views import View
from producer.rate import comparison_of, send
from schemas.ratings import Comparison, Outcome

router = APIRouter(dependencies=[RATES])

_JOBS = r"^([a-z0-9-]{1,96}~[a-z0-9-]{1,96})?$"
OUTCOMES = {"left": Outcome.BETTER, "right": Outcome.WORSE, "tie": Outcome.TIE}

After = Annotated[str, Query(pattern=_JOBS, description="The pair before, its jobs with ~ between.")]


@router.get("/campaigns/{campaign}/pairs")
def show_pair(
    request: Request, factory: Factory, visitor: Visitor, campaign: OwnCampaign, after: After = ""
) -> Response:
    """Show the next pair that the person has not compared."""
    ledger, viewer = factory.ledger, visitor.viewer
    pair = _next(factory, campaign, visitor, after)
    sides = [View.of(ledger.gallery.one(job, viewer)) for job in _sides(pair, visitor.rater)] if pair else []
    return page(
        request,
        "pairs.html",
        visitor,
        campaign=ledger.campaigns.status(campaign),
        sides=sides,
        place=f"{pair.job_id}~{pair.other_job_id}" if pair else "",
        compared=ledger.pairs.compared(campaign, viewer) + len(_on_their_way(factory, visitor)),
    )


@router.post("/campaigns/{campaign}/pairs")
def compare(factory: Factory, visitor: Visitor, campaign: OwnCampaign, form: Sent) -> Response:
    """Send which of the two is better, and show the next pair."""
    left, right, outcome = form.get("left"), form.get("right"), OUTCOMES.get(form.get("say"))
    if outcome is None:
        raise FeedbackError(f"say: is one of {', '.join(OUTCOMES)}")
    if strangers := factory.ledger.jobs.strangers(campaign, [left, right]):
        raise UnknownIdError(f"job '{strangers[0]}' is none of campaign {campaign}")
    said = comparison_of(left, other_job_id=right, outcome=outcome)
    send(factory.ledger, factory.broker, said, visitor.rater, PATIENCE_SECONDS)
    return go_to(f"/campaigns/{campaign}/pairs?after={'~'.join(sorted((left, right)))}")


def _next(factory: Opened, campaign: str, visitor: Person, after: str) -> Pair | None:
    """Return the next pair after that one, or else the first of all: what was skipped comes again at the end."""
    said = _on_their_way(factory, visitor)
    for place in dict.fromkeys((after, "")):
        start = Pair(*place.split("~")) if place else None
        if found := factory.ledger.pairs.next(campaign, visitor.viewer, start, said):
            return found
    return None


def _on_their_way(factory: Opened, visitor: Person) -> list[Pair]:
    sent = factory.ledger.intake.on_their_way(visitor.caller.tenant, visitor.rater)
    told = (one.content for one in sent if isinstance(one.content, Comparison))
    return [Pair(*sorted((one.job_id, one.other_job_id))) for one in told]


def _sides(pair: Pair, rater: str) -> tuple[str, str]:
    """Return left and right: by chance, so that no side is better by itself, and the same however often it is asked."""
    digest = blake2b(f"{pair.job_id}\0{pair.other_job_id}\0{rater}".encode(), digest_size=1).digest()
    return (pair.job_id, pair.other_job_id) if digest[0] % 2 else (pair.other_job_id, pair.job_id)
