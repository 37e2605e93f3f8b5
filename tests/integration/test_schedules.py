"""Schedules on a clock that the test moves: each moment is run once, whoever looks how often and whoever dies where."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from core.errors import ImpossibleWorkError, ScheduleError, StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.schedules import ScheduleState
from core.settings import Settings
from core.storage import Storage
from core.tables import schedules
from producer.schedules import scheduler
from producer.schedules.decide import decide
from producer.schedules.keep import Owner, Wish, add, change
from producer.schedules.scheduler import decide_due, run, run_now, submit_next
from producer.schedules.templates import of_file, received
from schemas.access import Limits
from schemas.campaigns import Priority
from schemas.events import EventType
from schemas.schedules import CatchUp, RunState

from support.scheduled import CAMPAIGN, JOBS, TENANT, Factory, at, without_broker
from support.waiting import free_port, wait_until

OWNER = Owner(TENANT, "test")
# A weekly schedule, added in the week before.
ADDED = "2026-11-27 12:00"
MONDAY = "2026-11-30 06:00"


@pytest.fixture
def either(ledger: Ledger, ledger_url: str, tmp_path: Path) -> Factory:
    """A factory once on SQLite and once on PostgreSQL, for what the databases do in their own ways."""
    return Factory(without_broker(tmp_path / "home", ledger_url), ledger)


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[Factory]:
    settings = without_broker(tmp_path / "home")
    opened = Ledger(settings)
    yield Factory(settings, opened)
    opened.close()


def history(factory: Factory, schedule_id: str) -> list[tuple[float, RunState]]:
    return [(one.due_at, one.state) for one in factory.ledger.runs.history(schedule_id, 1000)]


def test_each_run_is_a_campaign_of_its_own_with_the_moment_in_its_name(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)

    either.tick(at("2026-11-30 05:59"))
    before = either.campaigns()
    for moment in ("2026-11-30 06:00", "2026-11-30 06:01", "2026-12-07 06:00"):
        either.tick(at(moment))

    assert before == []
    assert either.campaigns() == ["roast-2026-11-30-0600", "roast-2026-12-07-0600"]
    assert history(either, schedule.id) == [
        (at("2026-12-07 06:00"), RunState.SUBMITTED),
        (at("2026-11-30 06:00"), RunState.SUBMITTED),
    ]


def test_runs_differ_by_their_seed_and_take_what_the_schedule_says(factory: Factory):
    schedule = factory.add("0 6 * * 1", ADDED, window="22:00-06:00", priority=Priority.BACKGROUND)

    factory.tick(at(MONDAY))
    factory.tick(at("2026-12-07 06:00"))

    runs = factory.ledger.runs.history(schedule.id, 10)
    made = [factory.ledger.campaigns.definition(one.campaign_id or "") for one in runs]
    assert len({one.seed for one in made}) == 2
    assert {(one.priority, one.window, one.timezone) for one in made} == {
        (Priority.BACKGROUND, "22:00-06:00", "Europe/Berlin")
    }


def test_both_of_two_equal_times_are_campaigns_where_the_clock_is_put_back(factory: Factory):
    factory.add("*/30 * * * *", "2026-10-25 01:50")

    for minute in range(0, 121, 30):
        factory.tick(at("2026-10-25 02:00") + minute * 60)

    assert factory.campaigns() == [
        "roast-2026-10-25-0200",
        "roast-2026-10-25-0200",
        "roast-2026-10-25-0230",
        "roast-2026-10-25-0230",
        "roast-2026-10-25-0300",
    ]


def test_what_was_missed_is_noted_and_not_run_unless_the_policy_says_so(either: Factory):
    kept = {one: either.add("0 6 * * *", ADDED, catch_up=one, name=f"daily-{one}") for one in CatchUp}

    either.tick(at("2026-12-10 12:00"))

    states = {one: [state for _, state in history(either, schedule.id)] for one, schedule in kept.items()}
    skipped, submitted = RunState.SKIPPED, RunState.SUBMITTED
    assert states[CatchUp.SKIP] == [skipped] * 13
    assert states[CatchUp.ONE] == [submitted, *[skipped] * 12]
    assert states[CatchUp.ALL] == [*[submitted] * 10, *[skipped] * 3]
    assert len(either.campaigns()) == 11


def test_schedulers_side_by_side_run_every_moment_once(either: Factory, ledger_url: str):
    schedules = [either.add("* * * * *", ADDED, catch_up=CatchUp.ALL, name=f"minutely-{n}") for n in range(3)]
    now, start = at(ADDED) + 10 * 60 + 1, threading.Barrier(4)

    def one(_: int) -> None:
        opened = Ledger(either.settings)
        start.wait(20)
        Factory(either.settings, opened).tick(now)
        opened.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    either.tick(now + either.settings.lease_seconds + 1)

    assert ledger_url == either.settings.ledger_url
    assert len(either.campaigns()) == 30
    for schedule in schedules:
        assert [state for _, state in history(either, schedule.id)] == [RunState.SUBMITTED] * 10


def test_a_decision_that_somebody_else_has_made_is_not_made_again(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)
    now = at(MONDAY)

    first = either.ledger.runs.decide(schedule, decide(schedule, now), now)
    second = either.ledger.runs.decide(schedule, decide(schedule, now), now)

    assert (first, second) == (True, False)
    assert history(either, schedule.id) == [(now, RunState.DUE)]


def test_a_decision_by_a_rule_that_was_changed_meanwhile_is_none(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)
    now = at(MONDAY)
    change(either.ledger, either.settings, schedule, Wish(cron="0 6 * * 1,3"), OWNER, None, at(ADDED))

    decided = either.ledger.runs.decide(schedule, decide(schedule, now), now)

    assert decided is False
    assert either.ledger.schedules.find(TENANT, "roast").next_at == now


def test_who_dies_after_the_decision_leaves_the_run_to_the_next(factory: Factory):
    factory.add("0 6 * * 1", ADDED)
    decide_due(factory.ledger, at(MONDAY))

    factory.tick(at("2026-12-01 09:00"))

    assert factory.campaigns() == ["roast-2026-11-30-0600"]


def test_who_dies_with_a_run_in_hand_leaves_it_to_the_next_after_its_lease(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)
    decide_due(either.ledger, at(MONDAY))
    assert either.ledger.runs.claim(at(MONDAY), 30.0)

    either.tick(at(MONDAY) + 29)
    early = either.campaigns()
    either.tick(at(MONDAY) + 30)

    assert (early, either.campaigns()) == ([], ["roast-2026-11-30-0600"])
    assert either.ledger.runs.history(schedule.id, 1)[0].attempts == 2


def test_who_dies_after_the_submit_and_before_it_is_recorded_doubles_nothing(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
):
    schedule = factory.add("0 6 * * 1", ADDED)
    decide_due(factory.ledger, at(MONDAY))

    class DiedError(BaseException):
        pass

    def die(*_: object) -> None:
        raise DiedError

    with monkeypatch.context() as patched:
        patched.setattr(factory.ledger.runs, "submitted", die)
        with pytest.raises(DiedError):
            submit_next(factory.ledger, factory.settings, factory.app, at(MONDAY))
    between = history(factory, schedule.id)
    factory.tick(at(MONDAY) + 31)

    assert between == [(at(MONDAY), RunState.DUE)]
    assert factory.campaigns() == ["roast-2026-11-30-0600"]
    assert history(factory, schedule.id) == [(at(MONDAY), RunState.SUBMITTED)]


def test_a_run_that_was_begun_stays_what_it_was_when_the_schedule_is_changed(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
):
    schedule = factory.add("0 6 * * 1", ADDED)
    decide_due(factory.ledger, at(MONDAY))
    with monkeypatch.context() as patched:
        patched.setattr(factory.ledger.runs, "submitted", lambda *_: None)
        submit_next(factory.ledger, factory.settings, factory.app, at(MONDAY))
    other = received(CAMPAIGN.replace("Northbeam", "Southbeam").encode(), "campaign.yaml", TENANT)
    change(factory.ledger, factory.settings, schedule, Wish(timezone="UTC"), OWNER, other, at(MONDAY))

    factory.tick(at(MONDAY) + 60)

    assert factory.campaigns() == ["roast-2026-11-30-0600"]


def test_a_changed_schedule_makes_the_new_campaign_at_the_new_time(factory: Factory):
    schedule = factory.add("0 6 * * 1", ADDED)
    other = received(CAMPAIGN.replace("roast", "filter").encode(), "campaign.yaml", TENANT)

    wish = Wish(cron="30 7 * * 2", priority=Priority.BACKGROUND)
    changed = change(factory.ledger, factory.settings, schedule, wish, OWNER, other, at(ADDED))
    kept = factory.ledger.schedules.find(TENANT, "roast")
    factory.tick(at(MONDAY))
    factory.tick(at("2026-12-01 07:30"))

    assert changed == kept
    assert factory.campaigns() == ["filter-2026-12-01-0730"]


def test_what_falls_into_a_pause_is_neither_run_nor_made_up_for(factory: Factory):
    schedule = factory.add("0 6 * * *", ADDED, catch_up=CatchUp.ALL)
    factory.ledger.schedules.pause(schedule, "ann")
    factory.tick(at("2026-11-30 12:00"))

    paused = factory.ledger.schedules.find(TENANT, "roast")
    factory.ledger.schedules.resume(paused, at("2026-12-01 06:00"), "ann")
    factory.tick(at("2026-12-01 06:00"))

    assert paused.state == ScheduleState.PAUSED
    assert factory.campaigns() == ["roast-2026-12-01-0600"]
    assert len(history(factory, schedule.id)) == 1


def test_a_removed_schedule_runs_nothing_that_is_not_submitted_and_frees_its_name(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)
    decide_due(either.ledger, at(MONDAY))

    either.ledger.schedules.remove(schedule, "ann")
    either.tick(at(MONDAY) + 60)

    assert either.campaigns() == []
    assert history(either, schedule.id) == [(at(MONDAY), RunState.SKIPPED)]
    assert either.ledger.schedules.page(TENANT, 10) == []
    with pytest.raises(UnknownIdError):
        either.ledger.schedules.find(TENANT, schedule.id)
    assert either.add("0 6 * * 1", ADDED).name == "roast"


def test_two_schedules_of_a_tenant_do_not_share_a_name(either: Factory):
    either.add("0 6 * * 1", ADDED)

    with pytest.raises(StateError, match="there is a schedule 'roast' already"):
        either.add("0 7 * * 1", ADDED)


def test_a_schedule_of_another_tenant_is_none(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)

    assert either.ledger.schedules.page("bob", 10) == []
    for name in (schedule.id, schedule.name):
        with pytest.raises(UnknownIdError):
            either.ledger.schedules.find("bob", name)


def test_run_now_is_a_campaign_besides_and_changes_nothing_of_the_clock(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)

    done = run_now(either.ledger, either.settings, either.app, schedule, "ann")
    either.tick(at(MONDAY))

    assert (done.state, done.cause) == (RunState.SUBMITTED, "ann")
    assert len(either.campaigns()) == 2
    assert either.ledger.campaigns.status(done.campaign_id or "").submitted_jobs == JOBS


def test_a_run_over_the_limit_of_its_tenant_waits_and_is_given_up_after_a_day(factory: Factory):
    schedule = factory.add("0 6 * * 1", ADDED)
    limited = replace(schedule, id="sch_limited", name="limited", is_limited=True)
    template = factory.ledger.schedules.template(schedule.template_id)
    factory.ledger.schedules.remove(schedule, "ann")
    factory.ledger.schedules.add(replace(limited, template_id="two"), replace(template, id="two"))
    factory.ledger.tenants.set_limits(TENANT, Limits(jobs_a_day=JOBS - 1))

    factory.tick(at(MONDAY))
    waiting = factory.ledger.runs.history("sch_limited", 1)[0]
    factory.tick(at("2026-12-01 06:01"))

    assert (waiting.state, "may submit 2 jobs a day" in waiting.reason) == (RunState.DUE, True)
    ended = factory.ledger.runs.history("sch_limited", 1)[0]
    assert (ended.state, "given up after a day: tenant ann" in ended.reason) == (RunState.FAILED, True)
    assert factory.campaigns() == []


def test_a_run_that_cannot_be_made_any_more_fails_with_the_reason_and_the_place(factory: Factory):
    text = CAMPAIGN + "locales: [de]\n"
    writes_german = factory.settings.model_copy(update={"copy_model": "org/german", "copy_adapter": None})
    taken = received(text.encode(), "campaign.yaml", TENANT)
    schedule = add(factory.ledger, writes_german, taken, Wish("0 6 * * 1"), OWNER, None, at(ADDED))

    factory.tick(at("2026-11-30 06:00") + 3600)

    (failed,) = factory.ledger.runs.history(schedule.id, 10)
    assert failed.state == RunState.FAILED
    assert failed.reason.startswith("campaign.yaml:9:11: locales[0]: the model 'starter+house' does not write 'de'")


def test_webhooks_of_the_tenant_are_told_of_a_run_that_failed(either: Factory):
    schedule = either.add("0 6 * * 1", ADDED)
    either.ledger.webhooks.create(TENANT, "https://example.com/hooks", [EventType.SCHEDULE_FAILED])
    either.ledger.webhooks.create("bob", "https://example.com/hooks", [EventType.SCHEDULE_FAILED])
    decide_due(either.ledger, at(MONDAY))
    claimed = either.ledger.runs.claim(at(MONDAY), 30.0)
    assert claimed

    for _ in range(2):
        either.ledger.runs.failed(claimed[0], "no \0 such thing", at(MONDAY))

    (event,) = either.ledger.webhooks.page(TENANT, 10)
    assert (event.type, event.subject) == (EventType.SCHEDULE_FAILED, schedule.id)
    assert event.data == {
        "schedule": schedule.id,
        "name": "roast",
        "due_at": at(MONDAY),
        "reason": "no \\0 such thing",
    }
    assert either.ledger.webhooks.page("bob", 10) == []


def test_a_schedule_that_nothing_can_be_decided_about_does_not_hold_up_another(factory: Factory):
    broken = factory.add("0 6 * * 1", ADDED, name="a-broken")
    factory.add("0 6 * * 1", ADDED, name="b-sound")
    with factory.ledger.database.write() as connection:
        # A rule that a later version of the library would not take any more.
        connection.execute(update(schedules).where(schedules.c.id == broken.id).values(cron="no rule"))

    factory.tick(at(MONDAY))

    assert history(factory, broken.id) == []
    assert factory.campaigns() == ["roast-2026-11-30-0600"]


def test_one_schedule_that_nobody_thought_of_does_not_hold_up_another(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
):
    poison = factory.add("0 6 * * 1", ADDED, name="a-poison")
    factory.add("0 6 * * 1", ADDED, name="b-sound")
    real = scheduler.campaign_of

    def break_one(source: Any, template: Any, schedule: Any, due_at: float) -> Any:
        if schedule.id == poison.id:
            raise ZeroDivisionError("nobody thought of this")
        return real(source, template, schedule, due_at)

    monkeypatch.setattr(scheduler, "campaign_of", break_one)
    factory.tick(at(MONDAY))

    (broken,) = factory.ledger.runs.history(poison.id, 10)
    assert (broken.state, broken.reason) == (RunState.DUE, "unexpected ZeroDivisionError: nobody thought of this")
    assert factory.campaigns() == ["roast-2026-11-30-0600"]


def test_a_long_name_leaves_room_for_the_moment(factory: Factory):
    factory.add("0 6 * * 1", ADDED, text=CAMPAIGN.replace("name: roast", f"name: {'long-' * 11}roast"), name="long")

    factory.tick(at(MONDAY))

    (name,) = factory.campaigns()
    assert name.endswith("-long-lo-2026-11-30-0600")
    assert len(name) <= 63


def test_a_campaign_that_must_not_be_begun_is_no_schedule(factory: Factory):
    with pytest.raises(ImpossibleWorkError, match="the campaign makes 3 jobs and may make 2"):
        factory.add("0 6 * * 1", ADDED, text=CAMPAIGN + "budget: {jobs: 2}\n")

    assert factory.ledger.schedules.page(TENANT, 10) == []


@pytest.mark.parametrize(
    ("wish", "name", "told"),
    [
        ({"cron": "0 6 * *"}, None, "cron: "),
        ({"timezone": "Berlin"}, None, "timezone: "),
        ({"window": "22-06"}, None, "window: write two times of day"),
        ({"window": "06:00-06:00"}, None, "window: opens and closes at the same time"),
        ({}, "Not A Name", "name: use lowercase"),
    ],
)
def test_a_schedule_that_breaks_the_rules_is_told_by_its_field(
    factory: Factory, wish: dict[str, str], name: str | None, told: str
):
    with pytest.raises(ScheduleError, match=told):
        factory.add(**({"cron": "0 6 * * 1"} | wish), now=ADDED, name=name)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a campaign, its feed and its logo."""
    folder = tmp_path / "shop"
    (folder / "data").mkdir(parents=True)
    (folder / "campaign.yaml").write_text(
        CAMPAIGN.replace("brand: {name: Northbeam}", "brand: {name: Northbeam, logo: logo.png}").replace(
            "products:\n  - {sku: NB-1, name: Ember Espresso}\n", "products: {file: data/products.csv}\n"
        )
    )
    (folder / "data" / "products.csv").write_text("sku,name\nNB-1,Ember Espresso\n")
    (folder / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\nand more")
    return folder


def test_what_lies_beside_the_file_is_kept_and_later_changes_of_it_do_not_matter(
    own_ledger: Ledger, settings: Settings, storage: Storage, shop: Path
):
    add(own_ledger, settings, of_file(shop / "campaign.yaml", TENANT), Wish("0 6 * * 1"), OWNER, None, at(ADDED))
    for path in ("campaign.yaml", "logo.png", "data/products.csv"):
        (shop / path).unlink()
    factory = Factory(settings, own_ledger)

    factory.tick(at("2026-11-30 07:00"))

    assert factory.campaigns() == ["roast-2026-11-30-0600"]
    assert sorted(key.partition("/")[0] for key, _ in storage.list("")) == ["logos", "schedules", "schedules"]


@pytest.mark.parametrize("fault", ["away", "refuses"])
def test_a_store_that_is_away_or_refuses_delays_a_run_and_loses_none(
    own_ledger: Ledger, settings: Settings, storage: Storage, shop: Path, fault: str
):
    assert storage.bucket == settings.s3_bucket
    add(own_ledger, settings, of_file(shop / "campaign.yaml", TENANT), Wish("0 6 * * 1"), OWNER, None, at(ADDED))
    changes = {
        "away": {"s3_endpoint": f"http://127.0.0.1:{free_port()}"},
        "refuses": {"s3_secret_key": SecretStr("no")},
    }
    away = settings.model_copy(update=changes[fault])

    Factory(away, own_ledger).tick(at("2026-11-30 07:00"))
    between = own_ledger.campaigns.page(TENANT, 10)
    factory = Factory(settings, own_ledger)
    factory.tick(at("2026-11-30 07:01"))

    assert between == []
    assert factory.campaigns() == ["roast-2026-11-30-0600"]


def test_a_feed_that_is_damaged_in_the_store_fails_the_run_with_the_reason(
    own_ledger: Ledger, settings: Settings, storage: Storage, shop: Path
):
    taken = of_file(shop / "campaign.yaml", TENANT)
    schedule = add(own_ledger, settings, taken, Wish("0 6 * * 1"), OWNER, None, at(ADDED))
    (key,) = (key for key, _ in storage.list("schedules/") if key.endswith(".csv"))
    storage.put(key, b"sku,name\nNB-1,Changed Espresso", "text/csv")

    Factory(settings, own_ledger).tick(at("2026-11-30 07:00"))

    (run_of_monday,) = own_ledger.runs.history(schedule.id, 10)
    assert run_of_monday.state == RunState.FAILED
    assert "has sha256" in run_of_monday.reason


def test_by_the_real_clock_what_comes_due_is_submitted_and_the_loop_ends_when_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scheduler, "POLL_SECONDS", 0.05)
    settings = without_broker(tmp_path / "home")
    opened = Ledger(settings)
    factory, stopping = Factory(settings, opened), threading.Event()
    taken = received(CAMPAIGN.encode(), "campaign.yaml", TENANT)
    schedule = add(opened, settings, taken, Wish("0 0 1 1 *"), OWNER, None, scheduler.time.time())
    loop = threading.Thread(target=run, args=(opened, settings, factory.app, stopping))
    loop.start()

    moment = scheduler.time.time() + 0.5
    factory.come_due(schedule, moment)
    wait_until(lambda: history(factory, schedule.id) == [(moment, RunState.SUBMITTED)], 30, "the run")
    stopping.set()
    loop.join(10)

    assert not loop.is_alive()
    assert len(factory.campaigns()) == 1
    assert opened.runs.history(schedule.id, 1)[0].decided_at >= moment
    opened.close()
