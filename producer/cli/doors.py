"""What commands open: the ledger, the bucket, the broker. Opened late, so that help and completion load none of it."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import SettingsError, StateError

if TYPE_CHECKING:
    from celery import Celery

    from core.ledger import Ledger
    from core.settings import Settings
    from core.storage import Storage


def load_settings() -> "Settings":
    """Return the settings of this process."""
    from core.settings import Settings

    return Settings.load()


def has_ledger(settings: "Settings") -> bool:
    """Tell whether there is a ledger to open, without making one."""
    return settings.ledger_url is not None or (settings.home / "ledger.db").exists()


@contextmanager
def opened_ledger(settings: "Settings", *, may_create: bool = False) -> Iterator["Ledger"]:
    """Open the ledger. Only what makes work may create one: a question asked in the wrong folder leaves no trace."""
    from core.ledger import Ledger

    if not may_create and not has_ledger(settings):
        raise StateError(
            f"there is no ledger in {settings.home}: `factory up` and `factory submit` make one; "
            "is this the right folder, or is FACTORY_HOME missing?"
        )
    try:
        ledger = Ledger(settings)
    except OSError as error:
        raise SettingsError(f"FACTORY_HOME: cannot make {error.filename}: {error.strerror}") from error
    try:
        yield ledger
    finally:
        ledger.close()


def open_storage(settings: "Settings") -> "Storage":
    """Return the bucket; connects to nothing yet."""
    from core.storage import Storage

    try:
        return Storage(settings)
    except ValueError as error:
        raise SettingsError(f"FACTORY_S3_ENDPOINT: {error}") from error


def celery_app(settings: "Settings") -> "Celery":
    """Return the Celery app; connects to nothing yet."""
    from core.broker import make_app

    app = make_app(settings)
    try:
        app.connection_for_write().get_transport_cls()
    except (KeyError, ValueError, ImportError) as error:
        # The text of the error, never the URL: it may hold a password.
        raise SettingsError(f"FACTORY_BROKER_URL: {error}; write redis://host:6379/0 or amqp://host") from error
    return app


@contextmanager
def traced(settings: "Settings", process: str) -> Iterator[None]:
    """Send what this process does until the end of the block to a collector, if the settings name one."""
    from core import traces

    traces.begin(settings, process)
    try:
        yield
    finally:
        traces.end()


def actor() -> str:
    """Return who gives the command, for the record of actions."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"
