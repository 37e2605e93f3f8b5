"""Who fares better or worse than the rest, on SQLite and PostgreSQL."""

from core.bias import Difference
from core.ledger import Ledger
from core.ledger.bias import GroupReport
from core.ledger.leases import Failure, Lease
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief, Job
from schemas.styles import Style

from support.rated import a_rating, an_asset, job_id, make_assets, rate

SKUS = ("TEA-1", "TEA-2", "MUG-1")
CHANNELS = ("email.subject", "meta.headline")
LOCALES = ("en", "de")
AUDIENCE = Audience(id="home", description="at home")


def make_various(ledger: Ledger, campaign: str, count: int) -> None:
    """Record so many jobs, which walk through products, channels and locales; those of MUG-1 fail."""
    jobs = [a_job(campaign, number) for number in range(count)]
    products = tuple(Product(sku=sku, name=sku) for sku in SKUS)
    deliverables = tuple(CopyDeliverable(kind=Kind.COPY, channel=channel) for channel in CHANNELS)
    made = Campaign(
        name=campaign,
        brand=Brand(name="Northbeam"),
        products=products,
        audiences=(AUDIENCE,),
        deliverables=deliverables,
        locales=LOCALES,
    )
    ledger.campaigns.submit(campaign, made, jobs)
    lease = ledger.leases.claim(jobs[0].bucket, 1000, "w@test#1")
    assert isinstance(lease, Lease)
    done = [job for job in lease.jobs if job.brief.product.sku != "MUG-1"]
    failed = [Failure(job.id, "rejected", "no line", is_permanent=True) for job in lease.jobs if job not in done]
    ledger.leases.finish(lease, [an_asset(job, f"Line of {job.id}") for job in done], failed)


def a_job(campaign: str, number: int) -> Job:
    brief = Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku=SKUS[number % 3], name=SKUS[number % 3]),
        audience=AUDIENCE,
        channel=CHANNELS[number % 2],
        locale=LOCALES[number // 2 % 2],
        style=Style.BENEFIT,
    )
    return Job(
        id=job_id(number, campaign),
        campaign_id=campaign,
        kind=Kind.COPY,
        bucket="copy/starter+house/short",
        brief=brief,
        variant=number,
        seed=number,
    )


def of(found: list[GroupReport], by: str) -> dict[str, GroupReport]:
    return {one.name: one for one in found if one.by == by and one.kind == Kind.COPY}


def test_an_audience_that_accepts_less_than_the_rest_is_marked(ledger: Ledger):
    make_assets(ledger, 60)
    # Those for commuters have the even numbers.
    rate(ledger, [a_rating(number, approves=number % 2 == 1 or number < 6) for number in range(60)])

    found = of(ledger.bias.report(["spring"]), "audience")

    assert {name: one.acceptance_difference for name, one in found.items()} == {
        "commuters": Difference.LOWER,
        "home": Difference.HIGHER,
    }
    assert [found["commuters"].ratings, found["commuters"].answers] == [30, 30]
    acceptance = found["commuters"].acceptance
    assert acceptance is not None
    assert acceptance.low < 0.1 + 1e-9 < acceptance.high
    assert found["commuters"].is_marked


def test_groups_of_which_people_think_alike_are_not_marked(ledger: Ledger):
    make_assets(ledger, 60)
    rate(ledger, [a_rating(number, approves=number // 2 % 2 == 0) for number in range(60)])

    found = ledger.bias.report(["spring"])

    assert [one.name for one in found if one.is_marked] == []
    assert of(found, "audience")["home"].acceptance_difference == Difference.ALIKE


def test_of_few_answers_nothing_is_said(ledger: Ledger):
    make_assets(ledger, 60)
    rate(ledger, [a_rating(number, approves=number % 2 == 0) for number in range(8)])

    found = of(ledger.bias.report(["spring"]), "audience")

    assert {one.acceptance_difference for one in found.values()} == {Difference.TOO_FEW}


def test_many_answers_about_one_asset_are_few(ledger: Ledger):
    make_assets(ledger, 2)
    people = [f"rater-{number}" for number in range(40)]
    rate(ledger, [a_rating(number, who, approves=number == 0) for number in range(2) for who in people])

    found = of(ledger.bias.report(["spring"]), "audience")

    assert {one.answers for one in found.values()} == {40}
    assert {one.acceptance_difference for one in found.values()} == {Difference.TOO_FEW}


def test_stars_are_ratings_and_no_answers(ledger: Ledger):
    make_assets(ledger, 4)
    rate(ledger, [a_rating(number, stars=4) for number in range(4)])

    found = of(ledger.bias.report(["spring"]), "channel")["google_search.headline"]

    assert [found.ratings, found.answers, found.acceptance] == [4, 0, None]


def test_a_product_group_whose_jobs_fail_is_marked(ledger: Ledger):
    make_various(ledger, "various", 120)

    found = of(ledger.bias.report(["various"]), "product group")

    assert {name: (one.jobs, one.dead_letters, one.dead_difference) for name, one in found.items()} == {
        "MUG": (40, 40, Difference.HIGHER),
        "TEA": (80, 0, Difference.LOWER),
    }


def test_the_locale_is_read_out_of_the_brief(ledger: Ledger):
    make_various(ledger, "various", 24)

    found = of(ledger.bias.report(["various"]), "locale")

    assert {name: one.jobs for name, one in found.items()} == {"de": 12, "en": 12}
    assert {one.jobs for one in of(ledger.bias.report(["various"]), "channel").values()} == {12}


def test_without_campaigns_all_are_added_up_and_with_them_those_alone(ledger: Ledger):
    make_various(ledger, "various", 24)
    make_various(ledger, "others", 12)

    assert of(ledger.bias.report(), "audience")["home"].jobs == 36
    assert of(ledger.bias.report(["various", "others"]), "audience")["home"].jobs == 36
    assert of(ledger.bias.report(["others"]), "audience")["home"].jobs == 12


def test_kinds_are_never_mixed(ledger: Ledger):
    make_assets(ledger, 20, images=10)
    rate(ledger, [a_rating(number, approves=number < 20) for number in range(30)])

    found = [one for one in ledger.bias.report() if one.by == "audience"]

    assert {(one.kind, one.name, one.answers) for one in found} == {
        *((Kind.COPY, name, 10) for name in ("commuters", "home")),
        *((Kind.IMAGE, name, 5) for name in ("commuters", "home")),
    }
    assert not any(one.is_marked for one in found)


def test_what_has_not_ended_counts_nowhere(ledger: Ledger):
    make_assets(ledger, 6, is_done=False)

    assert ledger.bias.report() == []
