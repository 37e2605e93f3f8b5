"""What is put into an archive comes out as it was, and nothing else does."""

import contextlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ArchiveError
from producer.backups.archive import MOST_IN_MEMORY_BYTES, Chain, Writer, members

BIG = MOST_IN_MEMORY_BYTES + 1


def written(*contents: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for name, data in contents:
        writer.add(name, [data], "image/png")
    writer.finish()
    return file.getvalue()


def read(archive: bytes) -> list[tuple[str, bytes, str]]:
    return [(one.name, one.file.read(), one.content_type) for one in members(io.BytesIO(archive))]


# Keys of objects; nothing in the store has a name that ends like a folder's.
NAMES = st.from_regex(r"[a-zé]{1,75}(/[a-zé]{1,75}){0,3}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=2000)), max_size=8))
def test_what_is_put_in_comes_out(contents: list[tuple[str, bytes]]):
    assert read(written(*contents)) == [(name, data, "image/png") for name, data in contents]


def test_what_does_not_fit_into_memory_comes_out_as_well():
    data = bytes(BIG)

    assert read(written(("big", data))) == [("big", data, "image/png")]


def test_tar_reads_it(tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(written(("objects/campaigns/ä.png", b"picture"), ("end.json", b"{}")))

    subprocess.run(["tar", "-xf", "a.tar"], cwd=tmp_path, check=True)

    assert (tmp_path / "objects/campaigns/ä.png").read_bytes() == b"picture"


def test_a_changed_byte_of_a_member_is_noticed_before_anybody_has_it():
    archive = written(("a", b"Coffee before eight"), ("b", b"Coffee after nine"))

    with pytest.raises(ArchiveError, match="'b' is not what it was"):
        read(archive.replace(b"after nine", b"after five"))


@given(st.integers(0, 5000))
def test_whatever_is_cut_off_no_member_is_another_one(length: int):
    contents = (("a", b"a" * 300), ("b", b"b" * 1500))
    archive = written(*contents)[:length]

    seen = []
    with contextlib.suppress(ArchiveError):
        seen.extend((one.name, one.file.read()) for one in members(io.BytesIO(archive)))

    assert seen == list(contents[: len(seen)])


def test_what_is_no_file_is_refused():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w|") as tar:
        link = tarfile.TarInfo("objects/x")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    with pytest.raises(ArchiveError, match="is no file"):
        read(file.getvalue())


def test_what_stands_behind_the_end_is_refused():
    archive = written(("a", b"a"))

    assert read(archive + bytes(2000)) == read(archive)
    with pytest.raises(ArchiveError, match="damaged"):
        read(archive + bytes(2000) + b"more")


def test_the_chain_knows_the_order():
    def chained(archive: bytes) -> str:
        chain = Chain()
        for one in members(io.BytesIO(archive)):
            chain.add(one)
        return chain.sha256

    one, other = ("a", b"1"), ("b", b"2")

    assert chained(written(one, other)) == chained(written(one, other))
    assert chained(written(one, other)) != chained(written(other, one))
    assert chained(written(one, other)) != chained(written(one))


def test_a_file_that_says_it_is_longer_than_its_bytes_is_refused():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("objects/campaigns/a.png")
        entry.pax_headers = {"GNU.sparse.size": str(2**40), "GNU.sparse.numblocks": "0", "GNU.sparse.map": ""}
        tar.addfile(entry)

    with pytest.raises(ArchiveError, match="damaged"):
        read(file.getvalue())
