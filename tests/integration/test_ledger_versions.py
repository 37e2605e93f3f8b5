"""Versions and promotions on SQLite and PostgreSQL: registered once, promoted by one person at a time, never unfit."""

import threading
import time

import pytest
from sqlalchemy import func, select

from core.errors import StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.promotions import Action, Order, Serving
from core.tables import promotions
from schemas.campaigns import Kind
from schemas.events import EventType
from schemas.versions import SHIPPED, Guardrail

from support.versions import MODEL, a_verdict, a_version, version_id

BY_ADA = Order("ada", "reads better")
FIRST, SECOND, THIRD = version_id(1), version_id(2), version_id(3)


@pytest.fixture
def registered(ledger: Ledger) -> Ledger:
    """A ledger with three versions that passed the gate, and one that did not."""
    for number in (1, 2, 3):
        ledger.versions.register(a_version(number))
    ledger.versions.register(a_version(4, is_passed=False))
    return ledger


def serving(ledger: Ledger) -> Serving:
    return ledger.promotions.serving(Kind.COPY, MODEL)


def promote(ledger: Ledger, version: str, why: str = "reads better") -> Serving:
    return ledger.promotions.promote(version, serving(ledger), Order("ada", why))


def champions(ledger: Ledger) -> list[tuple[Action, str, str]]:
    return [(one.action, one.before, one.after) for one in ledger.promotions.history(Kind.COPY, MODEL)]


def test_a_version_is_registered_once_and_comes_back_as_it_was(ledger: Ledger):
    version = a_version(verdict=a_verdict(0.1, Guardrail(name="length", champion=0.9, challenger=0.91, least=0.88)))

    assert ledger.versions.register(version)
    assert not ledger.versions.register(version)
    assert ledger.versions.get(version.id).described == version
    assert ledger.versions.of_model(Kind.COPY, MODEL) == [ledger.versions.get(version.id)]
    assert ledger.versions.models() == [(Kind.COPY, MODEL)]


def test_another_version_under_a_known_id_is_refused(ledger: Ledger):
    ledger.versions.register(a_version(metrics={"loss": 0.5}))

    with pytest.raises(StateError, match="registered with other files or facts"):
        ledger.versions.register(a_version(metrics={"loss": 0.4}))

    assert ledger.versions.get(FIRST).described.metrics == {"loss": 0.5}


def test_a_model_whose_assets_could_not_name_the_version_is_refused(ledger: Ledger):
    with pytest.raises(StateError, match=r"model: .* has more than 176 characters"):
        ledger.versions.register(a_version(model="x" * 177))


def test_a_model_that_nobody_changed_is_served_by_what_it_ships_with(ledger: Ledger):
    assert serving(ledger) == Serving(Kind.COPY, MODEL)
    assert ledger.promotions.champion_at(Kind.COPY, MODEL, time.time()) == SHIPPED


def test_a_promotion_is_one_row_that_says_what_whence_who_and_why(registered: Ledger):
    before = time.time()

    promote(registered, FIRST, "reads better")

    (change,) = registered.promotions.history(Kind.COPY, MODEL)
    assert (change.number, change.action, change.before, change.after) == (1, Action.PROMOTE, SHIPPED, FIRST)
    assert (change.actor, change.why) == ("ada", "reads better")
    assert before <= change.at <= time.time()
    assert serving(registered).champion == FIRST
    (told,) = list(registered.campaigns.history(f"{Kind.COPY} {MODEL}"))
    assert told[1:3] == ("ada", "promote")
    assert FIRST in told[3]


def test_promoting_the_champion_again_adds_no_row(registered: Ledger):
    once = promote(registered, FIRST)

    assert promote(registered, FIRST) == once
    assert len(champions(registered)) == 1


def test_what_did_not_pass_the_gate_never_serves(registered: Ledger):
    for change in (
        lambda: promote(registered, version_id(4)),
        lambda: registered.promotions.start_canary(version_id(4), 0.1, serving(registered), BY_ADA),
    ):
        with pytest.raises(StateError, match="did not pass the gate, so it never serves"):
            change()

    assert serving(registered).number == 0


def test_a_lost_guardrail_is_no_pass_however_much_people_like_it(ledger: Ledger):
    lost = a_verdict(0.3, Guardrail(name="length", champion=0.9, challenger=0.5, least=0.88))
    ledger.versions.register(a_version(verdict=lost))

    with pytest.raises(StateError, match="did not pass the gate"):
        promote(ledger, FIRST)


def test_a_version_serves_its_own_model_alone(registered: Ledger):
    with pytest.raises(StateError, match=f"is one of {MODEL.replace('+', '.')} .copy., not of other"):
        registered.promotions.promote(FIRST, registered.promotions.serving(Kind.COPY, "other"), BY_ADA)
    with pytest.raises(UnknownIdError, match="there is no version"):
        promote(registered, version_id(9))


def test_a_rollback_goes_back_step_by_step_to_what_the_model_ships_with(registered: Ledger):
    for version in (FIRST, SECOND, FIRST):
        promote(registered, version)

    back = [registered.promotions.rollback(serving(registered), BY_ADA).champion for _ in range(3)]

    assert back == [SECOND, FIRST, SHIPPED]
    with pytest.raises(StateError, match="nothing to go back to"):
        registered.promotions.rollback(serving(registered), BY_ADA)
    assert champions(registered)[-3:] == [
        (Action.ROLLBACK, FIRST, SECOND),
        (Action.ROLLBACK, SECOND, FIRST),
        (Action.ROLLBACK, FIRST, SHIPPED),
    ]


def test_where_a_rollback_leads_is_known_before_it_is_made(registered: Ledger):
    for version in (FIRST, SECOND):
        promote(registered, version)

    foreseen = []
    while serving(registered).champion != SHIPPED:
        foreseen.append(registered.promotions.former(serving(registered)))
        assert registered.promotions.rollback(serving(registered), BY_ADA).champion == foreseen[-1]

    assert foreseen == [FIRST, SHIPPED]
    with pytest.raises(StateError, match="nothing to go back to"):
        registered.promotions.former(serving(registered))


def test_after_a_rollback_another_promotion_goes_back_to_what_served_before_it(registered: Ledger):
    promote(registered, FIRST)
    promote(registered, SECOND)
    registered.promotions.rollback(serving(registered), BY_ADA)
    promote(registered, THIRD)

    assert registered.promotions.rollback(serving(registered), BY_ADA).champion == FIRST


def test_who_was_champion_at_an_instant_has_an_answer(registered: Ledger):
    moments = [time.time()]
    for version in (FIRST, SECOND):
        promote(registered, version)
        moments.append(time.time())

    answers = [registered.promotions.champion_at(Kind.COPY, MODEL, moment) for moment in moments]

    assert answers == [SHIPPED, FIRST, SECOND]


def test_of_two_people_who_have_seen_the_same_one_is_too_late(registered: Ledger):
    seen = serving(registered)
    registered.promotions.promote(FIRST, seen, Order("ada", "first"))

    for change in (
        lambda: registered.promotions.promote(SECOND, seen, Order("bo", "mine")),
        lambda: registered.promotions.rollback(seen, Order("bo", "mine")),
        lambda: registered.promotions.start_canary(SECOND, 0.5, seen, Order("bo", "mine")),
        lambda: registered.promotions.stop_canary(seen, Order("bo", "mine")),
    ):
        with pytest.raises(StateError, match="somebody else has just changed"):
            change()

    assert [one.actor for one in registered.promotions.history(Kind.COPY, MODEL)] == ["ada"]


def test_of_many_who_promote_at_once_one_wins(registered: Ledger):
    seen, start, won, late = serving(registered), threading.Barrier(8), [], []

    def promote_one(number: int) -> None:
        start.wait(10)
        try:
            won.append(registered.promotions.promote(version_id(number % 3 + 1), seen, Order(f"p{number}", "mine")))
        except StateError as error:
            late.append(error)

    people = [threading.Thread(target=promote_one, args=(number,)) for number in range(8)]
    for one in people:
        one.start()
    for one in people:
        one.join(30)

    assert (len(won), len(late)) == (1, 7)
    assert [one.after for one in registered.promotions.history(Kind.COPY, MODEL)] == [won[0].champion]


def test_a_canary_is_begun_stopped_and_begun_anew_under_another_name(registered: Ledger):
    promote(registered, FIRST)
    begun = registered.promotions.start_canary(SECOND, 0.25, serving(registered), BY_ADA)
    with pytest.raises(StateError, match=f"{SECOND} is being tried"):
        registered.promotions.start_canary(THIRD, 0.5, serving(registered), BY_ADA)
    stopped = registered.promotions.stop_canary(serving(registered), BY_ADA)
    again = registered.promotions.start_canary(SECOND, 0.25, serving(registered), BY_ADA)

    assert (begun.champion, begun.challenger, begun.share) == (FIRST, SECOND, 0.25)
    assert (stopped.champion, stopped.challenger, stopped.share, stopped.canary) == (FIRST, "", 0.0, "")
    assert begun.canary != again.canary
    assert champions(registered)[1:] == [
        (Action.START_CANARY, "", SECOND),
        (Action.STOP_CANARY, SECOND, ""),
        (Action.START_CANARY, "", SECOND),
    ]


@pytest.mark.parametrize("change", ["promote", "rollback"])
def test_a_canary_ends_when_the_champion_changes(registered: Ledger, change: str):
    promote(registered, FIRST)
    registered.promotions.start_canary(SECOND, 0.5, serving(registered), BY_ADA)

    if change == "promote":
        changed = promote(registered, SECOND)
    else:
        changed = registered.promotions.rollback(serving(registered), BY_ADA)

    assert (changed.champion, changed.canary) == (SECOND if change == "promote" else SHIPPED, "")


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(registered: Ledger, share: float):
    with pytest.raises(StateError, match="share: must be between 0 and 1"):
        registered.promotions.start_canary(FIRST, share, serving(registered), BY_ADA)


def test_the_champion_is_not_tried_and_without_a_canary_there_is_none_to_stop(registered: Ledger):
    promote(registered, FIRST)

    with pytest.raises(StateError, match="is champion"):
        registered.promotions.start_canary(FIRST, 0.5, serving(registered), BY_ADA)
    with pytest.raises(StateError, match="no canary runs"):
        registered.promotions.stop_canary(serving(registered), BY_ADA)


def test_a_challenger_that_cannot_be_loaded_is_marked_and_its_canary_stops(registered: Ledger):
    seen = registered.promotions.start_canary(FIRST, 0.5, serving(registered), BY_ADA)

    left = registered.promotions.withdraw(FIRST, seen, Order("w1", "a worker cannot load it: damaged"))

    assert (left.champion, left.canary) == (SHIPPED, "")
    assert registered.versions.get(FIRST).fault == "a worker cannot load it: damaged"
    with pytest.raises(StateError, match=r"is broken: .*damaged.*factory models check"):
        promote(registered, FIRST)


def test_a_broken_champion_is_rolled_back_past_other_broken_ones(registered: Ledger):
    for version in (FIRST, SECOND, THIRD):
        promote(registered, version)
    registered.promotions.withdraw(SECOND, serving(registered), Order("w1", "damaged"))

    left = registered.promotions.withdraw(THIRD, serving(registered), Order("w1", "damaged"))

    assert left.champion == FIRST
    assert champions(registered)[-1] == (Action.ROLLBACK, THIRD, FIRST)
    # Two workers find the same.
    assert registered.promotions.withdraw(THIRD, serving(registered), Order("w2", "damaged")) == left


def test_a_mended_version_may_serve_again(registered: Ledger):
    registered.promotions.withdraw(FIRST, serving(registered), Order("w1", "damaged"))

    registered.versions.clear_fault(FIRST, "ada")

    assert promote(registered, FIRST).champion == FIRST


def test_every_tenant_that_listens_is_told_of_another_champion_and_of_nothing_else(registered: Ledger):
    for tenant in ("ann", "bob"):
        registered.webhooks.create(tenant, "https://example.com/hooks", [EventType.VERSION_PROMOTED])
    registered.webhooks.create("cy", "https://example.com/hooks", [EventType.ASSET_FAILED])

    registered.promotions.start_canary(FIRST, 0.5, serving(registered), BY_ADA)
    promote(registered, FIRST)
    registered.promotions.rollback(serving(registered), BY_ADA)

    for tenant in ("ann", "bob"):
        back, forth = registered.webhooks.page(tenant, 10)
        assert (forth.type, forth.subject) == ("version.promoted", FIRST)
        assert forth.data == {
            "kind": "copy",
            "model": MODEL,
            "action": "promote",
            "number": 2,
            "before": SHIPPED,
            "after": FIRST,
        }
        assert (back.data["action"], back.data["before"], back.data["after"]) == ("rollback", FIRST, SHIPPED)
    assert registered.webhooks.page("cy", 10) == []
    assert len(registered.webhooks.claim(60)) == 4


def test_numbers_of_promotions_have_no_gap(registered: Ledger):
    for version in (FIRST, SECOND):
        promote(registered, version)
    registered.promotions.rollback(serving(registered), BY_ADA)

    with registered.database.read() as connection:
        rows, last = connection.execute(select(func.count(), func.max(promotions.c.number))).one()

    assert rows == last == 3
