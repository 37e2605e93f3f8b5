"""Files sealed with a passphrase in the format of age (age-encryption.org/v1), so `age -d` opens them without us.

scrypt makes a key of the passphrase, and it wraps the key of the file. What is in the file is sealed by chunks
(ChaCha20-Poly1305): each has its number and the last one a mark, so nothing is changed, moved or cut off unnoticed.
"""

import hmac
import os
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from core.errors import ArchiveError

MAGIC = b"age-encryption.org/v1"
# Each guess takes 256 MiB and most of a second, as age asks for; more than the second would fill a small machine.
WORK, MOST_WORK = 18, 20
CHUNK_BYTES, TAG_BYTES, NONCE_BYTES, FILE_KEY_BYTES = 64 * 1024, 16, 16, 16
LAST = 1
MOST_LINE_BYTES = 128
_STANZA = re.compile(rb"-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)")
_DAMAGED = "the archive is damaged or cut off, or somebody changed it: take another one"


class Sealed:
    """Seals what is written to it into another file. Without `finish` the file is cut off, and reading it says so."""

    def __init__(self, file: BinaryIO, passphrase: str, work: int = WORK) -> None:
        self._file, self._waiting, self._number = file, bytearray(), 0
        file_key, salt = os.urandom(FILE_KEY_BYTES), os.urandom(16)
        wrapped = ChaCha20Poly1305(_wrapping_key(passphrase, salt, work)).encrypt(bytes(12), file_key, None)
        head = b"%s\n-> scrypt %s %d\n%s\n---" % (MAGIC, _base64(salt), work, _base64(wrapped))
        nonce = os.urandom(NONCE_BYTES)
        file.write(b"%s %s\n%s" % (head, _base64(_mac(file_key, head)), nonce))
        self._cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))

    def write(self, data: bytes) -> int:
        """Seal the bytes."""
        self._waiting += data
        # What fills the last chunk waits for more, since nobody knows yet whether it is the last.
        while len(self._waiting) > CHUNK_BYTES:
            self._put(bytes(self._waiting[:CHUNK_BYTES]), 0)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Seal what is left, and mark it as the end."""
        self._put(bytes(self._waiting), LAST)

    def _put(self, chunk: bytes, mark: int) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, mark), chunk, None))
        self._number += 1


class Unsealed:
    """Reads a sealed file; raises ArchiveError for another passphrase and for every byte that is not as it was."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file, self._left, self._number, self._is_over = file, b"", 0, False
        file_key = _file_key(file, passphrase)
        nonce = file.read(NONCE_BYTES)
        if len(nonce) < NONCE_BYTES:
            raise ArchiveError(_DAMAGED)
        self._cipher = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
        self._next = file.read(CHUNK_BYTES + TAG_BYTES)

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        parts, missing = [], size
        while missing and (self._left or self._open_next()):
            parts.append(self._left[:missing])
            self._left = self._left[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _open_next(self) -> bool:
        """Open another chunk; return False when there is none."""
        if self._is_over:
            return False
        sealed, self._next = self._next, self._file.read(CHUNK_BYTES + TAG_BYTES)
        self._is_over = not self._next
        try:
            self._left = self._cipher.decrypt(_nonce(self._number, LAST if self._is_over else 0), sealed, None)
        except InvalidTag as error:
            raise ArchiveError(_DAMAGED) from error
        # Only a file of nothing ends in a chunk of nothing.
        if not self._left and self._number:
            raise ArchiveError(_DAMAGED)
        self._number += 1
        return bool(self._left)


def is_sealed(start: bytes) -> bool:
    """Tell by its first bytes whether a file is sealed."""
    return start.startswith(MAGIC + b"\n")


def _file_key(file: BinaryIO, passphrase: str) -> bytes:
    """Read the head of a sealed file; return the key of what follows."""
    magic, stanza, wrapped, last = (file.readline(MOST_LINE_BYTES) for _ in range(4))
    found = _STANZA.fullmatch(stanza.rstrip(b"\n"))
    if magic != MAGIC + b"\n" or found is None or not last.startswith(b"--- "):
        raise ArchiveError("the archive is sealed in another way than with a passphrase: open it with age")
    work = int(found[2])
    if work > MOST_WORK:
        raise ArchiveError(f"opening the archive would take {2 ** (work - 10)} MiB of memory: open it with age")
    try:
        file_key = ChaCha20Poly1305(_wrapping_key(passphrase, _unbase64(found[1]), work)).decrypt(
            bytes(12), _unbase64(wrapped.rstrip(b"\n")), None
        )
    except (InvalidTag, ValueError) as error:
        raise ArchiveError("the passphrase is not the one of this archive, or its head is damaged") from error
    mac = _base64(_mac(file_key, magic + stanza + wrapped + b"---"))
    if not hmac.compare_digest(last, b"--- %s\n" % mac):
        raise ArchiveError(_DAMAGED)
    return file_key


def _wrapping_key(passphrase: str, salt: bytes, work: int) -> bytes:
    scrypt = Scrypt(salt=MAGIC + b"/scrypt" + salt, length=32, n=2**work, r=8, p=1)
    return scrypt.derive(passphrase.encode())


def _derived(file_key: bytes, salt: bytes | None, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(file_key)


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(file_key, None, b"header"), head, sha256)


def _nonce(number: int, mark: int) -> bytes:
    return number.to_bytes(11, "big") + bytes([mark])


def _base64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    return b64decode(text + b"=" * (-len(text) % 4), validate=True)
