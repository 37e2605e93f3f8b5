"""Where versions are kept, and which one serves: what a training needs to know of it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from core.errors import StateError
from core.ledger import Ledger
from core.ledger.promotions import Order
from core.storage import Storage
from core.versions import fetch, store
from schemas.campaigns import Kind
from schemas.versions import SHIPPED, NewVersion

logger = logging.getLogger(__name__)

ACTOR = "training"


@dataclass(frozen=True)
class Registry:
    """Knows the versions of models: their files in the store, their rows and pointers in the ledger."""

    ledger: Ledger
    storage: Storage
    # Below it lie the files of versions that were fetched.
    cache: Path
    # Of the jobs, what a version that passed its gate makes at once; 0 leaves that to a person.
    canary_share: float

    def champion(self, kind: Kind, model: str) -> str:
        """Return the version that serves a model, SHIPPED where nothing trained does."""
        return self.ledger.promotions.serving(kind, model).champion

    def folder(self, version_id: str) -> Path | None:
        """Return a folder with the files of a version; None for the shipped one, which comes with its model."""
        if version_id == SHIPPED:
            return None
        return fetch(self.storage, self.ledger.versions.get(version_id).described, self.cache)

    def add(self, version: NewVersion, folder: Path) -> NewVersion:
        """Keep the files of a version and what is known of it, and try it if it passed; twice is no error."""
        kept = store(self.storage, folder, version)
        is_new = self.ledger.versions.register(kept)
        if kept.verdict.is_passed and self.canary_share:
            self._try(kept, is_new=is_new)
        return kept

    def _try(self, version: NewVersion, *, is_new: bool) -> None:
        seen = self.ledger.promotions.serving(version.kind, version.model)
        history = self.ledger.promotions.history(version.kind, version.model)
        if not is_new and any(version.id in (change.after, change.challenger) for change in history):
            # A former attempt got so far, and a person may have thought better of it since.
            return
        try:
            self.ledger.promotions.start_canary(version.id, self.canary_share, seen, Order(ACTOR, "passed its gate"))
        except StateError as error:
            logger.warning("%s is ready and not tried: %s", version.id, error)
