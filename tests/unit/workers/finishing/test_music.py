"""Music as it would be delivered: every format, every check, and what becomes of pieces that nobody wants."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.ledger import Ledger
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.jobs import Job, MusicOrder
from workers.choose import Chooser, rejection
from workers.finishing.music import MusicFinisher
from workers.models.music.encode import encoded
from workers.models.music.master import RATE, Audio, master
from workers.models.protocol import File, Sample

from support.music_jobs import music_job

SECONDS = 5.0
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def finisher(settings: Settings) -> MusicFinisher:
    return MusicFinisher(settings)


@pytest.fixture
def chooser(settings: Settings, finisher: MusicFinisher) -> Iterator[Chooser]:
    ledger = Ledger(settings)
    yield Chooser(ledger.assets, {Kind.MUSIC: finisher})
    ledger.close()


def job(channel: str = "music.ident", number: int = 0) -> Job:
    return music_job(MusicOrder(mood="calm", seconds=SECONDS), number, channel)


def tune(seed: int, volume: float = 1.0) -> Audio:
    """Return ten notes in C, mastered."""
    notes = np.random.default_rng(seed).choice(SCALE, 10)
    times = np.arange(RATE // 2) / RATE
    played = np.concatenate([np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * times) for note in notes])
    return master(np.stack([played, played], 1).astype(np.float32), SECONDS, 0.2) * np.float32(volume)


def sample(audio: Audio, refused: str = "") -> Sample:
    picture = io.BytesIO()
    Image.new("RGB", (96, 38)).save(picture, "PNG")
    recipe = {"key": "C major", "tonic": 0, "mode": "major", "bar_seconds": 1.0, "bpm": 120.0}
    files = (File("png", "image/png", picture.getvalue()),)
    return Sample(encoded(audio, "wav"), "audio/wav", 0.0, dict(recipe), refused, files)


def test_a_piece_is_delivered_in_every_format_and_told_in_words(finisher: MusicFinisher):
    finished = finisher.finish(job(), sample(tune(1)), "starter@ab12")

    assert finished.preview == "calm, 5 s, C major, 120 bpm"
    assert [file.ending for file in finished.companions] == ["mp3", "ogg", "ogg.c2pa", "png"]
    assert all(check.passed for check in finisher.check(job(), finished))
    assert {check.name for check in finisher.check(job(), finished)} > {"loudness", "silence", "key", "repetition"}


def test_the_same_piece_has_the_same_fingerprint_although_signatures_differ(finisher: MusicFinisher):
    first, second = (finisher.finish(job(), sample(tune(1)), "starter@ab12") for _ in range(2))

    assert first.fingerprint == second.fingerprint
    assert first.data != second.data


def test_a_recording_that_is_too_quiet_or_too_short_fails_its_check(finisher: MusicFinisher):
    quiet = finisher.finish(job(), sample(tune(1, volume=0.5)), "starter@ab12")
    short = finisher.finish(job(), sample(tune(1)[:-RATE]), "starter@ab12")

    failed = [[one.name for one in finisher.check(job(), made) if not one.passed] for made in (quiet, short)]

    assert failed == [["loudness"], ["duration"]]


def test_of_a_piece_that_nobody_wrote_down_key_and_bars_are_not_judged(finisher: MusicFinisher):
    finished = finisher.finish(job(), replace(sample(tune(1)), recipe={}), "musicgen@ab12")

    assert finished.preview == "calm, 5 s"
    assert {check.name for check in finisher.check(job(), finished)} == {
        *("duration", "silence", "clipping", "peak", "loudness")
    }


def test_a_campaign_has_no_piece_twice_in_whatever_channel(chooser: Chooser):
    quieter = tune(1, volume=0.98)

    chosen, reasons = chooser.choose(
        [
            (job("music.ident", 0), [sample(tune(1))]),
            (job("music.bumper", 1), [sample(quieter)]),
            (job("music.bumper", 2), [sample(tune(2))]),
        ],
        "starter@ab12",
    )

    assert [one.job.id for one in chosen] == ["spring-000000", "spring-000002"]
    assert dict(reasons["spring-000001"]) == {"near-duplicate": 1}


def test_a_near_copy_of_a_tune_is_no_candidate_and_its_dead_letter_says_so(chooser: Chooser):
    chosen, reasons = chooser.choose([(job(), [sample(tune(1), refused="too near to a tune")])], "starter@ab12")

    letter = rejection(job(), reasons[job().id], 1.0)
    assert chosen == []
    assert letter.message.startswith(
        "no piece passed the checks: finish: too near to a tune (1x); ask for another mood"
    )
