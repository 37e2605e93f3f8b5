"""Every router of the pages. A new page is a route in one of them, or one more line here."""

from fastapi import APIRouter

from producer.pages.routes import assets, campaigns, door, files, gallery, letters, models, pairs, rating

PAGES: tuple[APIRouter, ...] = (
    door.public,
    door.router,
    files.public,
    files.router,
    campaigns.router,
    gallery.router,
    rating.router,
    pairs.router,
    letters.router,
    models.router,
    assets.router,
)
