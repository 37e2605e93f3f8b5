"""The page of metrics: labels from short lists whatever the ledger holds, and no more work than it needs."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from core.ledger import Ledger
from core.ledger.figures import Backlog, Made, Opinions, Snapshot
from core.ledger.promotions import Serving
from core.settings import Settings
from producer.api.figures import MOST_MODELS, Exposition, render
from schemas.buckets import plain_name
from schemas.campaigns import Kind
from schemas.jobs import JobState

Page = dict[str, dict[tuple[tuple[str, str], ...], float]]


def a_snapshot(**changes: object) -> Snapshot:
    fields: dict[str, object] = {
        "jobs": {},
        "claimable": {},
        "dead_letters": {},
        "made": {},
        "spent_device_seconds": 0.0,
        "opinions": {},
        "open_trainings": {},
        "canaries": (),
        "outbox": Backlog(),
        "inbox": Backlog(),
        "late_schedules": Backlog(),
        "due_runs": Backlog(),
        "at": 1000.0,
    }
    return Snapshot(**fields | changes)


def shown(snapshot: Snapshot, **settings: object) -> Page:
    page: Page = {}
    text = render(snapshot, Settings(home=Path("nowhere"), **settings)).decode()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            page.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return page


def test_every_kind_and_state_is_there_from_the_first_moment():
    page = shown(a_snapshot())

    assert len(page["factory_jobs"]) == len(Kind) * len(JobState)
    assert set(page["factory_jobs"].values()) == {0.0}
    assert len(page["factory_wanted_jobs"]) == len(Kind)


def test_what_is_wanted_is_what_could_be_claimed_and_what_is_in_hand():
    jobs = {(Kind.COPY, JobState.WAITING): 10, (Kind.COPY, JobState.LEASED): 3}

    page = shown(a_snapshot(jobs=jobs, claimable={Kind.COPY: Backlog(4, 61.5)}))

    copy = (("kind", "copy"),)
    assert page["factory_claimable_jobs"][copy] == 4
    assert page["factory_wanted_jobs"][copy] == 7
    assert page["factory_oldest_waiting_seconds"][copy] == 61.5


def test_device_time_has_a_price_only_where_one_is_set():
    snapshot = a_snapshot(spent_device_seconds=7200.0)

    assert "factory_cost_total" not in shown(snapshot)
    assert shown(snapshot, device_hour_price=2.5)["factory_cost_total"] == {(): 5.0}


def test_a_canary_is_as_old_as_its_start():
    canary = Serving(Kind.COPY, "starter", 2, challenger="copy-20261126-00000001", share=0.1, since=400.0)

    assert shown(a_snapshot(canaries=(canary,)))["factory_canary_seconds"] == {(("kind", "copy"),): 600.0}


def test_opinions_are_shown_by_kind():
    page = shown(a_snapshot(opinions={Kind.IMAGE: Opinions(9, 5, 2)}))

    assert page["factory_ratings"] == {(("kind", "image"),): 9.0}
    assert sorted(page["factory_rated_assets"].values()) == [2.0, 5.0]


def test_of_very_many_models_the_last_are_one_and_nothing_is_lost():
    made = {(Kind.COPY, f"model-{number:03d}"): Made(2, 1.0) for number in range(MOST_MODELS + 60)}

    counts = shown(a_snapshot(made=made))["factory_assets_total"]

    assert len(counts) == MOST_MODELS + 1
    assert sum(counts.values()) == 2 * len(made)
    assert counts[("kind", "copy"), ("model", "other")] == 120


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("starter+house", "starter+house"),
        ("/srv/models/our brand+/srv/adapters/x", "our_brand+x"),
        ("s3://key:secret@bucket/prefix/model/", "model"),
        ("org/model-1.5", "model-1.5"),
    ],
)
def test_a_model_is_named_without_its_folder(model: str, label: str):
    assert plain_name(model) == label


ANYTHING = st.text(max_size=60)


@given(models=st.lists(ANYTHING, max_size=60), codes=st.lists(ANYTHING, max_size=20))
def test_whatever_the_ledger_holds_the_labels_are_plain(models: list[str], codes: list[str]):
    made = {(Kind.COPY, model): Made(1, 0.5) for model in models}
    letters = {(Kind.COPY, code): 1 for code in codes}

    page = shown(a_snapshot(made=made, dead_letters=letters))

    values = {value for samples in page.values() for labels in samples for _, value in labels}
    assert all(
        set(value) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") for value in values
    )
    assert sum(page.get("factory_assets_total", {}).values()) == len(made)
    assert sum(page.get("factory_dead_letters", {}).values()) == len(letters)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_asks_often_gets_the_page_that_was_read_last(tmp_path: Path):
    settings, clock = Settings(home=tmp_path), Clock()
    opened = Ledger(settings)
    exposition = Exposition(opened, settings, clock)

    first = exposition.page()
    opened.close()
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")
    clock.now = 4.9
    again = exposition.page()

    assert again == first


def test_after_some_seconds_it_is_read_anew(tmp_path: Path):
    settings, clock = Settings(home=tmp_path), Clock()
    opened = Ledger(settings)
    exposition = Exposition(opened, settings, clock)

    exposition.page()
    opened.trainings.ask(Kind.COPY, "starter", "ada asked for it")
    clock.now = 5.1
    page = exposition.page()
    opened.close()

    assert b'factory_open_trainings{kind="copy"} 1.0' in page


def test_a_ledger_that_takes_long_is_asked_less_often(tmp_path: Path):
    settings, clock = Settings(home=tmp_path), Clock()
    opened = Ledger(settings)

    class Slow:
        asked = 0

        def snapshot(self) -> Snapshot:
            self.asked += 1
            clock.now += 2.0
            return a_snapshot(at=time.time())

    opened.figures = slow = Slow()
    exposition = Exposition(opened, settings, clock)
    for now in (0.0, 30.0, 41.9, 42.1):
        clock.now = max(clock.now, now)
        exposition.page()
    opened.close()

    assert slow.asked == 2
