"""The page of one asset: itself, what it was made from and how, what people say of it, and making it anew."""

from fastapi import APIRouter, Request, Response

from core.errors import CorruptAssetError, FeedbackError, SettingsError, StorageError
from core.ledger.tallies import Standing
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnJob
from producer.delivered import manifest_of
from producer.pages.forms import Sent
from producer.pages.person import SEES, STEERS, Visitor
from producer.pages.render import go_to, page
from producer.pages.views import View
from producer.regenerate import regenerate
from producer.submit import ring_for
from schemas.assets import SMALL, Asset, Manifest
from schemas.reasons import reasons_for

router = APIRouter()

# Parts of a recipe that are long; they stand below the others.
LONG = ("prompt", "words")


@router.get("/assets/{job}", dependencies=[SEES])
def show_asset(request: Request, factory: Factory, visitor: Visitor, job: OwnJob) -> Response:
    """Show all there is about one asset."""
    ledger = factory.ledger
    shown = ledger.gallery.one(job, visitor.viewer)
    asset = shown.delivered.asset
    manifest, problem = _manifest(factory, asset)
    replacement = ledger.replacements.of(job)
    recipe = {"seed": manifest.job.seed} | manifest.recipe if manifest else {}
    return page(
        request,
        "asset.html",
        visitor,
        campaign=ledger.campaigns.status(asset.campaign_id),
        one=View.of(shown),
        asset=asset,
        manifest=manifest,
        # The small picture is for pages, and nothing to take away.
        files=[one for one in manifest.companions if one.ending != SMALL] if manifest else [],
        problem=problem,
        facts={name: value for name, value in recipe.items() if name not in LONG},
        long_facts={name: recipe[name] for name in LONG if recipe.get(name)},
        score=ledger.scores.of_asset(job),
        ratings=ledger.ratings.of_job(job)[::-1],
        replacement=ledger.jobs.status(replacement) if replacement else None,
        history=list(ledger.campaigns.history(job)),
        reasons=list(reasons_for(shown.delivered.kind).values()),
        may_regenerate=visitor.may("producer"),
        is_rejected=shown.standing == Standing.REJECTED,
    )


@router.post("/assets/{job}/regenerate", dependencies=[STEERS])
def make_anew(factory: Factory, visitor: Visitor, job: OwnJob, form: Sent) -> Response:
    """Reject an asset for a reason, and have it made anew."""
    reason = form.get("reason")
    if not reason:
        raise FeedbackError("reason: choose what is wrong with it, so that it is made otherwise")
    made = regenerate(factory.ledger, job, reason, visitor.rater)
    if made.is_new:
        ring_for(factory.broker, 1, factory.settings.batch_size)
    return go_to(f"/assets/{job}")


def _manifest(factory: Opened, asset: Asset) -> tuple[Manifest | None, str]:
    """Return the manifest of an asset, or why there is none: what the ledger knows is shown all the same."""
    try:
        return manifest_of(factory.storage.get(asset.manifest), asset), ""
    except StorageError:
        return None, "The store does not answer, so how it was made cannot be shown now."
    except (CorruptAssetError, SettingsError):
        return (
            None,
            "How it was made cannot be read any more: whoever runs the factory finds why with `factory verify`.",
        )
