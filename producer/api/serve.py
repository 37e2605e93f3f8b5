"""Serve the API with uvicorn: on this machine alone, or behind keys."""

import uvicorn
from fastapi import FastAPI

from core import traces
from core.errors import SettingsError
from core.logs import logged
from core.settings import Settings
from producer.api.app import create_app
from producer.api.opened import Opened

# An open stream never ends by itself.
GRACE_SECONDS = 2
CONNECTIONS = 500
KEEP_ALIVE_SECONDS = 10
MOST_HEADER_BYTES = 16_384


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop; raises SettingsError where nobody could be kept out."""
    with logged(settings, "api"):
        try:
            traces.begin(settings, "api")
            app = create_app(settings)
            check_keys(app.state.opened)
            uvicorn.Server(_config(settings, app)).run()
        finally:
            # For what never began to serve; whatever did ends them with the app, since uvicorn ends the process itself.
            traces.end()


def _config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        # Addresses of calls hold ids of tenants; changing calls are in the ledger.
        access_log=False,
        server_header=False,
        # Whoever stands in front may say anything about whom it speaks for.
        proxy_headers=False,
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        http="h11",
    )


def check_keys(opened: Opened) -> None:
    """Raise SettingsError when others would reach the API and nobody has a key."""
    if not opened.is_loopback and not opened.ledger.keys.any_valid():
        raise SettingsError(
            f"the API does not start on {opened.settings.api_host} while nobody has a key: "
            "`factory keys create NAME --role admin` makes one, or listen on 127.0.0.1"
        )
