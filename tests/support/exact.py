"""The oracle of the kills: the ledger, the bucket and the hashes say that every job ended once, and none was lost."""

from collections.abc import Sequence

from core.ledger import Ledger
from core.storage import Storage
from producer.verify import verify


def assert_exact(ledger: Ledger, storage: Storage, campaigns: Sequence[str]) -> None:
    """Fail unless every job of these campaigns has one sound asset, or failed by its own lines."""
    for one in campaigns:
        verdict = verify(ledger, storage, one)
        assert verdict.is_sound, verdict.violations
        assert verdict.states["done"] + verdict.states["failed"] == verdict.submitted_jobs
    failed = [letter for one in campaigns for letter in ledger.jobs.dead_letters(one)]
    assert {letter.error_code for letter in failed} <= {"rejected"}
    assert len(failed) < len(campaigns), [letter.error for letter in failed]
