"""The gallery of a campaign: copy, pictures, advertisements and music together, filtered, a page at a time."""

from fastapi import APIRouter, Request, Response

from producer.api.cursors import Cursor, cursor_of, name_after
from producer.api.opened import Factory
from producer.api.owned import OwnCampaign
from producer.pages.filters import Filters
from producer.pages.person import SEES, Visitor
from producer.pages.render import page
from producer.pages.views import View

router = APIRouter(dependencies=[SEES])

ROWS = 48


@router.get("/campaigns/{campaign}/gallery")
def show_gallery(
    request: Request,
    factory: Factory,
    visitor: Visitor,
    campaign: OwnCampaign,
    filters: Filters,
    cursor: Cursor = None,
) -> Response:
    """Show what a campaign has made."""
    gallery, viewer = factory.ledger.gallery, visitor.viewer
    wanted = filters.wanted(factory.ledger, viewer)
    found = gallery.page(campaign, wanted, viewer, ROWS + 1, name_after(cursor))
    shown = [View.of(one) for one in found[:ROWS]]
    is_first = cursor is None
    return page(
        request,
        "gallery.html",
        visitor,
        campaign=factory.ledger.campaigns.status(campaign),
        choices=gallery.choices(campaign) if is_first else None,
        filters=filters,
        shown=shown,
        total=gallery.count(campaign, wanted, viewer) if is_first else 0,
        following=cursor_of(shown[-1].job_id) if len(found) > ROWS else None,
        is_first=is_first,
    )
