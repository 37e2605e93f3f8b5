"""The line model with two trained versions in a real store, campaigns for it, and what its assets say of them."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from core.broker import make_app, ring
from core.ledger import Ledger
from core.ledger.assets import Delivered
from core.ledger.promotions import Change, Order, Serving
from core.settings import Settings
from core.storage import Storage
from core.versions import store
from producer.verify import verify
from schemas.assets import Manifest
from schemas.campaigns import Kind
from schemas.versions import SHIPPED, version_of
from workers.sides import POINTER_SECONDS
from workers.sweep import sweep

from support.adapters import register, sides_of, write_adapter
from support.lines import line_campaign, line_jobs
from support.versions import a_version, version_id
from support.waiting import wait_until

BY_ADA = Order("ada", "reads better")
NORTH, SOUTH = version_id(1), version_id(2)
SIDES = {1: "north", 2: "south"}


class Served:
    """The line model with two trained versions, and campaigns for it."""

    def __init__(self, settings: Settings, ledger: Ledger, storage: Storage, model: Path, folder: Path) -> None:
        self.settings, self.ledger, self.storage, self.model = settings, ledger, storage, model
        self.sides = register(ledger, storage, model, folder, SIDES)
        self.promotions = ledger.promotions

    @property
    def serving(self) -> Serving:
        return self.promotions.serving(Kind.COPY, str(self.model))

    def promote(self, version: str) -> None:
        self.promotions.promote(version, self.serving, BY_ADA)

    def submit(self, name: str, jobs: int) -> str:
        campaign = line_campaign(name, products=jobs, variants=1)
        self.ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, self.model))
        ring(make_app(self.settings), Kind.COPY, 3)
        return name

    def keep_house(self) -> None:
        """Ring for what waits, and take back what a dead worker held."""
        sweep(make_app(self.settings), self.ledger)

    def done(self, campaigns: Sequence[str]) -> int:
        return sum(self.ledger.campaigns.status(one).done for one in campaigns)

    def is_settled(self, campaigns: Sequence[str]) -> bool:
        return all(self.ledger.campaigns.status(one).is_settled for one in campaigns)

    def made(self, *campaigns: str) -> list[Delivered]:
        """Wait for the end of campaigns, and return their assets; each job has one, and each byte is right."""
        wait_until(lambda: self.keep_house() or self.is_settled(campaigns), 180, "the end")
        for one in campaigns:
            verdict = verify(self.ledger, self.storage, one)
            assert verdict.is_sound, verdict.violations
            failed = self.ledger.jobs.dead_letters(one)
            assert failed == [], [letter.error for letter in failed]
        return [asset for one in campaigns for asset in self.ledger.assets.of_campaign(one)]

    def wrote(self, made: Delivered) -> str:
        """Return the version that an asset says made it, after its line and its manifest said the same."""
        version = version_of(made.asset.model)
        line = json.loads(self.storage.get(made.asset.location))["text"]
        manifest = Manifest.model_validate_json(self.storage.get(made.asset.manifest))
        assert manifest.model == made.asset.model
        assert line == made.asset.preview
        if version != SHIPPED:
            assert sides_of(self.model, line) == {self.sides[version]}, (line, made.asset.model)
        return version

    def register_misfit(self, folder: Path) -> None:
        """Register a version that is whole in the store and whose matrices have other sizes than it says."""
        write_adapter(self.model, folder, "north")
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"r": 4}))
        self.ledger.versions.register(store(self.storage, folder, a_version(3, model=str(self.model))))

    @property
    def history(self) -> list[Change]:
        return self.promotions.history(Kind.COPY, str(self.model))

    @property
    def is_read_anew(self) -> bool:
        """Tell whether every worker has read what serves since the last change."""
        return time.time() - self.serving.since > POINTER_SECONDS
