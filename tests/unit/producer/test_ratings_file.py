"""Reading ratings out of what spreadsheets write: every row that is right, and the place of every one that is not."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CampaignFileError, Problem
from producer.ratings_file import MOST_LINE_BYTES, RatingsFile, Row, escaped, unescaped

PATH = Path("in.csv")
HEADER = "job_id,stars,comment\n"


def read(data: str | bytes) -> list[Row | Problem]:
    return list(opened(data).rows())


def opened(data: str | bytes) -> RatingsFile:
    return RatingsFile(PATH, io.BytesIO(data if isinstance(data, bytes) else data.encode()))


def told(data: str | bytes) -> list[str]:
    return [str(one) for one in read(data) if isinstance(one, Problem)]


def cells(data: str | bytes) -> list[dict[str, str]]:
    return [dict(one.cells) for one in read(data) if isinstance(one, Row)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_marks_of_spreadsheets_are_all_taken(separator: str, end: str, mark: str):
    lines = [separator.join(line) for line in (["Job ID", "Stars", "Comment"], ["a-1", "4", "fine"])]

    assert cells(mark + end.join(lines)) == [{"job_id": "a-1", "stars": "4", "comment": "fine"}]


def test_a_comment_may_have_lines():
    (row,) = read(f'{HEADER}a-1,4,"one\r\ntwo, ""three"""\r\n')

    assert isinstance(row, Row)
    assert row.cells["comment"] == 'one\ntwo, "three"'


def test_one_forgotten_quote_costs_one_line():
    data = f'{HEADER}a-1,4,fine\na-2,4,"never closed\n' + "".join(f"b-{number},3,\n" for number in range(100))

    assert told(data) == ["in.csv:3:1: a quote is opened in this row and not closed"]
    assert len(cells(data)) == 101


def test_bad_lines_are_named_and_the_others_are_read():
    data = (
        HEADER.encode()
        + b"a-1,4,fine\n"
        + b'a-2,4,"quoted" and not\n'
        + b"a-3,4,\xff\n"
        + b"a-4,4,one,two\n"
        + b"a-5," + b"4" * MOST_LINE_BYTES + b",\n"
        + b"\n"
        + b"a-6\n"
        + b"a-7,4,,,\n"
    )  # fmt: skip

    assert told(data) == [
        'in.csv:3:1: a quoted text goes on after its closing quote; write a quote inside a text as ""',
        "in.csv:4:7: is not UTF-8 from here on; save the file as UTF-8 (in Excel: 'CSV UTF-8')",
        "in.csv:5:11: has 4 cells where the header has 3; put texts into quotes",
        f"in.csv:6:1: has more than {MOST_LINE_BYTES} bytes",
    ]
    assert [one["job_id"] for one in cells(data)] == ["a-1", "a-6", "a-7"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("job_id,comment\n", "there is no column that says anything"),
        ("jobid,stars\n", "the column 'job_id' is missing; did you mean 'job_id'?"),
        ("job_id,stars,clicks\n", "has columns of ratings and of results"),
        ("job_id,stars,stars\n", "in.csv:1:14: the column 'stars' is there twice"),
        (b"\xff\xfej\0o\0b\0", "is not UTF-8"),
    ],
)
def test_a_header_that_does_not_say_what_the_file_holds_is_refused(data: str | bytes, expected: str):
    with pytest.raises(CampaignFileError, match=expected.replace("?", r"\?")):
        opened(data)


@given(st.text(alphabet="'=+-@a\t", max_size=6))
def test_an_escaped_cell_is_no_formula_and_comes_back(cell: str):
    assert not escaped(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescaped(escaped(cell)) == cell


@given(st.lists(st.text(alphabet='ab",;\n', max_size=8), min_size=1, max_size=6))
def test_what_a_program_wrote_is_read_as_it_was(comments: list[str]):
    target = io.StringIO(newline="")
    table = csv.writer(target)
    table.writerow(["job_id", "stars", "comment"])
    table.writerows((f"a-{number}", 3, comment) for number, comment in enumerate(comments))

    assert [one.get("comment", "") for one in cells(target.getvalue())] == [comment.strip() for comment in comments]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_told(data: bytes):
    for one in read(HEADER.encode() + data):
        assert isinstance(one, Row) or one.line >= 2
