"""The figures of the whole factory, for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from producer.api.access import VIEWER
from producer.api.describe import refusals
from producer.api.opened import Factory

router = APIRouter(tags=["factory"])


@router.get("/metrics", dependencies=[VIEWER], responses=refusals(), response_class=PlainTextResponse)
def get_metrics(factory: Factory) -> PlainTextResponse:
    """Show the figures of the factory, of all tenants together, as Prometheus reads them; at most some seconds old."""
    return PlainTextResponse(factory.exposition.page(), media_type="text/plain; version=0.0.4")
