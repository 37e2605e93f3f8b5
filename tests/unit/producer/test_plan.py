from collections import Counter
from itertools import groupby, islice
from pathlib import Path

import pytest

from core.errors import ImpossibleWorkError
from producer import campaigns, plan
from producer.campaigns import CampaignSource
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.rates import rates
from schemas.styles import Style

EXAMPLES = Path("examples")
CAMPAIGN = """\
name: spring
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember}
  - {sku: NB-2, name: Amber}
audiences:
  - {id: early, description: early birds}
  - {id: late, description: night owls}
locales: [en, en-GB]
deliverables:
  - {kind: copy, channel: email.subject, variants: 7}
  - {kind: copy, channel: blog.summary, variants: 3}
"""


def models(copy: str = "starter") -> dict[Kind, str]:
    return {Kind.COPY: copy, Kind.IMAGE: "starter", Kind.CREATIVE: "layouts", Kind.MUSIC: "starter"}


def source(folder: Path, text: str = CAMPAIGN) -> CampaignSource:
    path = folder / "campaign.yaml"
    path.write_text(text)
    return campaigns.read(path)


@pytest.mark.parametrize(
    ("example", "jobs", "by_channel", "batches"),
    [
        (
            "northbeam",
            102,
            {
                "google_search.headline": 12,
                "google_search.description": 12,
                "meta.headline": 12,
                "email.subject": 12,
                "instagram.square (image)": 12,
                "meta.feed (creative)": 12,
                "instagram.story (creative)": 12,
                "iab.medium_rectangle (creative)": 12,
                "music.bumper": 2,
                "music.spot": 2,
                "music.bed": 2,
            },
            {
                "copy/starter/short": 3,
                "copy/starter/medium": 1,
                "image/starter/1080x1080": 1,
                "music/starter/4-bars": 1,
                "creative/layouts/any": 3,
            },
        ),
        (
            "feed",
            60,
            {"google_search.description": 24, "push.notification": 24, "product.description": 12},
            {"copy/starter/medium": 3, "copy/starter/long": 1},
        ),
    ],
)
def test_the_examples_plan_to_the_numbers_they_name(
    example: str, jobs: int, by_channel: dict[str, int], batches: dict[str, int]
):
    read = campaigns.read(EXAMPLES / example / "campaign.yaml")

    planned = plan.plan(read, models("starter"), rates(), batch_size=16)

    lines = sum(
        count for channel, count in by_channel.items() if "(" not in channel and not channel.startswith("music.")
    )
    assert f"= {lines} lines of copy" in read.path.read_text()
    assert planned.jobs == len(list(plan.jobs(read, models("starter")))) == jobs
    assert planned.jobs_by_channel == by_channel
    assert planned.batches_by_bucket == batches
    assert planned.over_budget is None


def test_a_plan_made_twice_is_the_same(tmp_path: Path):
    first = list(plan.jobs(source(tmp_path), models("starter")))

    second = list(plan.jobs(source(tmp_path), models("starter")))

    assert second == first


def test_every_job_keeps_the_contract_and_has_its_own_id_and_seed(tmp_path: Path):
    jobs = list(plan.jobs(source(tmp_path), models("starter")))

    assert [Job.model_validate_json(job.model_dump_json()) for job in jobs] == jobs
    assert [job.id[-6:] for job in jobs] == [f"{i:06d}" for i in range(80)]
    assert len({job.seed for job in jobs}) == 80


def test_jobs_of_one_product_and_audience_stand_together(tmp_path: Path):
    jobs = plan.jobs(source(tmp_path), models("starter"))

    runs = [pair for pair, _ in groupby(jobs, lambda job: (job.brief.product.sku, job.brief.audience.id))]

    assert runs == [("NB-1", "early"), ("NB-1", "late"), ("NB-2", "early"), ("NB-2", "late")]


def test_variants_walk_through_the_styles_and_long_ones_through_two(tmp_path: Path):
    jobs = list(islice(plan.jobs(source(tmp_path), models("some/model")), 10))

    styles = [job.brief.style for job in jobs]

    walk = [Style.BENEFIT, Style.DETAIL, Style.ACTION, Style.MOMENT, Style.QUESTION]
    assert styles[:7] == [*walk, Style.BENEFIT, Style.DETAIL]
    assert styles[7:] == [Style.BENEFIT, Style.MOMENT, Style.BENEFIT]


def test_a_campaign_names_the_styles_that_its_variants_walk_through(tmp_path: Path):
    text = CAMPAIGN.replace("variants: 7}", "variants: 3, styles: [question, moment]}")

    jobs = list(islice(plan.jobs(source(tmp_path, text), models()), 3))

    assert [job.brief.style for job in jobs] == [Style.QUESTION, Style.MOMENT, Style.QUESTION]
    assert {job.open_styles for job in jobs} == {()}


def test_styles_that_ratings_choose_are_left_open_and_walk_till_then(tmp_path: Path):
    text = CAMPAIGN.replace("variants: 7}", "variants: 3, styles: auto}")

    jobs = list(islice(plan.jobs(source(tmp_path, text), models()), 6))

    assert [job.brief.style for job in jobs[:3]] == [Style.BENEFIT, Style.DETAIL, Style.BENEFIT]
    assert {job.open_styles for job in jobs[:3]} == {(Style.BENEFIT, Style.DETAIL)}
    assert {job.open_styles for job in jobs[3:]} == {()}


def test_of_one_style_nothing_is_left_open(tmp_path: Path):
    text = CAMPAIGN.replace("variants: 3}", "variants: 3, styles: auto}")

    jobs = [job for job in plan.jobs(source(tmp_path, text), models()) if job.brief.channel == "blog.summary"]

    assert {(job.brief.style, job.open_styles) for job in jobs} == {(Style.BENEFIT, ())}


def test_a_plan_made_twice_leaves_the_same_open(tmp_path: Path):
    asked = source(tmp_path, CAMPAIGN.replace("variants: 7}", "variants: 7, styles: auto}"))

    assert list(plan.jobs(asked, models())) == list(plan.jobs(asked, models()))


def test_a_model_is_asked_for_the_styles_that_it_writes_well(tmp_path: Path):
    jobs = plan.jobs(source(tmp_path), models("starter+house"))

    assert {job.brief.style for job in jobs} == {Style.BENEFIT, Style.DETAIL}


def test_a_bucket_names_kind_model_and_shape(tmp_path: Path):
    jobs = plan.jobs(source(tmp_path), models("HuggingFaceTB/SmolLM2"))

    assert {job.bucket for job in jobs} == {
        "copy/HuggingFaceTB/SmolLM2/short",
        "copy/HuggingFaceTB/SmolLM2/long",
    }


def test_a_seed_follows_from_the_brief_and_not_from_its_place(tmp_path: Path):
    def seeds(text: str) -> dict[tuple[str, str, str, str, int], int]:
        jobs = plan.jobs(source(tmp_path, text), models("starter"))
        return {
            (job.brief.product.sku, job.brief.audience.id, job.brief.locale, job.brief.channel, job.variant): job.seed
            for job in jobs
        }

    before = seeds(CAMPAIGN)
    fewer = seeds(CAMPAIGN.replace("  - {sku: NB-1, name: Ember}\n", "").replace("variants: 7", "variants: 2"))
    other = seeds(CAMPAIGN + "seed: 1\n")

    assert fewer.items() < before.items()
    assert set(other.values()).isdisjoint(before.values())


def test_seconds_and_money_follow_from_the_rates(tmp_path: Path):
    measured = rates({"copy/starter/short": 0.25, "copy/starter/long": 2.0})

    planned = plan.plan(source(tmp_path), models("starter"), measured, 16, workers=2, price_per_device_hour=3600.0)

    assert planned.device_seconds == 56 * 0.25 + 24 * 2.0 == 62.0
    assert planned.wall_seconds == 31.0
    assert planned.cost == 62.0
    assert planned.is_measured


def test_workers_beyond_the_batches_do_not_help(tmp_path: Path):
    planned = plan.plan(source(tmp_path), models("starter"), rates({}), 1000, workers=10)

    assert planned.batches_by_bucket == {"copy/starter/short": 1, "copy/starter/long": 1}
    assert planned.device_seconds is not None
    assert planned.wall_seconds == planned.device_seconds / 2


def test_of_a_model_that_nobody_measured_no_seconds_are_told(tmp_path: Path):
    planned = plan.plan(source(tmp_path), models("./my-model"), rates(), 16, price_per_device_hour=1.0)

    assert planned.jobs == 80
    assert (planned.device_seconds, planned.wall_seconds, planned.cost) == (None, None, None)
    assert not planned.is_measured


def test_a_budget_smaller_than_the_campaign_is_told_with_its_line(tmp_path: Path):
    read = source(tmp_path, CAMPAIGN + "budget: {jobs: 79}\n")

    planned = plan.plan(read, models("starter"), rates(), 16)

    assert planned.jobs_in_budget == 79
    assert planned.over_budget == (
        f"{read.path}:13:16: budget.jobs: the campaign makes 80 jobs and may make 79; "
        "raise the budget, or ask for fewer variants"
    )


def test_a_budget_of_device_seconds_says_where_it_will_stop(tmp_path: Path):
    read = source(tmp_path, CAMPAIGN + "budget: {device_seconds: 20}\n")

    planned = plan.plan(read, models("starter"), rates({"copy/starter/short": 1.0, "copy/starter/long": 1.0}), 16)

    assert planned.jobs_in_budget == 20
    assert planned.over_budget is None


def test_a_language_that_the_model_does_not_write_is_refused_with_its_line(tmp_path: Path):
    read = source(tmp_path, CAMPAIGN.replace("[en, en-GB]", "[en, de, fr-CA]"))

    with pytest.raises(ImpossibleWorkError) as caught:
        plan.plan(read, models("starter"), rates(), 16)

    assert str(caught.value).splitlines() == [
        f"{read.path}:9:15: locales[1]: the model 'starter' does not write 'de'; name another copy model",
        f"{read.path}:9:19: locales[2]: the model 'starter' does not write 'fr-CA'; name another copy model",
    ]
    assert plan.plan(read, models("./my-model"), rates(), 16).jobs == 120


def test_more_jobs_than_ids_have_digits_are_refused(tmp_path: Path):
    (tmp_path / "p.jsonl").write_text("".join(f'{{"sku": "{i}", "name": "x"}}\n' for i in range(10_001)))
    text = CAMPAIGN.partition("products:")[0] + "products: {file: p.jsonl}\naudiences:\n"
    text += "  - {id: a, description: x}\n  - {id: b, description: y}\n"
    text += "deliverables:\n  - {kind: copy, channel: email.subject, variants: 50}\n"
    read = source(tmp_path, text)

    with pytest.raises(ImpossibleWorkError, match=r"campaign\.yaml:8:3: deliverables: the campaign makes 1000100 jobs"):
        plan.plan(read, models("starter"), rates(), 16)


MIXED = """\
name: spring
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember, description: Dark beans}
audiences:
  - {id: early, description: early birds}
  - {id: late, description: night owls}
locales: [en, en-GB]
deliverables:
  - {kind: creative, channel: instagram.story, variants: 3}
  - {kind: copy, channel: meta.headline, variants: 2}
  - {kind: image, channel: instagram.square, variants: 2, look: clay, prompt: "a {product} on {wood}"}
  - {kind: image, channel: meta.feed, variants: 1}
"""


def mixed(folder: Path) -> list[Job]:
    return list(plan.jobs(source(folder, MIXED), models()))


def test_pictures_are_made_once_for_all_locales_and_advertisements_for_each(tmp_path: Path):
    planned = plan.plan(source(tmp_path, MIXED), models(), rates(), 16)
    made = Counter((job.kind, job.brief.channel, job.brief.locale) for job in mixed(tmp_path))

    assert made[Kind.IMAGE, "instagram.square", "en"] == 4
    assert made[Kind.IMAGE, "instagram.square", "en-GB"] == 0
    assert made[Kind.CREATIVE, "instagram.story", "en-GB"] == 6
    assert planned.jobs == sum(made.values()) == 26
    assert planned.jobs_by_channel == {
        "instagram.story (creative)": 12,
        "meta.headline": 8,
        "instagram.square (image)": 4,
        "meta.feed (image)": 2,
    }


def test_an_advertisement_is_made_of_the_headlines_and_pictures_of_its_product_audience_and_locale(tmp_path: Path):
    made = {job.id: job for job in mixed(tmp_path)}

    for job in (job for job in made.values() if job.kind == Kind.CREATIVE):
        parts = [(one.role, made[one.job_id]) for one in job.inputs]
        # Three variants of two headlines and two pictures: each has its own, and the other one should that fail.
        own, other = job.variant % 2, (job.variant + 1) % 2
        assert [(role, part.variant) for role, part in parts] == [
            *(("headline", own), ("headline", other)),
            *(("image", own), ("image", other)),
        ]
        channels = {"headline": ("meta.headline", job.brief.locale), "image": ("instagram.square", "en")}
        assert all((part.brief.channel, part.brief.locale) == channels[role] for role, part in parts)
        assert {part.brief.audience.id for _, part in parts} == {job.brief.audience.id}
        assert {part.brief.product.sku for _, part in parts} == {job.brief.product.sku}


@pytest.mark.parametrize(
    ("headlines", "variants", "chosen"),
    [
        (1, 2, {0: [0], 1: [0]}),
        # What no other advertisement uses goes before what one does.
        (5, 2, {0: [0, 2, 3, 4], 1: [1, 3, 4, 2]}),
        (3, 3, {0: [0, 1, 2], 1: [1, 2, 0], 2: [2, 0, 1]}),
    ],
)
def test_an_advertisement_names_other_headlines_should_its_own_fail(
    headlines: int, variants: int, chosen: dict[int, list[int]], tmp_path: Path
):
    text = MIXED.replace("meta.headline, variants: 2", f"meta.headline, variants: {headlines}")
    text = text.replace("instagram.story, variants: 3", f"instagram.story, variants: {variants}")
    made = {job.id: job for job in plan.jobs(source(tmp_path, text), models())}

    ads = [job for job in made.values() if job.kind == Kind.CREATIVE]

    assert ads
    for job in ads:
        named = [made[one.job_id].variant for one in job.inputs if one.role == "headline"]
        assert named == chosen[job.variant]


def test_a_prompt_names_product_and_description_and_keeps_other_braces(tmp_path: Path):
    picture = next(job.brief.picture for job in mixed(tmp_path) if job.kind == Kind.IMAGE)

    assert picture is not None
    assert (picture.look, picture.prompt) == ("clay", "a Ember on {wood}")


def test_pictures_of_one_size_share_a_bucket_and_advertisements_of_all_sizes_do(tmp_path: Path):
    buckets = {(job.brief.channel, job.bucket) for job in mixed(tmp_path) if job.kind != Kind.COPY}

    assert buckets == {
        ("instagram.square", "image/starter/1080x1080"),
        ("meta.feed", "image/starter/1080x1350"),
        ("instagram.story", "creative/layouts/any"),
    }
