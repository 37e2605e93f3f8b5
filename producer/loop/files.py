"""The campaigns of the loop: one to learn from, one to try a version on, one to compare with the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import StateError
from core.ledger import Ledger
from producer.campaigns import CampaignSource, read
from schemas.campaigns import Campaign, CopyDeliverable, Product

EXAMPLE = Path(__file__).parents[2] / "examples" / "fenwick" / "campaign.yaml"
CAMPAIGNS_LOOKED_AT = 10_000
# Added to the seed, so that what a version is tried on are other lines.
SEED_OF_THE_TRIAL = 500_000
SEEDS = 1_000_000
# Of each brief, how many of the first lines are written again.
COMPARED_VARIANTS = 2


@dataclass(frozen=True)
class Files:
    """Writes the campaigns of one loop into a folder, all made of one file."""

    source: CampaignSource
    folder: Path
    seed: int

    @classmethod
    def of(cls, file: Path | None, ledger: Ledger, folder: Path) -> "Files":
        """Read the file, or the example; each loop of a home has a seed that none had, so it makes new lines.

        Raises StateError where lines are no part of it, or the example is not there.
        """
        if file is None and not EXAMPLE.is_file():
            raise StateError(f"{EXAMPLE} is not there: it is part of the checkout; name a campaign FILE of your own")
        source = read(file or EXAMPLE)
        if not all(isinstance(one, CopyDeliverable) for one in source.campaign.deliverables):
            raise StateError(f"{source.path}: deliverables: only lines of copy are learnt from, leave the others out")
        named = (status.name == source.campaign.name for status in ledger.campaigns.newest_first(CAMPAIGNS_LOOKED_AT))
        return cls(source, folder, (source.campaign.seed + sum(named)) % SEEDS)

    def first(self) -> CampaignSource:
        """Return the campaign that is learnt from."""
        return self._written(self.source.campaign.name, tuple(self.source.products()), self.seed)

    def trial(self, skus: set[str]) -> CampaignSource:
        """Return the campaign that a version is tried on: products that it did not learn from, other lines."""
        return self._written("the-trial", self._products(skus), self.seed + SEED_OF_THE_TRIAL)

    def again(self, skus: set[str]) -> CampaignSource:
        """Return the first campaign's briefs of products that were not learnt from, with the seeds that they had."""
        return self._written("once-more", self._products(skus), self.seed, COMPARED_VARIANTS)

    def _products(self, skus: set[str]) -> tuple[Product, ...]:
        return tuple(one for one in self.source.products() if one.sku in skus)

    def _written(
        self, name: str, products: Sequence[Product], seed: int, most_variants: int | None = None
    ) -> CampaignSource:
        campaign = self.source.campaign
        deliverables = [
            one.model_copy(update={"variants": min(one.variants, most_variants or one.variants)})
            for one in campaign.deliverables
        ]
        changed = {"name": name, "products": tuple(products), "seed": seed, "deliverables": tuple(deliverables)}
        made: Campaign = campaign.model_copy(update=changed)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.json"
        path.write_text(made.model_dump_json(indent=2, exclude_defaults=True), encoding="utf-8")
        return read(path)
