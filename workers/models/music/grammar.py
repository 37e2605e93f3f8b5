"""Which word may come next, so that only whole bars can be written, and exactly as many as were asked for.

All state is one number a row, and a step changes all rows at once. The last chord and the last note are the tonic's.
"""

from collections.abc import Mapping, Sequence

import torch

from core.music.pieces import CHORDS, METERS, MODES
from workers.models.music.tokens import EOS, MOST_BARS, Conditions

# What a row waits for.
LINE, CHORD, NOTE, NOTHING = range(4)
LONGEST_BAR = max(meter.bar for meter in METERS.values())


class Grammar:
    """The state of each row; `allowed` and `advance` come by turns."""

    def __init__(self, vocabulary: Mapping[str, int], conditions: Sequence[Conditions], device: torch.device) -> None:
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        self._words = _Words(words, device)
        self._rows = torch.arange(len(conditions), device=device)
        meters = [METERS[one.meter] for one in conditions]
        self._bar = torch.tensor([meter.bar for meter in meters], device=device)
        self._chords_a_bar = torch.tensor([meter.chords for meter in meters], device=device)
        self._bars = torch.tensor([one.bars for one in conditions], device=device)
        self._home = _flags([_home_chords(words, one.mode) for one in conditions], device)
        self._last = _flags([_home_notes(words, one.mode) for one in conditions], device)
        self._bars_left = self._bars.clone()
        self._waits_for = torch.full_like(self._bars, LINE)
        self._chords_left = torch.zeros_like(self._bars)
        self._ticks_left = torch.zeros_like(self._bars)

    @property
    def is_done(self) -> bool:
        """Tell whether every row has come to its end."""
        return bool((self._waits_for == NOTHING).all())

    def allowed(self) -> torch.Tensor:
        """Return flags (B, words) of what may come next; there is always something."""
        words = self._words
        lines = words.lines[self._bars_left]
        is_last_bar = self._bars_left == 0
        is_last_chord = is_last_bar & (self._chords_left == 1)
        chords = torch.where(is_last_chord[:, None], self._home, words.chords)
        options = torch.stack([lines, chords, self._notes(is_last_bar), words.end.expand_as(lines)])
        return options[self._waits_for, self._rows]

    def _notes(self, is_last_bar: torch.Tensor) -> torch.Tensor:
        words = self._words
        notes = words.fitting[self._ticks_left]
        may_hold = (self._ticks_left == self._bar) & (self._bars_left < self._bars - 1)
        notes = notes & (may_hold[:, None] | ~words.holds)
        # What fills the last bar ends the piece: it belongs to the chord of the tonic.
        closing = words.ticks[None, :] == self._ticks_left[:, None]
        resolved = notes & (~closing | self._last)
        return torch.where((is_last_bar & resolved.any(1))[:, None], resolved, notes)

    def advance(self, tokens: torch.Tensor) -> None:
        """Take up one word for each row."""
        words = self._words
        waited_for = self._waits_for
        is_line, is_chord, is_note = waited_for == LINE, waited_for == CHORD, waited_for == NOTE
        has_ended = tokens == words.end_id
        self._bars_left = self._bars_left - (is_line & ~has_ended).long()
        self._chords_left = torch.where(is_line, self._chords_a_bar, self._chords_left - is_chord.long())
        self._ticks_left = torch.where(is_line, self._bar, self._ticks_left - words.ticks[tokens] * is_note)
        after_line = torch.where(has_ended, NOTHING, CHORD)
        after_chord = torch.where(self._chords_left > 0, CHORD, NOTE)
        after_note = torch.where(self._ticks_left > 0, NOTE, LINE)
        self._waits_for = torch.stack([after_line, after_chord, after_note, torch.full_like(after_note, NOTHING)])[
            waited_for, self._rows
        ]


class _Words:
    """What the words of a vocabulary are, as flags and numbers (words,)."""

    def __init__(self, words: Sequence[str], device: torch.device) -> None:
        notes = [word.partition(":")[2] for word in words]
        self.ticks = torch.tensor([int(ticks) if ticks else 0 for ticks in notes], device=device)
        self.holds = _flag([word.startswith("T:") for word in words], device)
        self.chords = _flag([word.startswith("CH_") for word in words], device)
        self.end_id = words.index(EOS)
        self.end = _flag([word == EOS for word in words], device)
        # By bars that are left: the number of the next bar, or the end.
        next_words = [EOS, *(f"BAR_{i}" for i in range(1, MOST_BARS + 1))]
        self.lines = torch.stack([_flag([word == one for word in words], device) for one in next_words])
        lengths = {int(ticks) for word, ticks in zip(words, notes, strict=True) if ticks and word.startswith("P")}
        fillable = [True]
        for left in range(1, LONGEST_BAR + 1):
            fillable.append(any(length <= left and fillable[left - length] for length in lengths))
        can_fill = _flag(fillable, device)
        after = torch.arange(LONGEST_BAR + 1, device=device)[:, None] - self.ticks
        # By ticks that are left in a bar: the notes after which the bar can still be filled.
        self.fitting = (self.ticks > 0) & (after >= 0) & can_fill[after.clamp(min=0)]


def _flag(values: Sequence[bool], device: torch.device) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.bool, device=device)


def _flags(rows: Sequence[Sequence[bool]], device: torch.device) -> torch.Tensor:
    return torch.stack([_flag(row, device) for row in rows])


def _home_chords(words: Sequence[str], mode: str | None) -> list[bool]:
    wanted = {f"CH_{chord}" for chord in ([MODES[mode].tonic] if mode else CHORDS)}
    return [word in wanted for word in words]


def _home_notes(words: Sequence[str], mode: str | None) -> list[bool]:
    triad = MODES[mode].triad if mode else frozenset(range(12))
    return [word.startswith("P") and int(word[1:].partition(":")[0]) % 12 in triad for word in words]
