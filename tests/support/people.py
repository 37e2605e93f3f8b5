"""People at the pages, in this process: the real app, with the cookies and headers that a browser would send."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from core.ledger import Ledger
from core.ledger.tenants import Admission
from core.settings import Settings
from core.storage import Storage
from producer.api.app import create_app
from producer.api.opened import Opened
from producer.campaigns import received
from producer.submit import submit
from schemas.access import DEFAULT_TENANT, Role

from support.brokers import Broker
from support.calls import BASE
from support.exhibits import CAMPAIGN
from support.servers import S3_KEY, S3_SECRET, SeaweedFS

BROWSER = {"accept": "text/html,*/*;q=0.8", "origin": BASE, "sec-fetch-site": "same-origin"}


class Person:
    """Somebody with a browser; redirects are followed only where that is asked for."""

    def __init__(self, app: FastAPI) -> None:
        self.client = TestClient(app, base_url=BASE, headers=BROWSER, follow_redirects=False)

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def text(self, path: str) -> str:
        """Return the text of a page that must be there."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    def send(self, path: str, **fields: str) -> Any:
        """Send a form."""
        return self.client.post(path, data=fields)


class Pages:
    """The pages of an app, and people who look at them."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    @property
    def opened(self) -> Opened:
        opened: Opened = self.app.state.opened
        return opened

    @property
    def ledger(self) -> Ledger:
        return self.opened.ledger

    def nobody(self) -> Person:
        """Return somebody who has no session; without keys, whoever sits at this machine."""
        return Person(self.app)

    def person(self, role: Role = Role.ADMIN, tenant: str = DEFAULT_TENANT) -> Person:
        """Return somebody who has signed in with a new key."""
        _, key = self.ledger.keys.create(f"{role}-{tenant}", tenant, role, "test")
        person = self.nobody()
        assert person.send("/sign-in", key=key).status_code == 303
        return person

    def submit(self, text: str = CAMPAIGN, tenant: str = DEFAULT_TENANT) -> str:
        """Submit a campaign; return its id."""
        opened = self.opened
        source = received(text.encode(), "campaign.yaml", tenant)
        return submit(source, opened.settings, opened.ledger, opened.broker, Admission(tenant)).id


def settings_on(folder: Path, broker: Broker, seaweedfs: SeaweedFS) -> Settings:
    """Return settings on these servers, with a ledger and a bucket of their own, for many looks in a minute.

    The broker is emptied: what another test said of a campaign with the same id would be recorded here.
    """
    broker.empty()
    settings = Settings(
        home=folder / "home",
        broker_url=broker.url,
        s3_endpoint=seaweedfs.endpoint,
        s3_access_key=S3_KEY,
        s3_secret_key=S3_SECRET,
        s3_bucket=f"pages-{uuid.uuid4().hex[:12]}",
        api_calls_per_minute=100_000,
    )
    Storage(settings).ensure_bucket()
    return settings


@contextmanager
def showing(settings: Settings) -> Iterator[Pages]:
    """Open the app of these settings."""
    app = create_app(settings)
    with TestClient(app, base_url=BASE):
        yield Pages(app)


def addresses(text: str) -> set[str]:
    """Return every address of a page that leads to the app."""
    return set(re.findall(r'(?:href|src|action|hx-get|hx-post)="(/[^"]*)"', text))
