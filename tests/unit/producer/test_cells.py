"""Where cells begin, against the csv module of Python."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from producer.cells import cell_places, is_open

ROWS = st.lists(st.text(alphabet='ab",;\n =', max_size=6), min_size=1, max_size=5)


def written(cells: list[str], separator: str) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=separator, lineterminator="\n").writerow(cells)
    return target.getvalue()


@given(ROWS, st.sampled_from([",", ";", "\t"]))
def test_every_cell_has_a_place_and_begins_there(cells: list[str], separator: str):
    text = written(cells, separator)
    lines = text.split("\n")

    places = cell_places(text, 1, separator)

    assert len(places) == len(cells)
    for cell, place in zip(cells, places, strict=True):
        begun = lines[place.line - 1][place.column - 1 :]
        first_line = cell.split("\n")[0]
        assert begun.startswith((first_line, f'"{first_line.replace(chr(34), chr(34) * 2)}'))


@given(ROWS, st.sampled_from([",", ";"]))
def test_a_row_is_open_until_its_last_line(cells: list[str], separator: str):
    text = written(cells, separator)
    ends = [place for place, character in enumerate(text) if character == "\n"]

    assert [is_open(text[: end + 1], separator) for end in ends] == [True] * (len(ends) - 1) + [False]
