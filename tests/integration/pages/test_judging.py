"""What people do on the pages: rate, take back, compare, steer campaigns, mend dead letters, have assets made anew."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from core.ledger import Ledger
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.ratings import Comparison, Outcome, Rating

from support.brokers import Broker
from support.exhibits import CAMPAIGN, make_exhibits
from support.people import Pages, Person, settings_on, showing
from support.servers import SeaweedFS

SEEDS = itertools.count(1)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, broker: Broker, seaweedfs: SeaweedFS) -> Iterator[Pages]:
    """Pages for all tests of this file; none of them makes a key."""
    with showing(settings_on(tmp_path_factory.mktemp("pages"), broker, seaweedfs)) as shown:
        yield shown


@pytest.fixture
def campaign(pages: Pages) -> Iterator[str]:
    """A campaign of one test with ten assets and a dead letter."""
    submitted = pages.submit(f"{CAMPAIGN}seed: {next(SEEDS)}\n")
    make_exhibits(pages.ledger, Storage(pages.opened.settings))
    yield submitted
    record(pages.ledger)


def job_of(pages: Pages, campaign: str, number: int = 0, kind: Kind | None = None) -> str:
    made = [one.asset.job_id for one in pages.ledger.assets.of_campaign(campaign) if kind in {None, one.kind}]
    return made[number]


def said(ledger: Ledger, rater: str = "me") -> list[Any]:
    """Return what somebody sent, which nobody has recorded yet."""
    return [one.content for one in ledger.intake.on_their_way("default", rater)]


def record(ledger: Ledger, rater: str = "me") -> None:
    """Do what the feedback worker does."""
    ledger.intake.record(ledger.intake.on_their_way("default", rater))


def rate(person: Person, campaign: str, job: str, say: str, **fields: str) -> str:
    """Say something of an asset; return where that leads."""
    answer = person.send(f"/campaigns/{campaign}/rate", job=job, say=say, **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def shown(text: str) -> str:
    """Return the job whose asset a rating page shows, empty when none is left."""
    found = re.search(r'name="job" value="([^"]+)"', text)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("say", "rating"),
    [
        ("stars:4", {"stars": 4}),
        ("approve", {"approves": True}),
        ("reject", {"approves": False}),
        ("reject:off-brand", {"approves": False, "reason": "off-brand"}),
    ],
)
def test_what_is_said_is_sent_as_factory_rate_sends_it(
    pages: Pages, campaign: str, say: str, rating: dict[str, object]
):
    job = job_of(pages, campaign)

    rate(pages.nobody(), campaign, job, say, comment="  crisp\r\nand short ")

    assert said(pages.ledger) == [Rating(job_id=job, comment="crisp\nand short", **rating)]


@pytest.mark.parametrize(
    ("say", "told"),
    [
        ("stars:6", "stars"),
        ("stars:x", "stars"),
        ("reject:loud", "there is no reason &#39;loud&#39;"),
        ("", "<code>say</code> is one of"),
        ("love", "<code>say</code> is one of"),
    ],
)
def test_what_cannot_be_said_is_refused_with_the_way_out(pages: Pages, campaign: str, say: str, told: str):
    answer = pages.nobody().send(f"/campaigns/{campaign}/rate", job=job_of(pages, campaign), say=say)

    assert (answer.status_code, told in answer.text) == (422, True)
    assert said(pages.ledger) == []


def test_each_asset_comes_once_until_none_is_left(pages: Pages, campaign: str):
    person = pages.nobody()
    seen, left = [], []
    address = f"/campaigns/{campaign}/rate"

    while job := shown(text := person.text(address)):
        seen.append(job)
        found = re.search(r"<strong>(\d+)</strong> left of 10", text)
        assert found
        left.append(int(found[1]))
        address = rate(person, campaign, job, "approve")

    assert seen == [one.asset.job_id for one in pages.ledger.assets.of_campaign(campaign)]
    assert left == list(range(10, 0, -1))
    assert "All rated" in person.text(address)
    record(pages.ledger)
    assert "All rated" in person.text(f"/campaigns/{campaign}/rate")
    assert shown(person.text(f"/campaigns/{campaign}/rate?every=true")) == seen[0]


def test_a_filter_stays_while_one_rates(pages: Pages, campaign: str):
    person = pages.nobody()
    pictures = [job_of(pages, campaign, number, Kind.IMAGE) for number in range(4)]

    answer = person.send(f"/campaigns/{campaign}/rate?kind=image", job=pictures[0], say="approve")
    text = person.text(answer.headers["location"])

    assert shown(text) == pictures[1]
    assert "<strong>3</strong> left of 4" in text


def test_what_was_skipped_comes_again_after_the_last_one(pages: Pages, campaign: str):
    person = pages.nobody()
    jobs = [job_of(pages, campaign, number) for number in range(10)]

    text = person.text(rate(person, campaign, jobs[9], "approve"))

    assert shown(text) == jobs[0]


def test_next_and_previous_walk_without_saying_anything(pages: Pages, campaign: str):
    jobs = [job_of(pages, campaign, number) for number in range(3)]

    text = pages.nobody().text(f"/campaigns/{campaign}/rate?job={jobs[1]}")

    walks = re.findall(r'href="[^"]*[?&;]job=([a-z0-9-]+)[^"]*" data-key="([a-z])', text)
    assert walks == [(jobs[0], "k"), (jobs[2], "j")]


def test_stars_and_a_yes_or_no_may_be_said_one_after_the_other(pages: Pages, campaign: str):
    person, job = pages.nobody(), job_of(pages, campaign, 0, Kind.COPY)
    rate(person, campaign, job, "stars:5", comment="crisp")
    record(pages.ledger)

    rate(person, campaign, job, "reject:untrue", comment="crisp")
    record(pages.ledger)
    rate(person, campaign, job, "stars:2")

    (last,) = said(pages.ledger)
    assert last == Rating(job_id=job, stars=2, approves=False, reason="untrue")


def test_undo_takes_back_step_by_step_and_shows_what_was_taken_back(pages: Pages, campaign: str):
    person = pages.nobody()
    jobs = [job_of(pages, campaign, number) for number in range(2)]
    first = rate(person, campaign, jobs[0], "stars:4")
    trail = re.search(r"trail=([^&]+)", first)
    assert trail
    second = rate(person, campaign, jobs[1], "approve", trail=trail[1].replace("%7E", "~"))
    record(pages.ledger)

    places = []
    for _ in range(2):
        found = re.search(r'name="trail" value="([^"]+)"', person.text(second))
        assert found
        second = person.send(f"/campaigns/{campaign}/undo", trail=found[1]).headers["location"]
        places.append(shown(person.text(second)))
    record(pages.ledger)

    assert places == [jobs[1], jobs[0]]
    assert [one.is_withdrawn for job in jobs for one in pages.ledger.ratings.of_job(job) if one.is_current] == [
        True
    ] * 2
    assert "Undo" not in person.text(second)
    assert "<strong>10</strong> left of 10" in person.text(second)


@pytest.mark.parametrize("trail", ["", "x", "a~b", "../../etc~" + "0" * 32])
def test_nothing_can_be_taken_back_that_was_not_said(pages: Pages, campaign: str, trail: str):
    answer = pages.nobody().send(f"/campaigns/{campaign}/undo", trail=trail)

    assert (answer.status_code, "nothing to take back" in answer.text) == (422, True)


def test_a_job_of_another_campaign_cannot_be_rated_here(pages: Pages, campaign: str):
    other = pages.submit(tenant="ann")
    job = pages.ledger.jobs.page(other, 1)[0].job.id

    answers = [
        pages.nobody().send(f"/campaigns/{campaign}/rate", job=job, say="approve"),
        pages.nobody().get(f"/campaigns/{campaign}/rate?job={job}"),
        pages.nobody().send(f"/campaigns/{campaign}/pairs", left=job, right=job, say="tie"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 3


def test_pairs_come_once_each_and_say_which_side_is_better(pages: Pages, campaign: str):
    person = pages.nobody()
    address, says, pairs = f"/campaigns/{campaign}/pairs", iter(("left", "right", "tie", "left")), []

    while found := re.findall(r'name="(?:left|right)" value="([^"]+)"', person.text(address)):
        left, right = found
        pairs.append((left, right))
        answer = person.send(f"/campaigns/{campaign}/pairs", left=left, right=right, say=next(says))
        address = answer.headers["location"]

    # Two products with two headlines and two pictures each.
    outcomes = [Outcome.BETTER, Outcome.WORSE, Outcome.TIE, Outcome.BETTER]
    assert said(pages.ledger) == [
        Comparison(job_id=left, other_job_id=right, outcome=outcome)
        for (left, right), outcome in zip(pairs, outcomes, strict=True)
    ]
    assert len({frozenset(pair) for pair in pairs}) == 4
    assert "No pair is left" in person.text(address)


def test_a_pair_that_was_skipped_comes_again_at_the_end(pages: Pages, campaign: str):
    person = pages.nobody()
    address, seen = f"/campaigns/{campaign}/pairs", []

    for _ in range(5):
        text = person.text(address)
        seen.append(frozenset(re.findall(r'name="(?:left|right)" value="([^"]+)"', text)))
        skip = re.search(r'data-key="s" href="([^"]+)"', text)
        assert skip
        address = skip[1]

    assert len(set(seen[:4])) == 4
    assert seen[4] == seen[0]


@pytest.mark.parametrize(("say", "told"), [("", "<code>say</code> is one of"), ("both", "<code>say</code> is one of")])
def test_a_comparison_without_an_outcome_is_refused(pages: Pages, campaign: str, say: str, told: str):
    jobs = [job_of(pages, campaign, number, Kind.IMAGE) for number in range(2)]

    answer = pages.nobody().send(f"/campaigns/{campaign}/pairs", left=jobs[0], right=jobs[1], say=say)

    assert (answer.status_code, told in answer.text) == (422, True)


def test_a_campaign_is_steered_from_its_page(pages: Pages):
    campaign = pages.submit(f"{CAMPAIGN}seed: {next(SEEDS)}\n")
    person = pages.nobody()

    def state() -> tuple[str, str]:
        status = pages.ledger.campaigns.status(campaign)
        return str(status.state), str(status.priority)

    states = [
        (person.send(f"/campaigns/{campaign}/{action}", **fields).headers["location"].partition("?")[2], state())
        for action, fields in (
            ("pause", {}),
            ("resume", {}),
            ("priority", {"priority": "interactive"}),
            ("cancel", {}),
        )
    ]

    assert states == [
        ("said=paused", ("paused", "normal")),
        ("said=resumed", ("active", "normal")),
        ("said=hurried", ("active", "interactive")),
        ("said=cancelled", ("cancelled", "interactive")),
    ]
    assert "Cancelled. What is done stays." in person.text(f"/campaigns/{campaign}?said=cancelled")


def test_what_the_state_of_a_campaign_forbids_is_told_as_a_page(pages: Pages, campaign: str):
    person = pages.nobody()

    answers = [
        person.send(f"/campaigns/{campaign}/pause"),
        person.send(f"/campaigns/{campaign}/cancel"),
        person.send(f"/campaigns/{campaign}/priority", priority="normal"),
        person.send(f"/campaigns/{campaign}/priority", priority="at once"),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409, 422]
    assert "only one that is active can pause" in answers[0].text


def test_all_dead_letters_of_a_campaign_wait_again(pages: Pages, campaign: str):
    pages.nobody().send(f"/campaigns/{campaign}/retry")

    status = pages.ledger.campaigns.status(campaign)
    assert (status.failed, status.waiting, status.state) == (0, 1, "active")


def test_a_dead_letter_is_mended_field_by_field_and_tried_again(pages: Pages, campaign: str):
    person = pages.nobody()
    letter = pages.ledger.jobs.dead_letters(campaign)[0].job
    text = person.text(f"/dead-letters/{letter.id}")
    fields = dict.fromkeys(re.findall(r'name="(brief\.[a-z_.]+)"', text), "")
    plain = letter.brief.model_dump(mode="json")
    for field in fields:
        value: Any = plain
        for name in field.split(".")[1:]:
            value = value[name]
        fields[field] = "" if value is None else "[]" if isinstance(value, list) else str(value)

    fields |= {"brief.product.description": "Dark\r\nroast", "brief.brand.banned_words": '["cheap"]'}
    answer = person.send(f"/dead-letters/{letter.id}", **fields, then="retry")

    job = pages.ledger.jobs.status(letter.id)
    assert answer.headers["location"] == f"/dead-letters?campaign={campaign}"
    assert job.state == "waiting"
    expected = letter.brief.model_copy(
        update={
            "product": letter.brief.product.model_copy(update={"description": "Dark\nroast"}),
            "brand": letter.brief.brand.model_copy(update={"banned_words": ("cheap",)}),
        }
    )
    assert job.job.brief == expected


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("channel", "meta.wild", "there is no channel"),
        ("brand.banned_words", "cheap", "is a list: write it as JSON"),
        ("product.sku", "a b", "product.sku"),
        ("product.wild", "x", "has no field"),
    ],
)
def test_a_brief_that_cannot_be_is_shown_again_as_it_was_typed(
    pages: Pages, campaign: str, field: str, value: str, told: str
):
    letter = pages.ledger.jobs.dead_letters(campaign)[0].job

    answer = pages.nobody().send(f"/dead-letters/{letter.id}", **{f"brief.{field}": value}, then="retry")

    assert (answer.status_code, told in answer.text) == (422, True)
    assert f'value="{value}"' in answer.text or field == "product.wild"
    assert pages.ledger.jobs.status(letter.id).job.brief == letter.brief


def test_a_job_that_did_not_fail_cannot_be_mended(pages: Pages, campaign: str):
    job, person = job_of(pages, campaign), pages.nobody()

    answer = person.send(f"/dead-letters/{job}", then="retry")

    assert (answer.status_code, "only a failed one" in answer.text) == (409, True)
    assert "nothing is to be mended" in person.text(f"/dead-letters/{job}")


def test_an_asset_is_rejected_with_a_reason_and_made_anew_once(pages: Pages, campaign: str):
    job, person = job_of(pages, campaign, 0, Kind.COPY), pages.nobody()

    for _ in range(2):
        assert person.send(f"/assets/{job}/regenerate", reason="untrue").status_code == 303
    text = person.text(f"/assets/{job}")
    without = person.send(f"/assets/{job}/regenerate")

    replacement = pages.ledger.replacements.of(job)
    assert replacement == f"{job}-r1"
    assert f'<a href="/dead-letters/{job}-r1">' in text
    assert "which is waiting" in text
    assert "Says or shows what is not so" in text
    assert (without.status_code, "choose what is wrong" in without.text) == (422, True)
