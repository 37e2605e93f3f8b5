"""The app: routes, pages, walls around them, and errors as problems. `create_app` is an ASGI app factory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from core import traces
from core.settings import Settings
from producer.api import problems
from producer.api.bodies import Bodies
from producer.api.describe import described, operation_id
from producer.api.etags import ETags
from producer.api.guard import Guard, hosts_of
from producer.api.opened import Opened
from producer.api.routes import campaigns, exports, factory, jobs, metrics, ratings, schedules, versions, webhooks
from producer.api.traced import Traced
from producer.pages.errors import ProblemPages
from producer.pages.routers import PAGES

SILENT: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
# A new room of routes is one more line here; the tests find its routes by themselves.
ROUTERS: tuple[APIRouter, ...] = (
    factory.public,
    factory.router,
    metrics.router,
    campaigns.router,
    jobs.router,
    exports.router,
    ratings.router,
    schedules.router,
    versions.router,
    webhooks.router,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the app with its ledger open; without settings those of this process are read."""
    opened = Opened.of(settings or Settings.load())
    app = FastAPI(
        # Pages of documentation would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=operation_id,
        lifespan=_lifespan(opened),
        # It would tell addresses and what is asked for in them, as soon as anything here names a place for traces.
        telemetry=SILENT,
        redirect_slashes=False,
    )
    app.state.opened = opened
    for router in ROUTERS:
        app.include_router(router)
    for router in PAGES:
        # For people: programs find nothing there, so the description leaves them out.
        app.include_router(router, include_in_schema=False)
    problems.add_handlers(app)
    # The last one stands outermost.
    app.add_middleware(ETags)
    app.add_middleware(Bodies)
    app.add_middleware(Traced)
    hosts = hosts_of(opened.settings.api_host, opened.settings.api_hosts)
    app.add_middleware(Guard, ledger=opened.ledger, hosts=hosts)
    app.add_middleware(ProblemPages)
    app.openapi = _once(lambda: described(app))  # type: ignore[method-assign]
    return app


def _once(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    made: dict[str, Any] = {}

    def get() -> dict[str, Any]:
        if not made:
            made.update(make())
        return made

    return get


def _lifespan(opened: Opened) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        opened.close()
        # Not later: uvicorn raises the signal that ended it once more, and then nothing runs any more.
        traces.end()

    return lifespan
