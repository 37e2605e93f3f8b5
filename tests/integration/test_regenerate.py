"""Rejected assets are made anew: once each, otherwise than before, and with what replaced their parts."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.errors import StateError
from core.ledger import Ledger
from core.ledger.campaigns import CampaignState
from core.settings import Settings
from core.storage import Storage
from producer.regenerate import regenerate
from producer.verify import verify
from schemas.assets import Manifest
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief, CreativeOrder, Input, Job, JobState
from schemas.layouts import layouts
from schemas.styles import Style
from workers.checks.copy import is_near_duplicate

from support.lines import line_campaign, line_jobs
from support.rated import a_rating, finish_waiting, job_id, make_assets, rate
from support.waiting import wait_until
from support.workers import Workers

BRIEF = Brief(
    brand=Brand(name="Northbeam"),
    product=Product(sku="NB-1", name="Ember Espresso"),
    audience=Audience(id="commuters", description="in a hurry"),
    channel="meta.headline",
)
HEADLINE, PICTURE, AD = "ads-000000", "ads-000001", "ads-000002"


def make_ad(ledger: Ledger, layout: str = "") -> None:
    made_of = (Input(role="headline", job_id=HEADLINE), Input(role="image", job_id=PICTURE))
    in_picture = BRIEF.model_copy(update={"channel": "meta.feed"})
    kinds = {
        HEADLINE: (Kind.COPY, "copy/starter+house/short", BRIEF, ()),
        PICTURE: (Kind.IMAGE, "image/starter/1080x1080", in_picture, ()),
        AD: (
            Kind.CREATIVE,
            "creative/layouts/any",
            in_picture.model_copy(update={"creative": CreativeOrder(layout=layout)}),
            made_of,
        ),
    }
    planned = [
        Job(id=name, campaign_id="ads", kind=kind, bucket=bucket, brief=brief, variant=0, seed=1, inputs=inputs)
        for name, (kind, bucket, brief, inputs) in kinds.items()
    ]
    deliverable = CopyDeliverable(kind=Kind.COPY, channel=BRIEF.channel, variants=3)
    campaign = Campaign(
        name="ads",
        brand=BRIEF.brand,
        products=(BRIEF.product,),
        audiences=(BRIEF.audience,),
        deliverables=(deliverable,),
    )
    ledger.campaigns.submit("ads", campaign, planned)
    finish_waiting(ledger)


def job(ledger: Ledger, name: str) -> Job:
    return ledger.jobs.status(name).job


def test_what_was_rejected_needs_no_reason_and_carries_the_one_it_was_given(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(0, approves=False, reason="off-brand")])

    made = regenerate(ledger, job_id(0), None, "ada")

    revision = job(ledger, made.job_id).brief.revision
    assert (made.job_id, made.reason, made.is_new) == ("spring-000000-r1", "off-brand", True)
    assert revision.replaces == job_id(0)
    assert revision.reasons == ("off-brand",)
    assert revision.rejected == ("Line of spring-000000",)


def test_a_reason_rejects_the_asset_first(ledger: Ledger):
    make_assets(ledger, 1)

    regenerate(ledger, job_id(0), "untrue", "ada")

    assert ledger.ratings.standing(job_id(0)) == "rejected"
    assert ledger.scores.reasons("spring") == {"untrue": 1}


def test_each_round_has_another_style_and_seed_and_knows_all_that_was_rejected(ledger: Ledger):
    make_assets(ledger, 1)
    old = job(ledger, job_id(0))

    first = job(ledger, regenerate(ledger, old.id, "untrue", "ada").job_id)
    finish_waiting(ledger)
    second = job(ledger, regenerate(ledger, first.id, "off-brand", "ada").job_id)

    assert [one.brief.style for one in (old, first, second)] == [Style.DETAIL, Style.BENEFIT, Style.DETAIL]
    assert len({one.seed for one in (old, first, second)}) == 3
    assert second.id == "spring-000000-r2"
    assert second.brief.revision.reasons == ("untrue", "off-brand")
    assert second.brief.revision.rejected == ("Line of spring-000000", "Line of spring-000000-r1")


def test_a_finished_campaign_goes_on_and_its_jobs_still_add_up(ledger: Ledger):
    make_assets(ledger, 2)
    before = ledger.campaigns.status("spring")

    regenerate(ledger, job_id(1), "other", "ada")

    after = ledger.campaigns.status("spring")
    assert (before.state, after.state) == (CampaignState.FINISHED, CampaignState.ACTIVE)
    assert (after.submitted_jobs, after.done, after.waiting) == (3, 2, 1)
    assert ledger.audit.replacements("spring") == 1


def test_people_who_ask_at_once_get_one_replacement(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(0, approves=False)])

    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: regenerate(ledger, job_id(0), None, "ada"), range(6)))

    assert {one.job_id for one in made} == {"spring-000000-r1"}
    assert sum(one.is_new for one in made) == 1
    assert ledger.campaigns.status("spring").submitted_jobs == 2


def test_an_advertisement_of_the_same_parts_gets_another_layout(ledger: Ledger):
    make_ad(ledger, layout="halo")
    names = list(layouts())

    made = job(ledger, regenerate(ledger, AD, "ugly", "ada").job_id)

    assert made.brief.creative.layout == names[(names.index("halo") + 1) % len(names)]
    assert made.inputs == job(ledger, AD).inputs
    assert ledger.jobs.status(made.id).state == JobState.WAITING
    assert ledger.leases.pick([Kind.CREATIVE]) is not None


def test_an_advertisement_is_made_anew_of_what_replaced_its_headline_and_waits_for_it(ledger: Ledger):
    make_ad(ledger, layout="halo")
    headline = regenerate(ledger, HEADLINE, "awkward-wording", "ada")

    made = job(ledger, regenerate(ledger, AD, "awkward-wording", "ada").job_id)
    waits = ledger.leases.pick([Kind.CREATIVE]) is None
    finish_waiting(ledger)

    assert headline.made_of_old == (AD,)
    assert [one.job_id for one in made.inputs] == [headline.job_id, PICTURE]
    assert made.brief.creative.layout == "halo"
    assert waits
    assert ledger.jobs.status(made.id).state == JobState.DONE


def test_a_replacement_that_is_lost_is_no_part_of_anything(ledger: Ledger):
    make_ad(ledger)
    headline = regenerate(ledger, HEADLINE, "awkward-wording", "ada")
    ledger.jobs.cancel(headline.job_id, "ada")

    made = job(ledger, regenerate(ledger, AD, "ugly", "ada").job_id)

    assert made.inputs == job(ledger, AD).inputs


def test_what_is_not_rejected_or_not_done_or_cancelled_is_not_made_anew(ledger: Ledger):
    make_assets(ledger, 1)
    make_assets(ledger, 1, campaign="waiting", is_done=False)
    make_assets(ledger, 1, campaign="dropped", is_done=False)
    ledger.campaigns.cancel("dropped", "ada")

    with pytest.raises(StateError, match="is not rejected: give --reason"):
        regenerate(ledger, job_id(0), None, "ada")
    with pytest.raises(StateError, match="is waiting: only what is done"):
        regenerate(ledger, job_id(0, "waiting"), "other", "ada")
    with pytest.raises(StateError, match="is cancelled: only what is done"):
        regenerate(ledger, job_id(0, "dropped"), "other", "ada")


def test_a_worker_never_delivers_a_rejected_line_or_one_nearly_like_it(
    settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path, tmp_path: Path
):
    campaign, app = line_campaign("lines", 3, 2), make_app(settings)
    own_ledger.campaigns.submit("lines", campaign, line_jobs("lines", campaign, line_model))
    workers = Workers(settings, tmp_path)
    workers.start("generate", queues="generate.copy")
    ring(app, Kind.COPY)
    wait_until(lambda: own_ledger.campaigns.status("lines").is_settled, 120)
    rejected = [one.asset for one in own_ledger.assets.of_campaign("lines")]

    for asset in rejected:
        regenerate(own_ledger, asset.job_id, "other", "ada")
    ring(app, Kind.COPY)
    wait_until(lambda: own_ledger.campaigns.status("lines").is_settled, 120)
    workers.end()

    made = [one.asset for one in own_ledger.assets.of_campaign("lines", only_wanted=True)]
    manifests = [Manifest.model_validate_json(storage.get(one.manifest)) for one in made]
    assert rejected
    assert made
    assert {one.job.brief.revision.replaces for one in manifests} <= {one.job_id for one in rejected}
    for asset in made:
        former = [one.preview for one in rejected if one.sku == asset.sku]
        assert not is_near_duplicate(asset.preview, former)
    assert verify(own_ledger, storage, "lines").is_sound
