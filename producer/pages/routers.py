"""Every router of the pages. A new page is a route in one of them, or one more line here."""

from fastapi import APIRouter

from producer.pages.routes import (
    assets,
    campaigns,
    door,
    files,
    gallery,
    letters,
    models,
    pairs,
    plans,
    rating,
    schedules,
)

PAGES: tuple[APIRouter, ...] = (
    door.public,
    door.router,
    files.public,
    files.router,
    # Before the page of a campaign, whose id is no word of ours.
    plans.router,
    campaigns.router,
    gallery.router,
    rating.router,
    pairs.router,
    letters.router,
    schedules.router,
    models.router,
    models.operators,
    assets.router,
)
