"""From briefs to finished music: written, the best candidate chosen, arranged, recorded.

The same brief and seed give the same piece, whatever else is made beside it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from core.music.forms import Form, form_of
from core.music.moods import Mood, MusicBrief, key_of, mood_of, steps_to_key
from core.music.pieces import METERS, MODES, SCALE, Piece, root, tones
from workers.models.decode import mixed_seed
from workers.models.music.arrange import Playing, arrange
from workers.models.music.compose import Composer, Draft, Order
from workers.models.music.master import Audio
from workers.models.music.midi import Score
from workers.models.music.originality import Memory, Originality
from workers.models.music.render import loop_of, recording_of
from workers.models.music.tokens import Conditions

CANDIDATES = 4
# A piece of which all candidates are near-copies is written again so often, then the least copied one is returned.
ROUNDS = 3
LOWEST_KEY, HIGHEST_KEY = -4, 5
# What good tunes have: how many of their bars are distinct, and how often they leap more than a fifth.
DISTINCT_BARS, LEAPS, FIFTH = 0.85, 0.06, 7


@dataclass(frozen=True)
class Written:
    """A lead sheet, its form and mood, and how new it is; `rounds` is how often it had to be written."""

    draft: Draft
    form: Form
    mood: Mood
    originality: Originality
    score: float
    rounds: int


@dataclass(frozen=True)
class Music:
    """A finished piece."""

    written: Written
    score: Score
    audio: Audio
    tonic: int


def write(composer: Composer, memory: Memory, briefs: Sequence[MusicBrief], seeds: Sequence[int]) -> list[Written]:
    """Return the best candidate for each brief and seed."""
    moods = [mood_of(brief) for brief in briefs]
    forms = [form_of(brief) for brief in briefs]
    best: dict[int, Written] = {}
    open_places = list(range(len(briefs)))
    for attempt in range(ROUNDS):
        orders = [
            Order(_conditions(moods[i], forms[i]), mixed_seed(seeds[i], attempt, candidate))
            for i in open_places
            for candidate in range(CANDIDATES)
        ]
        drafts = composer.write(orders)
        for place, i in enumerate(open_places):
            of_this = drafts[place * CANDIDATES : (place + 1) * CANDIDATES]
            found = [_judged(memory, draft, forms[i], moods[i], attempt + 1) for draft in of_this]
            best[i] = max([*found, *([best[i]] if i in best else [])], key=lambda one: one.score)
        open_places = [i for i in open_places if best[i].originality.is_near_copy]
        if not open_places:
            break
    return [best[i] for i in range(len(briefs))]


def _conditions(mood: Mood, form: Form) -> Conditions:
    return Conditions(mood.meter, form.written, mood.mode, mood.style, mood.energy)


def _judged(memory: Memory, draft: Draft, form: Form, mood: Mood, rounds: int) -> Written:
    originality = memory.originality(draft.piece)
    score = merit(draft.piece) - 2 * max(0.0, originality.copied_notes / max(1, originality.notes) - 0.3)
    return Written(draft, form, mood, originality, score - 10 * originality.is_near_copy, rounds)


def merit(piece: Piece) -> float:
    """Return how well a piece is made: notes in its chords, some bars that come again, few leaps, a range to sing."""
    melody = [note for note in piece.melody if note.pitch is not None]
    pitches = [note.pitch or 0 for note in melody]
    distinct = len({bar.notes for bar in piece.bars}) / len(piece.bars)
    leaps = sum(abs(after - before) > FIFTH for before, after in itertools.pairwise(pitches))
    spread = max(pitches, default=0) - min(pitches, default=0)
    return (
        2 * chord_fit(piece)
        - 1.5 * abs(distinct - DISTINCT_BARS)
        - 4 * max(0.0, leaps / max(1, len(pitches)) - LEAPS)
        + 0.3 * (9 <= spread <= 22)
    )


def chord_fit(piece: Piece) -> float:
    """Return the part of the melody's time that belongs to the chord of its moment."""
    meter = METERS[piece.meter]
    inside = total = 0
    for bar in piece.bars:
        at = 0
        for note in bar.notes:
            if note.pitch is not None:
                chord = bar.chords[at * meter.chords // meter.bar]
                inside += note.ticks * (note.pitch % 12 in tones(chord))
                total += note.ticks
            at += note.ticks
    return inside / max(1, total)


def scale_fit(piece: Piece) -> float:
    """Return the part of the melody's time that belongs to the scale; in minor also its raised sixth and seventh."""
    scale = SCALE | ({6, 8} if piece.mode == "minor" else set())
    total = sum(note.ticks for note in piece.melody)
    return sum(note.ticks for note in piece.melody if (note.pitch or 0) % 12 in scale) / max(1, total)


def perform(written: Written, brief: MusicBrief, seed: int) -> Music:
    """Return a written piece arranged and recorded."""
    home = root(MODES[written.mood.mode].tonic)
    if brief.key:
        steps = steps_to_key(key_of(brief.key)[0], written.mood.mode)
    else:
        steps = LOWEST_KEY + mixed_seed(seed, 1) % (HIGHEST_KEY - LOWEST_KEY + 1)
    playing = Playing(written.mood.manner, steps, written.mood.energy, seed, brief.instruments, brief.is_loop)
    score = arrange(written.draft.piece, written.form, playing)
    audio = loop_of(score) if brief.is_loop else recording_of(score, brief.seconds)
    return Music(written, score, audio, (home + steps) % 12)
