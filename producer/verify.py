"""The oracle: does the ledger agree with itself and with what lies in S3? It looks at all of it and changes nothing."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from core.errors import CorruptAssetError, StateError
from core.ledger import Ledger
from core.ledger.campaigns import CampaignState, CampaignStatus
from core.storage import Storage
from producer.delivered import cut, manifest_of, text_of
from schemas.assets import Asset, Location
from schemas.campaigns import Campaign
from schemas.jobs import JobState

# The sweep takes back a lease within seconds of its end; one that ended this many leases ago was forgotten.
FORGOTTEN_LEASES = 2
PREVIEW_CHARACTERS = 2000
# What is held in memory at a time; neighbours in a campaign share objects, so hardly one is fetched twice.
ASSETS_AT_ONCE = 20_000


class Violation(NamedTuple):
    """One thing that must not be: which promise it breaks, of what, and what was found."""

    rule: str
    target: str
    found: str


@dataclass
class Verdict:
    """What the oracle counted and what it found wrong."""

    campaign_id: str
    states: dict[str, int]
    submitted_jobs: int
    assets: int = 0
    objects: int = 0
    bytes_checked: int = 0
    # Objects that no row points to: left by killed workers, harmless.
    unreferenced: int = 0
    # Assets that were kept as long as the settings say: of them only the rows are left.
    deleted: int = 0
    violations: list[Violation] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Tell whether every promise holds."""
        return not self.violations

    def add(self, rule: str, targets: Iterable[str], found: str) -> None:
        """Add a violation for each target."""
        self.violations += [Violation(rule, target, found) for target in targets]


def verify(ledger: Ledger, storage: Storage, campaign_id: str) -> Verdict:
    """Check every row, byte and manifest of a campaign. Work may go on meanwhile; no finding depends on a moment."""
    status = ledger.campaigns.status(campaign_id)
    if status.state == CampaignState.SUBMITTING:
        raise StateError(f"campaign {campaign_id} is not wholly submitted: submit its file again, then verify")
    verdict = Verdict(
        campaign_id=campaign_id,
        states={state.value: getattr(status, state) for state in JobState},
        submitted_jobs=status.submitted_jobs,
    )
    _check_rows(ledger, status, verdict)
    _check_states(ledger, campaign_id, verdict)
    # Listed before the rows are read: what is stored later than that cannot be taken for unreferenced.
    listed = [key for key, _ in storage.list(f"campaigns/{campaign_id}/")]
    referenced = _check_objects(ledger, storage, campaign_id, verdict)
    verdict.unreferenced = len(set(listed) - referenced)
    verdict.deleted = ledger.assets.deleted(campaign_id)
    return verdict


def _check_rows(ledger: Ledger, status: CampaignStatus, verdict: Verdict) -> None:
    """Every job that was planned has exactly one row, in exactly one state."""
    planned = planned_jobs(ledger.campaigns.definition(status.id))
    submitted = status.submitted_jobs - ledger.audit.replacements(status.id)
    if planned is not None and planned != submitted:
        verdict.add("planned", [status.id], f"{planned} jobs were planned, {submitted} submitted")
    rows = sum(verdict.states.values())
    if rows == status.submitted_jobs:
        return
    verdict.add("counted", [status.id], f"{status.submitted_jobs} jobs were submitted, {rows} have a row")
    expected = (f"{status.id}-{index:06d}" for index in range(status.submitted_jobs))
    verdict.add("counted", sorted(set(expected) - set(ledger.audit.job_ids(status.id))), "has no row")


def planned_jobs(campaign: Campaign) -> int | None:
    """Return how many jobs the campaign's file asks for; nothing when its products lie in a feed."""
    if not isinstance(campaign.products, tuple):
        return None
    products = len(campaign.products)
    each = sum(
        campaign.products_of(deliverable, products) * len(campaign.locales_of(deliverable)) * deliverable.variants
        for deliverable in campaign.deliverables
    )
    return len(campaign.audiences) * each


def _check_states(ledger: Ledger, campaign_id: str, verdict: Verdict) -> None:
    forgotten_at = time.time() - FORGOTTEN_LEASES * ledger.leases.lease_seconds
    audit = ledger.audit
    verdict.add("one asset a done job", audit.done_without_asset(campaign_id), "is done and has no asset row")
    verdict.add("one asset a done job", audit.assets_without_done_job(campaign_id), "has an asset row and is not done")
    verdict.add("failed with a reason", audit.failed_without_reason(campaign_id), "failed without a code or a message")
    verdict.add("inputs first", audit.done_before_its_inputs(campaign_id), "is done before all its inputs are")
    verdict.add(
        "inputs first", audit.waiting_for_nothing(campaign_id), "waits for inputs that are all done; does beat run?"
    )
    verdict.add("inputs first", audit.waiting_for_a_lost_input(campaign_id), "waits although an input is lost")
    verdict.add(
        "no forgotten lease",
        audit.leases_ended_before(campaign_id, forgotten_at),
        f"its lease ended more than {FORGOTTEN_LEASES * ledger.leases.lease_seconds:.0f} s ago; does beat run?",
    )
    verdict.add("no repeated asset", audit.repeated_fingerprints(campaign_id), "several assets have this fingerprint")


class _Range(NamedTuple):
    """A part of an object and what must be true of its bytes; the check returns what else is to be looked at."""

    job_id: str
    location: Location
    check: Callable[[bytes], Sequence["_Range"]]


def _check_objects(ledger: Ledger, storage: Storage, campaign_id: str, verdict: Verdict) -> set[str]:
    """Check what every row points to; return the keys of the objects."""
    keys: set[str] = set()
    assets = (delivered.asset for delivered in ledger.assets.of_campaign(campaign_id, only_stored=True))
    while part := list(islice(assets, ASSETS_AT_ONCE)):
        verdict.assets += len(part)
        ranges = [one for asset in part for one in _ranges(asset)]
        # Manifests name companions, which are then looked at as well.
        while ranges:
            by_key: dict[str, list[_Range]] = {}
            for one in ranges:
                by_key.setdefault(one.location.key, []).append(one)
            keys |= set(by_key)
            ranges = [more for key, some in by_key.items() for more in _check_object(storage, key, some, verdict)]
    verdict.objects = len(keys)
    return keys


def _check_object(storage: Storage, key: str, ranges: list[_Range], verdict: Verdict) -> list[_Range]:
    """Fetch an object and check every range of it; return what else is to be looked at."""
    found: list[_Range] = []
    try:
        body = storage.get_whole(key)
    except CorruptAssetError as error:
        verdict.add("bytes in S3", [one.job_id for one in ranges], str(error))
        return found
    for one in ranges:
        try:
            found += one.check(cut(body, one.location))
        except CorruptAssetError as error:
            verdict.add("bytes in S3", [one.job_id], str(error))
        verdict.bytes_checked += one.location.length_bytes
    return found


def _ranges(asset: Asset) -> tuple[_Range, _Range]:
    return (
        _Range(asset.job_id, asset.location, lambda data: _check_bytes(data, asset)),
        _Range(asset.job_id, asset.manifest, lambda data: _companions(data, asset)),
    )


def _companions(data: bytes, asset: Asset) -> list[_Range]:
    """Return the companions that a manifest names; of them there is nothing to know but their hashes."""
    return [_Range(asset.job_id, one.location, lambda _: ()) for one in manifest_of(data, asset).companions]


def _check_bytes(data: bytes, asset: Asset) -> tuple[_Range, ...]:
    # The bytes of files are what their sha256 says, and that is all there is to them.
    if asset.content_type.startswith("text/") and text_of(data, asset.job_id)[:PREVIEW_CHARACTERS] != asset.preview:
        raise CorruptAssetError(f"the text of job {asset.job_id} is not the preview in its row")
    return ()
