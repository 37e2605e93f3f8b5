"""What is sealed opens again with its passphrase alone, byte for byte, and nothing that was changed opens at all."""

from base64 import b64decode
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ArchiveError
from producer.backups.sealing import CHUNK_BYTES, TAG_BYTES, Sealed, Unsealed, is_sealed

PASSPHRASE = "open sesame, please"
# Quick, and as weak as it is quick.
WORK = 4
SEALED_CHUNK = CHUNK_BYTES + TAG_BYTES
# Written by age 1.1.1 with this passphrase.
OF_AGE = b64decode(
    "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAxNEVJb0k1UFdiRG0vUDhaVkxmb0lBIDE4CnJDQmR3NUVtaDNyeHRuRVFkZGwyRDlYS0ZV"
    "OEFUdGZtS21GR3pQRWFQcHMKLS0tIGdNbUhENlVKdnQ1d3MwOUJxVGxhMFdDTHhSWXV6K2dIdjFLcXM2TXNRTUUKIMY0cnlxVZSq/JWk8J18m5gZ"
    "MFQiH8dA4zq9cKPzfVIMwzq9Zk5AI5efthKiw8KanDeuPA=="
)


def seal(data: bytes, passphrase: str = PASSPHRASE) -> bytes:
    file = BytesIO()
    sealed = Sealed(file, passphrase, WORK)
    sealed.write(data)
    sealed.finish()
    return file.getvalue()


def unseal(data: bytes, passphrase: str = PASSPHRASE) -> bytes:
    opened, parts = Unsealed(BytesIO(data), passphrase), []
    while part := opened.read(100_000):
        parts.append(part)
    return b"".join(parts)


def test_what_age_wrote_is_read():
    assert unseal(OF_AGE) == b"Coffee before eight\n"


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_any_length_comes_back(size: int):
    data = bytes(number % 251 for number in range(size))

    assert unseal(seal(data)) == data


@given(st.lists(st.binary(max_size=3000), max_size=40), st.integers(1, 70_000))
def test_neither_the_parts_of_writing_nor_those_of_reading_matter(parts: list[bytes], size: int):
    file = BytesIO()
    sealed = Sealed(file, PASSPHRASE, 1)
    for part in parts:
        sealed.write(part)
    sealed.finish()
    opened = Unsealed(BytesIO(file.getvalue()), PASSPHRASE)

    read = b"".join(iter(lambda: opened.read(size), b""))

    assert read == b"".join(parts)


def test_a_sealed_file_is_known_by_its_start_and_shows_nothing_of_its_content():
    data = b"Coffee before eight" * 100

    sealed = seal(data)

    assert is_sealed(sealed)
    assert not is_sealed(data)
    assert b"Coffee" not in sealed
    assert seal(data) != sealed


def test_another_passphrase_opens_nothing():
    with pytest.raises(ArchiveError, match="the passphrase is not the one"):
        unseal(seal(b"data"), "open sesame, pleas")


@given(st.data())
def test_a_single_changed_bit_is_noticed_wherever_it_is(data: st.DataObject):
    sealed = bytearray(seal(b"x" * 200))
    place = data.draw(st.integers(0, len(sealed) - 1))

    sealed[place] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(ArchiveError):
        unseal(bytes(sealed))


@given(st.integers(1, 2 * SEALED_CHUNK))
def test_a_file_that_was_cut_off_is_noticed_wherever_it_was_cut(missing: int):
    sealed = seal(b"x" * 2 * CHUNK_BYTES)

    with pytest.raises(ArchiveError):
        unseal(sealed[:-missing])


def test_chunks_that_changed_places_were_left_out_or_doubled_are_noticed():
    sealed = seal(b"x" * 3 * CHUNK_BYTES)
    head, first, second, third = (
        sealed[: -3 * SEALED_CHUNK],
        *(sealed[-number * SEALED_CHUNK :][:SEALED_CHUNK] for number in (3, 2, 1)),
    )
    assert unseal(head + first + second + third)

    for wrong in (
        (second, first, third),
        (first, third),
        (first, second, second, third),
        (first, second, third, third),
    ):
        with pytest.raises(ArchiveError, match="damaged"):
            unseal(head + b"".join(wrong))


def test_what_was_never_finished_is_cut_off():
    file = BytesIO()
    sealed = Sealed(file, PASSPHRASE, WORK)
    sealed.write(b"x" * 3 * CHUNK_BYTES)

    with pytest.raises(ArchiveError, match="cut off"):
        unseal(file.getvalue())


def test_a_file_that_asks_for_more_memory_than_there_is_is_refused():
    with pytest.raises(ArchiveError, match="4194304 MiB of memory"):
        unseal(seal(b"data").replace(b" 4\n", b" 32\n", 1))


def test_a_file_for_a_key_of_age_is_refused():
    with pytest.raises(ArchiveError, match="open it with age"):
        unseal(seal(b"data").replace(b"-> scrypt", b"-> X25519", 1))
