"""Calls of the HTTP API in this process: the real app on a real ledger, with a key for each tenant and role."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from core.ledger import Ledger
from core.settings import Settings
from producer.api.app import ROUTERS, create_app
from producer.api.opened import Opened
from schemas.access import Role

BASE = "http://127.0.0.1:5580"
YAML = {"content-type": "application/yaml"}
# What stands in an address for something that is not there, but could be.
NOBODY = {
    "campaign": "nothing-00000000",
    "job": "nothing-00000000-000000",
    "webhook": f"wh_{'0' * 32}",
    "event": f"evt_{'0' * 32}",
    "name": "nobody",
    "schedule": f"sch_{'0' * 32}",
    "model": "nobody",
}


class Api:
    """An app that serves, and keys to it."""

    def __init__(self, app: FastAPI, client: TestClient) -> None:
        self.app = app
        self.client = client
        self._keys: dict[tuple[str, Role], str] = {}

    @property
    def opened(self) -> Opened:
        opened: Opened = self.app.state.opened
        return opened

    @property
    def ledger(self) -> Ledger:
        return self.opened.ledger

    def key(self, role: Role = Role.ADMIN, tenant: str = "ann") -> dict[str, str]:
        """Return the header of a key; the first one ends the time without keys."""
        if (tenant, role) not in self._keys:
            _, self._keys[tenant, role] = self.ledger.keys.create(f"{role}-{tenant}", tenant, role, "test")
        return {"authorization": f"Bearer {self._keys[tenant, role]}"}

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Make a call as the admin of ann, unless the headers say otherwise."""
        headers = self.key() | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def submit(self, text: str, **headers: str) -> Any:
        """Submit a campaign in YAML."""
        return self.call("POST", "/v1/campaigns", content=text.encode(), headers=YAML | headers)


@contextmanager
def serving(settings: Settings) -> Iterator[Api]:
    """Open the app of these settings."""
    app = create_app(settings)
    with TestClient(app, base_url=BASE) as client:
        yield Api(app, client)


def operations() -> Iterator[tuple[str, str, str]]:
    """Yield operation, method and address of every route of the app, with ids of nothing in the addresses."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            address = re.sub(r"{(\w+)}", lambda match: NOBODY[match[1]], route.path_format)
            for method in sorted(route.methods):
                yield route.name, method, address
