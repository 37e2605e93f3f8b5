"""What the tests in a browser share: Chromium, and pages that it reaches, with a campaign and a feedback worker."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from core.broker import FEEDBACK_QUEUE
from core.settings import Settings
from core.storage import Storage
from producer.api.app import create_app

from support.brokers import Broker
from support.exhibits import add_schedule, make_exhibits, register_versions
from support.people import Pages, settings_on
from support.servers import SeaweedFS
from support.waiting import free_port, wait_until
from support.workers import Workers

# As Debian, other systems and Google call it.
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing is asked of the network, and no device or sandbox of the machine is needed.
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass(frozen=True)
class Shop:
    """Pages that a browser reaches."""

    pages: Pages
    url: str
    campaign: str


# No longer than these tests: while it is open, an event loop runs in the thread of all tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, f"none of {', '.join(NAMES)} is installed: `make setup` installs it on Debian"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=OPTIONS)
        yield opened
        opened.close()


# No longer than these tests: its feedback worker would take what others send.
@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, broker: Broker, seaweedfs: SeaweedFS) -> Iterator[Shop]:
    """Pages with a campaign of every kind; nobody needs a key, and what is said is recorded."""
    folder = tmp_path_factory.mktemp("shop")
    settings = settings_on(folder, broker, seaweedfs)
    workers = Workers(settings, folder)
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    with reached(settings) as (pages, url):
        campaign = pages.submit()
        make_exhibits(pages.ledger, Storage(settings))
        add_schedule(pages.opened)
        register_versions(pages.ledger)
        yield Shop(pages, url, campaign)
    workers.end()


@pytest.fixture
def own_shop(tmp_path: Path, broker: Broker, seaweedfs: SeaweedFS) -> Iterator[Shop]:
    """Pages of one test, with a campaign that nothing is made of yet."""
    with reached(settings_on(tmp_path, broker, seaweedfs)) as (pages, url):
        yield Shop(pages, url, pages.submit())


@contextmanager
def reached(settings: Settings) -> Iterator[tuple[Pages, str]]:
    """Serve the app of these settings on a free port of this machine."""
    app, port = create_app(settings), free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, ws="none", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started, what="the pages")
    try:
        yield Pages(app), f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
