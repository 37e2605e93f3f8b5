"""The tunes that the model learns from: 18th and 19th century dance music out of copyright, one JSON object a line.

`python -m workers.models.music.tunes FOLDER` writes them anew; FOLDER is `music21/corpus` of the unpacked wheel of
music21 10.5.1 (`pip download --no-deps music21==10.5.1`). Only its ABC files are read. See NOTICE.
"""

import argparse
import collections
import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.music.pieces import MODES, Bar, Note
from workers.models.music.harmony import chords_for
from workers.models.music.notation import AbcTune, UnreadableTuneError, read, tunes_of
from workers.models.music.sections import Notes, sections_of

SHIPPED = Path(__file__).parent / "tunes.jsonl.gz"
BOOKS = (
    "airdsAirs/*.abc",
    "miscFolk/northumbrianminstrelsyopus.abc",
    "oneills1850/*.abc",
    "ryansMammoth/*.abc",
)
# Pieces of minstrel shows: free, but nothing that a brand wants to stand on.
LEFT_OUT = re.compile(r"WalkAround|Darkey|Darkies|Possum|Nigger|Coon", re.IGNORECASE)
# In the order in which they are tried; words of rhythm and title.
STYLE_WORDS = {
    "reel": r"\breel|\brant\b",
    "hornpipe": r"hornpipe|\bclog|\bfling",
    "strathspey": r"strathspey",
    "march": r"march|quick ?step|troop|retreat|parade|grenad|volunteer|polka",
    "air": r"\bair\b|lament|song",
}
QUICK_NOTES_A_BAR, SLOW_NOTES_A_BAR = 7, 5


@dataclass(frozen=True)
class Tune:
    """One tune: where it stands in its book, and its sections with chords."""

    source: str
    meter: str
    mode: str
    style: str
    sections: tuple[tuple[Bar, ...], ...]


def tunes(path: Path = SHIPPED) -> list[Tune]:
    """Return all tunes."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_tune_of(line) for line in lines]


def build(corpus: Path, path: Path = SHIPPED) -> collections.Counter[str]:
    """Write the tunes of a corpus; return how many were kept and why others were not."""
    counts: collections.Counter[str] = collections.Counter()
    kept = list(_read_books(corpus, counts))
    # No time stamp, so that the same tunes are the same file.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write("".join(_line_of(tune) + "\n" for tune in kept).encode())
    return counts


def _read_books(corpus: Path, counts: collections.Counter[str]) -> Iterator[Tune]:
    for pattern in BOOKS:
        for book in sorted(corpus.glob(pattern)):
            for text in tunes_of(book.read_text(encoding="utf-8", errors="replace")):
                try:
                    tune = _tune(book, read(text))
                except UnreadableTuneError as error:
                    counts[str(error)] += 1
                else:
                    counts[f"kept of {book.parent.name}"] += 1
                    yield tune


def _tune(book: Path, abc: AbcTune) -> Tune:
    if LEFT_OUT.search(book.stem + abc.titles):
        raise UnreadableTuneError("left out")
    parts = sections_of(abc)
    sections = []
    for section in parts.sections:
        chords = chords_for(section, parts.meter, MODES[abc.mode])
        sections.append(tuple(Bar(names, notes) for names, notes in zip(chords, section, strict=True)))
    bars = [bar for section in parts.sections for bar in section]
    source = f"{book.parent.name}/{book.stem}#{abc.number}"
    return Tune(source, parts.meter.name, abc.mode, _style(abc, parts.meter.name, bars), tuple(sections))


def _style(abc: AbcTune, meter: str, bars: list[Notes]) -> str:
    by_meter = {"9/8": "slipjig", "6/8": "jig", "3/4": "waltz"}.get(meter)
    if by_meter:
        return "air" if by_meter == "jig" and re.search(STYLE_WORDS["air"], abc.rhythm) else by_meter
    for text in (abc.rhythm, abc.titles.lower()):
        for style, words in STYLE_WORDS.items():
            if re.search(words, text):
                return style
    notes_a_bar = sum(len(bar) for bar in bars) / len(bars)
    return "reel" if notes_a_bar >= QUICK_NOTES_A_BAR else "air" if notes_a_bar < SLOW_NOTES_A_BAR else "march"


def _line_of(tune: Tune) -> str:
    sections = [" | ".join(_text_of(bar) for bar in section) for section in tune.sections]
    fields = {"source": tune.source, "meter": tune.meter, "mode": tune.mode, "style": tune.style, "sections": sections}
    return json.dumps(fields)


def _tune_of(line: str) -> Tune:
    fields = json.loads(line)
    sections = tuple(tuple(_bar_of(text) for text in section.split(" | ")) for section in fields["sections"])
    return Tune(fields["source"], fields["meter"], fields["mode"], fields["style"], sections)


def _text_of(bar: Bar) -> str:
    return " ".join(["/".join(bar.chords), *(_word_of(note) for note in bar.notes)])


def _word_of(note: Note) -> str:
    return f"{'R' if note.pitch is None else note.pitch}:{note.ticks}{'-' if note.is_held else ''}"


def _bar_of(text: str) -> Bar:
    chords, *words = text.split(" ")
    return Bar(tuple(chords.split("/")), tuple(_notes_of(words)))


def _notes_of(words: Iterable[str]) -> Iterator[Note]:
    for word in words:
        pitch, _, length = word.partition(":")
        yield Note(None if pitch == "R" else int(pitch), int(length.rstrip("-")), length.endswith("-"))


def main() -> None:
    """Read the command line and write the tunes."""
    parser = argparse.ArgumentParser(description="Write the tunes that the starter music model learns from.")
    parser.add_argument("corpus", type=Path, help="the folder music21/corpus")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    given = parser.parse_args()
    for reason, count in build(given.corpus, given.out).most_common():
        print(f"{count:5} {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
