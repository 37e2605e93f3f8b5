"""Forms: whole bars that fill the seconds."""

import pytest

from core.errors import ImpossibleWorkError
from core.music.forms import form_for, form_of
from core.music.moods import MOODS, TEMPI, MusicBrief, mood_of
from core.music.pieces import METERS


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("seconds", [5, 8, 15, 30, 60])
@pytest.mark.parametrize("is_loop", [False, True])
def test_a_form_fills_the_seconds_exactly_at_a_tempo_of_its_manner(mood: str, seconds: int, is_loop: object):
    chosen = mood_of(MusicBrief(mood, seconds))

    form = form_for(chosen, seconds, is_loop=bool(is_loop))

    meter = METERS[chosen.meter]
    length = form.bars * meter.bar / meter.beat * 60 / form.bpm + form.tail_seconds
    assert length == pytest.approx(seconds)
    assert 0.6 * TEMPI[chosen.manner][0] < form.bpm < 1.4 * TEMPI[chosen.manner][1]


@pytest.mark.parametrize("seconds", [4.9, 61])
def test_music_that_is_too_short_or_too_long_is_refused(seconds: float):
    with pytest.raises(ImpossibleWorkError, match="5"):
        form_for(MOODS["calm"], seconds)


def test_a_form_follows_what_a_brief_says():
    brief = MusicBrief("calm", 20, bpm=100, meter="3/4", is_loop=True)

    form = form_of(brief)

    assert form.tail_seconds == 0
    assert form.bpm == pytest.approx(100, rel=0.1)
    assert form.bars * 3 * 60 / form.bpm == pytest.approx(20)
