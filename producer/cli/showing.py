"""What the demo shows: a campaign being made, the counts, the best lines, the proof, and the page that shows it all."""

import time
from typing import TYPE_CHECKING

from core.errors import StateError
from producer.cli.doors import celery_app, open_storage, opened_ledger, traced
from producer.cli.render import count, duration, note, say, things
from producer.cli.watch import follow, show_counts

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.ledger.campaigns import CampaignStatus
    from core.settings import Settings
    from producer.progress import Snapshot

BEST_LINES = 5


def run_demo(settings: "Settings", began: float) -> str:
    """Submit the demo's campaign, watch it, show what it made, and return its id.

    Raises StateError when the proof fails.
    """
    from producer import campaigns
    from producer.delivered import deliveries
    from producer.demo import best_lines, write_campaign
    from producer.export import export
    from producer.exports.formats import Format
    from producer.submit import submit
    from producer.verify import verify

    storage = open_storage(settings)
    with traced(settings, "command"), opened_ledger(settings, may_create=True) as ledger:
        file = write_campaign(settings, ledger)
        submitted = submit(campaigns.read(file), settings, ledger, celery_app(settings))
        say(f"{submitted.id}: {count(submitted.jobs, 'job')} of {file}")
        last = made(ledger, submitted.id)
        say("")
        for line in best_lines(deliveries(ledger, storage, submitted.id, with_manifests=True), BEST_LINES):
            say(f"  {line.text}")
            say(f"      {line.brief.channel}, {line.brief.product.name}, for {line.brief.audience.id}")
        folder = settings.home / "demo" / submitted.id
        exported = export(ledger, storage, submitted.id, folder, Format.FILES, force=True)
        verdict = verify(ledger, storage, submitted.id)
    say("")
    say(f"made      {things(exported.kinds)}, {duration(time.monotonic() - began)} after the start")
    if last.status.failed:
        note(f"{count(last.status.failed, 'job')} failed: `factory dead-letters {submitted.id}` says why")
    proof = "sound" if verdict.is_sound else "NOT SOUND"
    say(f"checked   {verdict.assets} assets in {verdict.objects} objects: {proof}")
    say(f"files     {exported.path}")
    say(f"look at   {exported.contact_sheet}")
    if not verdict.is_sound:
        raise StateError(f"the ledger and S3 disagree: `factory verify {submitted.id}` says where")
    return submitted.id


def made(ledger: "Ledger", campaign_id: str) -> "Snapshot":
    """Show a campaign until it is over, then its counts; raises StateError when nothing came of it."""
    last = follow(ledger, campaign_id, as_json=False)
    if not last.status.done:
        raise StateError(_why_nothing(ledger, last.status))
    say("")
    show_counts(last)
    return last


def _why_nothing(ledger: "Ledger", status: "CampaignStatus") -> str:
    letters = ledger.jobs.dead_letters(status.id, limit=1)
    why = f"the first dead letter says: {letters[0].error}" if letters else f"it is {status.state}"
    return f"campaign {status.id} has made nothing; {why}"
