"""Music of a campaign: how often it is made, what each job is told, and what is refused with its line."""

from pathlib import Path

import pytest

from core.errors import CampaignFileError, ImpossibleWorkError
from producer import campaigns
from producer.edit import edited
from producer.plan import jobs, plan
from producer.verify import planned_jobs
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.music import music_channels
from schemas.rates import rates

GOOD = """\
name: spring
brand: {name: Northbeam, description: A small roastery.}
products: [{sku: NB-1, name: Ember}, {sku: NB-2, name: Harbour}]
audiences: [{id: early, description: people before eight}, {id: late, description: everybody else}]
deliverables:
  - {kind: music, channel: music.spot, mood: calm, variants: 2}
  - {kind: copy, channel: email.subject}
locales: [en, en-GB]
"""
MODELS = {Kind.COPY: "starter+house", Kind.MUSIC: "starter"}
MUSIC = "mood: calm, variants: 2"


def written(folder: Path, by: str = MUSIC) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(GOOD.replace(MUSIC, by))
    return path


def pieces(folder: Path, by: str = MUSIC) -> list[Job]:
    return [job for job in jobs(campaigns.read(written(folder, by)), MODELS) if job.kind == Kind.MUSIC]


def test_each_audience_has_its_music_once_whatever_the_products_and_locales(tmp_path: Path):
    source = campaigns.read(written(tmp_path))

    planned = plan(source, MODELS, rates(), batch_size=16)

    assert planned.jobs_by_channel == {"music.spot": 4, "email.subject": 8}
    assert planned_jobs(source.campaign) == planned.jobs == len(list(jobs(source, MODELS))) == 12
    assert [(job.brief.audience.id, job.variant) for job in pieces(tmp_path)] == [
        *(("early", 0), ("early", 1)),
        *(("late", 0), ("late", 1)),
    ]


def test_music_speaks_for_the_brand_and_is_as_long_as_its_channel_says(tmp_path: Path):
    first = pieces(tmp_path)[0]

    assert (first.brief.product.sku, first.brief.product.name) == ("brand", "Northbeam")
    assert first.brief.music is not None
    assert (first.brief.music.mood, first.brief.music.seconds, first.brief.music.key) == ("calm", 15, None)
    assert len({job.seed for job in pieces(tmp_path)}) == 4


def test_pieces_of_as_many_bars_share_a_batch(tmp_path: Path):
    buckets = {by: pieces(tmp_path, by)[0].bucket for by in (MUSIC, "mood: electronic", "mood: calm, seconds: 6")}

    assert buckets == {
        MUSIC: "music/starter/4-bars",
        "mood: electronic": "music/starter/8-bars",
        "mood: calm, seconds: 6": "music/starter/4-bars",
    }


@pytest.mark.parametrize("name", music_channels())
def test_every_channel_takes_the_length_that_it_gives(name: str):
    channel = music_channels()[name]

    assert channel.least_seconds <= channel.seconds <= channel.most_seconds


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("mood: clam", "6:46: deliverables[0].mood: unknown mood; did you mean 'calm'?"),
        ("variants: 2", "6:5: deliverables[0].mood: is missing"),
        ("mood: calm, key: H", "6:57: deliverables[0].key: there is no key 'H': write for example D, F# minor or Bb"),
        ("mood: calm, meter: 5/4", "6:59: deliverables[0].meter: unknown meter; did you mean '4/4'?"),
        ("mood: calm, energy: 6", "6:60: deliverables[0].energy: is 6; at most 5"),
        ("mood: calm, seconds: 4", "6:61: deliverables[0].seconds: is 4; at least 5"),
        ("mood: calm, seconds: 30", "6:61: deliverables[0].seconds: music.spot takes 6 to 20 seconds, not 30"),
        (
            "mood: calm, instruments: [harp, kazoo]",
            "6:72: deliverables[0].instruments[1]: unknown instrument; known: piano, ",
        ),
        (
            "mood: calm, seconds: 6, bpm: 41",
            "6:69: deliverables[0].bpm: no whole bars of 41 beats a minute fill 6 seconds; the nearest is 94",
        ),
        (
            "mood: calm, look: soft",
            "6:52: deliverables[0].look: unknown key; known: kind, channel, variants, mood, seconds",
        ),
    ],
)
def test_what_no_band_could_play_is_named_with_its_place(tmp_path: Path, by: str, expected: str):
    path = written(tmp_path, by)

    with pytest.raises(CampaignFileError) as caught:
        campaigns.read(path)

    assert str(caught.value).startswith(f"{path}:{expected}")


def test_a_channel_of_another_kind_is_named(tmp_path: Path):
    path = tmp_path / "campaign.yaml"
    path.write_text(GOOD.replace("music.spot", "instagram.square"))

    with pytest.raises(
        CampaignFileError, match=r"6:28: deliverables\[0\].channel: unknown channel; known: music.ident"
    ):
        campaigns.read(path)


def test_a_dead_letter_gets_another_mood(tmp_path: Path):
    brief = edited(pieces(tmp_path)[0], ["music.mood=solemn", "music.key=A"], rates())

    assert brief.music is not None
    assert (brief.music.mood, brief.music.key) == ("solemn", "A")


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("music.mood=clam", "there is no mood 'clam'"),
        ("music.key=H", "there is no key 'H'"),
        ("music.seconds=30", "music.spot takes 6 to 20 seconds, not 30"),
        ("music.mood=electronic", "music.spot takes 8-bars pieces and job"),
        ('music.instruments=["kazoo"]', "there is no instrument 'kazoo'"),
        ("channel=fax", "there is no channel 'fax'; known: music.ident"),
    ],
)
def test_a_dead_letter_is_not_mended_into_what_cannot_be_made(tmp_path: Path, assignment: str, told: str):
    job = pieces(tmp_path)[0]

    with pytest.raises(ImpossibleWorkError) as caught:
        edited(job, [assignment], rates())

    assert told in str(caught.value)
