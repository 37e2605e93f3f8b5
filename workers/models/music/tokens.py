"""The words that the network reads and writes: six conditions, then bar by bar its number, its chords and its notes.

    <bos> MODE_major METER_4/4 STYLE_reel LEN_8 ENERGY_4 BAR_8 CH_C CH_G7 P72:12 P76:12 … BAR_1 … <eos>

Bars count down to 1. A note is one word, pitch and ticks; `R` is a rest, `T` holds the last pitch over the bar line.
Key, tempo and instruments are no words: the piece is written without sharps, and arranging decides about them.
"""

import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from core.music.pieces import CHORDS, METERS, MODES, QUARTER, STYLES, Bar, Note, Piece

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
ANY = "any"
MOST_BARS = 24
ENERGIES = (1, 2, 3, 4, 5)
# Notes a quarter between the energies: a fifth of the training data lies in each.
ENERGY_EDGES = (1.45, 1.68, 1.81, 1.91)
PROMPT_WORDS = 6
# Rarer notes cannot be learnt.
LEAST_USES = 4


@dataclass(frozen=True)
class Conditions:
    """What a piece is to be like; None leaves the choice to the model."""

    meter: str
    bars: int
    mode: str | None = None
    style: str | None = None
    energy: int | None = None

    @property
    def words(self) -> list[str]:
        """Return the prompt."""
        return [
            BOS,
            f"MODE_{self.mode or ANY}",
            f"METER_{self.meter}",
            f"STYLE_{self.style or ANY}",
            f"LEN_{self.bars}",
            f"ENERGY_{self.energy or ANY}",
        ]


def energy_of(piece: Piece) -> int:
    """Return how busy a melody is, 1 to 5."""
    quarters = len(piece.bars) * METERS[piece.meter].bar / QUARTER
    return 1 + bisect.bisect_right(ENERGY_EDGES, len(piece.melody) / quarters)


def conditions_of(piece: Piece) -> Conditions:
    """Return the conditions that a piece fulfils."""
    return Conditions(piece.meter, len(piece.bars), piece.mode, piece.style, energy_of(piece))


def words_of(piece: Piece) -> list[str]:
    """Return all words of a piece."""
    words = conditions_of(piece).words
    for number, bar in enumerate(piece.bars):
        words += [f"BAR_{len(piece.bars) - number}", *(f"CH_{chord}" for chord in bar.chords)]
        words += [_word(note, is_first=number == 0) for note in bar.notes]
    return [*words, EOS]


def _word(note: Note, *, is_first: bool) -> str:
    if note.pitch is None:
        return f"R:{note.ticks}"
    return f"T:{note.ticks}" if note.is_held and not is_first else f"P{note.pitch}:{note.ticks}"


def piece_of(words: Iterable[str], conditions: Conditions) -> Piece:
    """Return the piece that words after the prompt spell."""
    chords: list[list[str]] = []
    notes: list[list[Note]] = []
    pitch: int | None = None
    for word in words:
        kind, _, ticks = word.partition(":")
        if word.startswith("BAR_"):
            chords.append([])
            notes.append([])
        elif word.startswith("CH_"):
            chords[-1].append(word.removeprefix("CH_"))
        elif ticks:
            pitch = pitch if kind == "T" else None if kind == "R" else int(kind[1:])
            notes[-1].append(Note(pitch, int(ticks), is_held=kind == "T" and pitch is not None))
    bars = tuple(Bar(tuple(names), tuple(played)) for names, played in zip(chords, notes, strict=True))
    return Piece(conditions.meter, conditions.mode or ANY, conditions.style or ANY, bars)


def vocabulary_of(pieces: Iterable[Piece]) -> dict[str, int]:
    """Return every word that is used often enough, with its number."""
    uses = Counter(word for piece in pieces for word in words_of(piece) if ":" in word)
    fixed = [PAD, BOS, EOS, UNKNOWN]
    fixed += [f"MODE_{mode}" for mode in (*MODES, ANY)] + [f"METER_{meter}" for meter in METERS]
    fixed += [f"STYLE_{style}" for style in (*STYLES, ANY)] + [f"ENERGY_{energy}" for energy in (*ENERGIES, ANY)]
    fixed += [f"{kind}_{i}" for kind in ("LEN", "BAR") for i in range(1, MOST_BARS + 1)]
    fixed += [f"CH_{chord}" for chord in CHORDS]
    notes = sorted(word for word, count in uses.items() if count >= LEAST_USES)
    return {word: i for i, word in enumerate([*fixed, *notes])}


def tokenizer_of(vocabulary: dict[str, int]) -> PreTrainedTokenizerFast:
    """Return the vocabulary as a tokenizer of words between spaces."""
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BOS, eos_token=EOS, unk_token=UNKNOWN
    )


def ids_of(words: Sequence[str], vocabulary: dict[str, int]) -> list[int] | None:
    """Return the numbers of words, or nothing when there is one that the vocabulary lacks."""
    ids = [vocabulary.get(word) for word in words]
    known = [i for i in ids if i is not None]
    return known if len(known) == len(ids) else None
