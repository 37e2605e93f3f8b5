"""The XMP note in a picture: a generative model made it, and which. Written into the bytes, so no pixel changes."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from html import escape
from io import BytesIO

from PIL import Image

from core.errors import ProvenanceError
from core.provenance import Origin, Source, content_type_of, generator

TOLD = {
    Source.GENERATED: "Made by a generative AI model.",
    Source.COMPOSED: "Composed with parts made by a generative AI model.",
}
_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool="{generator}"
 Iptc4xmpExt:AISystemUsed="{model}" Iptc4xmpExt:AISystemVersionUsed="{version}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{told}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
_PNG_HEAD = 8
_PNG_KEY = b"XML:com.adobe.xmp\0"
_JPEG_KEY = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _START_OF_SCAN = 0xE0, 0xE1, 0xDA
_WEBP_HEAD = 12
_WEBP_ALPHA, _WEBP_XMP = 0x10, 0x04


def note(data: bytes, origin: Origin) -> bytes:
    """Return a PNG, JPEG or WebP with the note in it, in place of one it may have had."""
    write = {"image/png": _into_png, "image/jpeg": _into_jpeg, "image/webp": _into_webp}[content_type_of(data)]
    try:
        return write(data, packet(origin))
    except (struct.error, IndexError, OSError) as error:
        raise ProvenanceError(f"the picture is damaged, its parts do not add up ({error})") from error


def packet(origin: Origin) -> bytes:
    """Return the note itself, in the words of the IPTC standard of 2025."""
    return _PACKET.format(
        source=origin.source.uri,
        generator=escape(generator()),
        model=escape(origin.model),
        version=escape(origin.version),
        told=TOLD[origin.source],
    ).encode()


def _into_png(data: bytes, xmp: bytes) -> bytes:
    # Keyword, no compression, no language, no translated keyword, text.
    made = b"iTXt" + _PNG_KEY + b"\0\0\0\0" + xmp
    chunks = [chunk for chunk in _png_chunks(data) if not chunk[4:].startswith(b"iTXt" + _PNG_KEY)]
    chunks.insert(1, struct.pack(">I", len(made) - 4) + made + struct.pack(">I", zlib.crc32(made)))
    return data[:_PNG_HEAD] + b"".join(chunks)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """Yield each chunk whole: length, name, content and checksum."""
    at = _PNG_HEAD
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at : at + length + 12]
        at += length + 12


def _into_jpeg(data: bytes, xmp: bytes) -> bytes:
    made = b"\xff\xe1" + struct.pack(">H", len(_JPEG_KEY) + len(xmp) + 2) + _JPEG_KEY + xmp
    *segments, rest = _jpeg_segments(data)
    kept = [segment for segment in segments if not segment[4:].startswith(_JPEG_KEY)]
    # What names the format stays first.
    first = 1 if kept and kept[0][1] == _APP0 else 0
    return data[:2] + b"".join([*kept[:first], made, *kept[first:], rest])


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Yield each segment before the first scan whole, then all the rest."""
    at = 2
    while data[at + 1] != _START_OF_SCAN:
        if data[at] != 0xFF:
            raise ProvenanceError("the JPEG is damaged: a segment does not begin where the one before it ends")
        (length,) = struct.unpack_from(">H", data, at + 2)
        yield data[at : at + length + 2]
        at += length + 2
    yield data[at:]


def _into_webp(data: bytes, xmp: bytes) -> bytes:
    chunks = [chunk for chunk in _webp_chunks(data) if not chunk.startswith(b"XMP ")]
    if chunks[0].startswith(b"VP8X"):
        head = bytearray(chunks.pop(0))
    else:
        with Image.open(BytesIO(data)) as image:
            size = b"".join(struct.pack("<I", side - 1)[:3] for side in image.size)
            head = bytearray(_webp_chunk(b"VP8X", bytes([_WEBP_ALPHA * image.has_transparency_data, 0, 0, 0]) + size))
    # The flags of the whole file stand behind name and length of this chunk.
    head[8] |= _WEBP_XMP
    return _riff([bytes(head), *chunks, _webp_chunk(b"XMP ", xmp)])


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """Yield each chunk whole: name, length, content, and a byte that makes the length even."""
    at = _WEBP_HEAD
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 8 + length + length % 2]
        at += 8 + length + length % 2


def _webp_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _riff(chunks: Iterable[bytes]) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
