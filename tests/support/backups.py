"""A factory that is backed up, and what it is brought back into."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.database import Database
from core.ledger import Ledger
from core.ledger.copies import Copies
from core.settings import Settings
from core.storage import Storage
from producer.backups.restore import Restored, restore
from producer.backups.take import Taken, Wish, take

PASSPHRASE = "four words of no meaning"
Ledgers = Callable[[str], str]


@dataclass(frozen=True)
class Scene:
    """A factory, what it is brought back into, and the file between them."""

    ledger: Ledger
    storage: Storage
    elsewhere: Settings
    file: Path

    def back_up(self, **wish: object) -> Taken:
        wanted = {"passphrase": PASSPHRASE, "with_assets": True} | wish
        return take(self.ledger, self.storage, Wish(self.file, **wanted), silent)

    def bring_back(self, passphrase: str | None = PASSPHRASE, file: Path | None = None) -> Restored:
        database = Database(self.elsewhere.resolved_ledger_url)
        try:
            return restore(file or self.file, passphrase, database, Storage(self.elsewhere), silent)
        finally:
            database.close()

    def has_nothing_elsewhere(self) -> bool:
        database = Database(self.elsewhere.resolved_ledger_url)
        Copies(database).require_empty()
        database.close()
        return True


def silent(_: str) -> None:
    """Tell nobody."""


def wipe(storage: Storage) -> None:
    for key, _ in list(storage.list("")):
        storage.delete(key)
