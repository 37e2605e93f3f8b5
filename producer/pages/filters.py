"""What a gallery is filtered by, as it stands in the address of a page."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query

from core.ledger import Ledger
from core.ledger.gallery import Viewer, Wanted
from core.ledger.tallies import Standing
from schemas.campaigns import Kind
from schemas.ratings import Rating

_Word = Annotated[str, Query(max_length=64, pattern=r"^[!-~]*$")]
# A form sends every field of it, also those in which nothing was chosen.
_Nothing = Annotated[str, Query(pattern="^$")]


class Filter:
    """Which assets somebody wants to see."""

    def __init__(
        self,
        kind: Kind | _Nothing = "",
        channel: _Word = "",
        audience: _Word = "",
        product: _Word = "",
        standing: Standing | _Nothing = "",
        *,
        unrated: bool = False,
    ) -> None:
        self.kind = kind or None
        self.channel = channel
        self.audience = audience
        self.product = product
        self.standing = standing or None
        self.only_unrated = unrated

    def wanted(self, ledger: Ledger, viewer: Viewer, *, only_unrated: bool | None = None) -> Wanted:
        """Return it as the ledger asks for it; what the person rated a moment ago counts as rated."""
        unrated = self.only_unrated if only_unrated is None else only_unrated
        return Wanted(
            kind=Kind(self.kind) if self.kind else None,
            channel=self.channel,
            audience_id=self.audience,
            sku=self.product,
            standing=Standing(self.standing) if self.standing else None,
            only_unrated=unrated,
            but_not=rated_a_moment_ago(ledger, viewer) if unrated else (),
        )

    def query(self, **more: str | None) -> str:
        """Return it as a part of an address, with more behind it."""
        own = {
            "kind": self.kind,
            "channel": self.channel,
            "audience": self.audience,
            "product": self.product,
            "standing": self.standing,
            "unrated": "true" if self.only_unrated else "",
        }
        return urlencode({name: value for name, value in (own | more).items() if value})

    @property
    def is_any(self) -> bool:
        """Tell whether anything is filtered."""
        return bool(self.query())


Filters = Annotated[Filter, Depends()]


def rated_a_moment_ago(ledger: Ledger, viewer: Viewer) -> tuple[str, ...]:
    """Return the jobs that a person has rated, where that is not recorded yet."""
    latest = {
        one.content.job_id: one.content
        for one in ledger.intake.on_their_way(viewer.tenant, viewer.rater)
        if isinstance(one.content, Rating)
    }
    return tuple(job_id for job_id, rating in latest.items() if not rating.is_withdrawn)
