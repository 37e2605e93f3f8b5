"""What the tests of the pages share: the app on running servers, and a campaign that has made something."""

from collections.abc import Iterator

import pytest

from core.settings import Settings
from core.storage import Storage

from support.exhibits import make_exhibits
from support.people import Pages, showing


@pytest.fixture
def pages(settings: Settings) -> Iterator[Pages]:
    """The pages of `settings`."""
    with showing(settings) as shown:
        yield shown


@pytest.fixture
def campaign(pages: Pages, storage: Storage) -> str:
    """A campaign of the default tenant with ten assets and a dead letter."""
    submitted = pages.submit()
    make_exhibits(pages.ledger, storage)
    return submitted
