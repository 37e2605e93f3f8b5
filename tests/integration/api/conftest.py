"""What the tests of the HTTP API share: the app on running servers."""

from collections.abc import Iterator

import pytest

from core.settings import Settings

from support.calls import Api, serving


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    """The app of `settings`; tests that store something ask for `storage` too, which makes the bucket."""
    with serving(settings) as served:
        yield served
