"""The shipped tunes: whole, free, and written anew from the same books as the same bytes."""

from pathlib import Path

from core.music.pieces import METERS
from workers.models.music.tunes import BOOKS, Tune, build, tunes

BOOK = """X:1
T:A Tune
M:C|
L:1/8
R:reel
K:D
|:d2f2 a2f2|g2b2 a2f2|e2g2 f2d2|e4 A4|d2f2 a2f2|g2b2 a2f2|e2c2 A2c2|d8:|

X:2
T:A Walk Around in 5/4
M:5/4
L:1/8
K:D
d10|
"""


def test_every_bar_is_full(some_tunes: list[Tune]):
    sums = {
        sum(note.ticks for note in bar.notes) / METERS[tune.meter].bar
        for tune in some_tunes
        for section in tune.sections
        for bar in section
    }

    assert sums == {1.0}


def test_tunes_come_from_the_named_books_only(some_tunes: list[Tune]):
    folders = {tune.source.partition("/")[0] for tune in some_tunes}

    assert folders <= {book.partition("/")[0] for book in BOOKS}


def test_a_book_is_written_as_the_same_bytes_every_time(tmp_path: Path):
    book = tmp_path / "oneills1850" / "0001.abc"
    book.parent.mkdir()
    book.write_text(BOOK, encoding="utf-8")

    counts = build(tmp_path, tmp_path / "one.gz")
    build(tmp_path, tmp_path / "two.gz")

    assert counts == {"kept of oneills1850": 1, "meter 5/4": 1}
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    [tune] = tunes(tmp_path / "one.gz")
    assert (tune.source, tune.meter, tune.mode, tune.style) == ("oneills1850/0001#1", "4/4", "major", "reel")
    assert [note.pitch for note in tune.sections[0][0].notes] == [72, 76, 79, 76]
