"""SIGKILL of workers and of who records ratings while styles are chosen: what was chosen once stays chosen."""

import random
import signal
from pathlib import Path

import pytest

from core.broker import FEEDBACK_QUEUE, make_app, ring, send_feedback
from core.ledger import Ledger
from core.ledger.styles import Choice
from core.settings import Settings
from core.storage import Storage
from schemas.assets import Manifest
from schemas.campaigns import Kind
from schemas.styles import Style
from workers.sweep import sweep

from support.lines import line_campaign, line_jobs
from support.rated import message
from support.styled import assert_recorded
from support.waiting import wait_until
from support.workers import Workers

pytestmark = pytest.mark.timeout(900)
KILLS, JOBS, RATERS = 3, 40, 3
STYLES = (Style.BENEFIT, Style.DETAIL)


class Factory:
    """A campaign that leaves its styles to ratings, workers that make and record, and people who like one style."""

    def __init__(self, settings: Settings, ledger: Ledger, storage: Storage, model: Path) -> None:
        self.settings, self.ledger, self.storage = settings, ledger, storage
        self.app = make_app(settings)
        self.rated: set[str] = set()
        campaign = line_campaign("spring", products=JOBS, variants=1)
        planned = (job.model_copy(update={"open_styles": STYLES}) for job in line_jobs("spring", campaign, model))
        ledger.campaigns.submit("spring", campaign, planned)
        ring(self.app, Kind.COPY, 3)

    @property
    def done(self) -> int:
        return self.ledger.campaigns.status("spring").done

    def keep_house(self) -> None:
        sweep(self.app, self.ledger)

    def rate(self) -> None:
        """Have people rate what was made since they last did."""
        made = {one.asset.job_id: one for one in self.ledger.assets.of_campaign("spring")}
        styles = {job_id: self.ledger.jobs.status(job_id).job.brief.style for job_id in made.keys() - self.rated}
        messages = [
            message({"type": "rating", "job_id": job_id, "approves": style == Style.DETAIL}, f"rater {who}")
            for job_id, style in sorted(styles.items())
            for who in range(RATERS)
        ]
        self.ledger.intake.expect(messages)
        send_feedback(self.app, messages)
        self.rated |= made.keys()

    def choices(self) -> dict[str, Choice]:
        found = {one.job.id: self.ledger.styles.of_job(one.job.id) for one in self.ledger.jobs.page("spring", JOBS)}
        return {job_id: choice for job_id, choice in found.items() if choice}

    def is_at_its_end(self) -> bool:
        self.keep_house()
        return self.ledger.campaigns.status("spring").is_settled and self.ledger.intake.expected() == 0


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"threads": 1, "batch_size": 4, "lease_seconds": 6.0})


def test_kills_of_makers_and_recorders_change_no_choice(
    settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path, workers: Workers
):
    factory, dice, seen = Factory(settings, own_ledger, storage, line_model), random.Random(5), []
    for _ in range(KILLS):
        started, done = (workers.start(), workers.start("feedback", queues=FEEDBACK_QUEUE)), factory.done
        wait_until(lambda done=done: factory.keep_house() or factory.done > done, 120, "progress")
        factory.rate()
        signal.sigtimedwait([], dice.uniform(0, 1.0))
        for worker in dice.sample(started, 2):
            worker.kill()
            worker.wait(10)
        seen.append(factory.choices())
    workers.start()
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    wait_until(factory.is_at_its_end, 240, "the end")

    choices, planned = factory.choices(), own_ledger.jobs.page("spring", JOBS)
    manifests = [
        Manifest.model_validate_json(storage.get(one.asset.manifest)) for one in own_ledger.assets.of_campaign("spring")
    ]

    assert_recorded(own_ledger, [one.job for one in planned])
    assert [{job_id: choices[job_id] for job_id in before} for before in seen] == seen
    wrote = {one.job.id: (one.job.brief.style, one.recipe["style"]) for one in manifests}
    assert wrote == {job_id: (choices[job_id].style, choices[job_id].style) for job_id in wrote}
    assert len(wrote) == factory.done > 0
    # Something was killed with choices in hand, and ratings reached those that came later.
    assert any(0 < len(before) < JOBS for before in seen)
    assert any(arm.answers for one in choices.values() for arm in one.known.arms)
