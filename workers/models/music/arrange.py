"""The band: from a lead sheet to melody, chords, bass, pad and drums that fit its chords, meter and mood.

The same piece, form, band and seed give the same score.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from core.music.forms import Form
from core.music.instruments import DRUMS, program_for
from core.music.pieces import METERS, Bar, Meter, Piece, intervals, root, tones
from workers.models.music.midi import TICKS, Score, Strike, Track
from workers.models.music.patterns import (
    BASS_FIGURES,
    CHORD_FIGURES,
    CRASH,
    DRUM_PATTERNS,
    FILLS,
    GIVES_WAY,
    KICK,
    MANNERS,
    PLAYS_FILLS,
    RIDE,
    Figure,
)

SIXTEENTH = 6
LEAD_MIDDLE = 74
CHORDS_LOWEST, CHORDS_HIGHEST = 52, 67
BASS_LOWEST = 38
# Bars before the bass and the drums come in, in a piece of eight or more.
INTRO_PART = 8
LOUDER_A_STEP_OF_ENERGY = 4
HUMAN_TICKS, HUMAN_VELOCITY = 4, 3.0


@dataclass(frozen=True)
class Playing:
    """How a piece is to be played: who plays, how far it is moved, how busy it is, and whether it must run round."""

    manner: str
    steps: int
    energy: int
    seed: int
    instruments: tuple[str, ...] = ()
    is_loop: bool = False


def arrange(piece: Piece, form: Form, playing: Playing) -> Score:
    """Return the score of a piece in a form."""
    bars = list(piece.bars)
    bars = (bars + bars[2 * len(bars) - form.bars :]) if form.bars > len(bars) else bars[-form.bars :]
    return _Band(bars, METERS[piece.meter], playing, form).play()


class _Band:
    """Plays the bars one after the other; holds the tracks and what the next bar depends on."""

    def __init__(self, bars: Sequence[Bar], meter: Meter, playing: Playing, form: Form) -> None:
        self._bars = bars
        self._meter = meter
        self._playing = playing
        self._bpm = form.bpm
        # The last chord sounds on for this long after its bar.
        self._ring = form.tail_seconds * form.bpm / 60 * meter.beat
        self._manner = MANNERS[playing.manner]
        self._chance = random.Random(playing.seed)
        self._voicing: list[int] = []
        self._louder = LOUDER_A_STEP_OF_ENERGY * (playing.energy - 3)
        self._intro = len(bars) // INTRO_PART if len(bars) >= INTRO_PART and not playing.is_loop else 0
        self._half = len(bars) // 2
        self._lead, self._second, self._chords, self._bass, self._pad, self._drums = self._tracks()
        self._lead_steps = self._octaves_for_lead()

    def _tracks(self) -> tuple[Track, Track | None, Track, Track, Track | None, Track | None]:
        manner, wished = self._manner, self._playing.instruments
        lead, chords, bass, pad, drums = manner.volumes
        lead_program, chord_program = (
            program_for("lead", wished, manner.lead),
            program_for("chords", wished, manner.chords),
        )
        second = manner.second if not wished else None
        pad_program = program_for("pad", wished, manner.pad if not wished else None)
        has_drums = bool(manner.drums) and (not wished or DRUMS in wished)
        return (
            Track("lead", lead_program or 0, lead, pan=68),
            Track("second", program_for("lead", (), second) or 0, round(lead * 0.62), pan=84) if second else None,
            Track("chords", chord_program or 0, chords, pan=46),
            Track("bass", program_for("bass", wished, manner.bass) or 0, bass),
            Track("pad", pad_program, pad or 48, pan=80, reverb=70) if pad_program is not None else None,
            Track("drums", 0, drums or 88, is_drums=True) if has_drums else None,
        )

    def play(self) -> Score:
        """Return the score."""
        for number in range(len(self._bars)):
            self._play_melody(number)
            self._play_chords(number)
            self._play_drums(number)
        tracks = [self._lead, self._second, self._chords, self._bass, self._pad, self._drums]
        played = tuple(track for track in tracks if track and track.strikes)
        for track in played:
            track.strikes.sort()
        return Score(self._meter.name, self._bpm, len(self._bars) * self._meter.bar * TICKS, played)

    def _octaves_for_lead(self) -> int:
        melody = [note for bar in self._bars for note in bar.notes if note.pitch is not None]
        mean = sum((note.pitch or 0) * note.ticks for note in melody) / max(1, sum(note.ticks for note in melody))
        return self._playing.steps + 12 * round((LEAD_MIDDLE - mean - self._playing.steps) / 12)

    def _is_end(self, number: int) -> bool:
        return number == len(self._bars) - 1 and not self._playing.is_loop

    def _strike(
        self, track: Track, number: int, at: float, ticks: float, pitch: int, velocity: float, human: int = HUMAN_TICKS
    ) -> None:
        """Let one note sound, a little early or late, as people play."""
        start = round((number * self._meter.bar + self._swung(at)) * TICKS) + self._chance.randint(-human, human)
        loud = velocity + self._louder + self._chance.gauss(0, HUMAN_VELOCITY)
        # Nothing sounds on after the end, in a loop because it begins again there.
        last = round((len(self._bars) * self._meter.bar + self._ring) * TICKS)
        start = min(max(0, start), last - 1)
        long = max(30, round(ticks * TICKS))
        track.strikes.append(
            Strike(start, min(long, max(1, last - start)), min(127, max(0, pitch)), min(127, max(1, round(loud))))
        )

    def _swung(self, at: float) -> float:
        if not self._manner.swing or self._meter.name != "4/4":
            return at
        part = at % 24
        return at + self._manner.swing * 24 * (part / 12 if part <= 12 else (24 - part) / 12)

    def _play_melody(self, number: int) -> None:
        at = 0
        is_second_half = number >= self._half
        for note in self._bars[number].notes:
            accent = 8 if at == 0 else 4 if at % self._meter.beat == 0 else 0
            if note.is_held:
                self._hold_on(note.ticks)
            elif note.pitch is not None:
                pitch = note.pitch + self._lead_steps
                length = self._until_end(number, at, note.ticks) if self._is_end(number) else note.ticks * 0.95
                self._strike(self._lead, number, at, length, pitch, 84 + accent + 4 * is_second_half)
                if self._second and is_second_half:
                    self._strike(self._second, number, at, length, pitch + 12 * (pitch < 80), 70 + accent)
            at += note.ticks

    def _hold_on(self, ticks: int) -> None:
        for track in (self._lead, self._second):
            if track and track.strikes:
                last = track.strikes[-1]
                track.strikes[-1] = Strike(last.start, last.ticks + ticks * TICKS, last.pitch, last.velocity)

    def _until_end(self, number: int, at: float, ticks: float) -> float:
        """Return how long a note sounds: what ends the piece rings on."""
        rings = self._is_end(number) and at + ticks == self._meter.bar
        return ticks + self._ring if rings else ticks

    def _play_chords(self, number: int) -> None:
        for at, length, chord in self._changes(number):
            self._voicing = voicing(chord, self._voicing)
            pitches = [pitch + self._playing.steps for pitch in self._voicing]
            sounding = self._until_end(number, at, length)
            if self._is_end(number):
                self._play_figure(self._chords, number, (at, round(sounding)), pitches, Figure(0, "A", 1.0))
                self._strike(self._bass, number, at, sounding, self._bass_pitch(chord, "1"), 84)
            else:
                figure = CHORD_FIGURES[self._manner.chord_figure][self._meter.beat]
                self._play_figure(self._chords, number, (at, length), pitches, figure)
                if number >= self._intro:
                    self._play_bass(number, at, length, chord)
            for pitch in pitches if self._pad else ():
                assert self._pad
                self._strike(self._pad, number, at, sounding, pitch, 56)

    def _changes(self, number: int) -> list[tuple[int, int, str]]:
        """Return where each chord of a bar begins, how long it lasts, and its name; equal ones are one."""
        chords = self._bars[number].chords
        if self._is_end(number):
            # The tune comes home here, whatever was on the way.
            chords = chords[-1:]
        length = self._meter.bar // len(chords)
        if len(set(chords)) == 1:
            return [(0, self._meter.bar, chords[0])]
        return [(place * length, length, chord) for place, chord in enumerate(chords)]

    def _play_figure(
        self, track: Track, number: int, span: tuple[int, int], pitches: list[int], figure: Figure
    ) -> None:
        at, length = span
        step = figure.step or length
        ladder = [*pitches, *(pitch + 12 for pitch in pitches)]
        for place, start in enumerate(range(at, at + length, step)):
            sign = figure.signs[place % len(figure.signs)]
            chosen = {"A": pitches, "u": pitches[1:], ".": []}.get(sign)
            chosen = [ladder[int(sign) % len(ladder)]] if chosen is None else chosen
            loud = 66 if start % self._meter.beat == 0 else 54
            for i, pitch in enumerate(chosen):
                # A chord is not struck in one instant.
                spread = i * 0.25 if len(chosen) > 1 else 0
                self._strike(
                    track, number, start + spread, step * figure.hold, pitch + 12 * figure.octaves, loud, human=2
                )

    def _play_bass(self, number: int, at: int, length: int, chord: str) -> None:
        figure = BASS_FIGURES[self._manner.bass_figure][self._meter.beat]
        step = figure.step or length
        for place, start in enumerate(range(at, at + length, step)):
            sign = figure.signs[place % len(figure.signs)]
            if sign != ".":
                loud = 86 if start % self._meter.beat == 0 else 74
                self._strike(self._bass, number, start, step * figure.hold, self._bass_pitch(chord, sign), loud)

    def _bass_pitch(self, chord: str, sign: str) -> int:
        lowest = BASS_LOWEST + (root(chord) + self._playing.steps - BASS_LOWEST) % 12
        third, fifth = intervals(chord)[1], intervals(chord)[2]
        return lowest + {"1": 0, "3": third, "5": fifth, "8": 12}[sign]

    def _play_drums(self, number: int) -> None:
        drums, manner = self._drums, self._manner
        if not drums or not manner.drums or number < self._intro:
            return
        has_crash = manner.drums in {"pop", "house"}
        if self._is_end(number):
            self._strike(drums, number, 0, 24, CRASH if has_crash else RIDE, 84)
            self._strike(drums, number, 0, 12, KICK, 90)
            return
        is_fill = number + 1 in {self._half, len(self._bars) - 1} and manner.drums in PLAYS_FILLS
        fill = FILLS[self._meter.beat] if is_fill else ()
        from_here = self._meter.bar - len(fill) * SIXTEENTH
        for instrument, signs in DRUM_PATTERNS[manner.drums][self._meter.name].items():
            for place, sign in enumerate(signs):
                is_in_fill = place * SIXTEENTH >= from_here and instrument in GIVES_WAY
                if sign != "." and not is_in_fill:
                    self._strike(drums, number, place * SIXTEENTH, SIXTEENTH, instrument, 30 + 9 * int(sign), human=3)
        for place, instrument in enumerate(fill):
            self._strike(drums, number, from_here + place * SIXTEENTH, SIXTEENTH, instrument, 70 + 6 * place)
        if number in {self._intro, self._half}:
            self._strike(drums, number, 0, 24, CRASH if has_crash else RIDE, 78)


def voicing(chord: str, before: Sequence[int]) -> list[int]:
    """Return the pitches of a chord that lie nearest to those before."""
    found = []
    for lowest in range(CHORDS_LOWEST, CHORDS_HIGHEST):
        if lowest % 12 in tones(chord):
            pitches = sorted(lowest + (tone - lowest) % 12 for tone in tones(chord))
            if pitches[-1] <= CHORDS_HIGHEST + 5:
                way = sum(min(abs(pitch - other) for other in before) for pitch in pitches) if before else 0
                found.append((way, abs(sum(pitches) / len(pitches) - 60), pitches))
    return min(found)[2]
