"""What the routes work with: settings, ledger, bucket and broker, opened once for the process."""

from dataclasses import dataclass
from typing import Annotated

from celery import Celery
from fastapi import Depends, Request

from core.broker import make_app
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.api.figures import Exposition
from producer.api.limits import Buckets, Places
from schemas.access import Limits

LOOPBACKS = {"127.0.0.1", "::1", "localhost"}
# Of one address in a minute: a person mistypes a key, a program that guesses does it more often.
WRONG_KEYS_PER_MINUTE = 30
# An export reads every byte of a campaign; a stream keeps asking the ledger.
EXPORTS_AT_ONCE = 2
STREAMS_AT_ONCE = 100


@dataclass(frozen=True)
class Opened:
    """The parts of the factory that this process has open, and its counters."""

    settings: Settings
    ledger: Ledger
    storage: Storage
    broker: Celery
    calls: Buckets
    wrong_keys: Buckets
    exports: Places
    streams: Places
    exposition: Exposition

    @classmethod
    def of(cls, settings: Settings) -> "Opened":
        """Open the ledger; bucket and broker connect when they are needed."""
        ledger = Ledger(settings)
        return cls(
            settings,
            ledger,
            Storage(settings),
            make_app(settings),
            calls=Buckets(settings.api_calls_per_minute),
            wrong_keys=Buckets(WRONG_KEYS_PER_MINUTE),
            exports=Places(EXPORTS_AT_ONCE),
            streams=Places(STREAMS_AT_ONCE),
            exposition=Exposition(ledger, settings),
        )

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine reaches the API."""
        return self.settings.api_host in LOOPBACKS

    @property
    def is_keyless(self) -> bool:
        """Tell whether whoever reaches the API may do all: on this machine, as long as there never was a key."""
        return self.is_loopback and not self.ledger.keys.any()

    @property
    def limits(self) -> Limits:
        """Return the limits of tenants that have none of their own."""
        return Limits(self.settings.tenant_jobs_a_day, self.settings.tenant_open_jobs)

    def close(self) -> None:
        """Close every connection."""
        self.ledger.close()


def opened_of(request: Request) -> Opened:
    """Return what this app has open."""
    opened = request.app.state.opened
    assert isinstance(opened, Opened)
    return opened


Factory = Annotated[Opened, Depends(opened_of)]
