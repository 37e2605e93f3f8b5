"""What made a file, and how we know: reads its signed C2PA manifest, and the note beside it. Never goes online.

A manifest cannot be changed without notice, but it can be cut off; so its absence proves nothing.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from html import unescape
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import c2pa

from core.errors import ProvenanceError, SettingsError
from core.settings import Settings

GENERATOR = "content-factory"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# Anything that a file points to is left alone: no manifests from elsewhere, no questions about certificates.
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True}
_FORMATS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "audio/wav": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
    "audio/mpeg": re.compile(rb"ID3|\xff[\xe2-\xfb]"),
    "audio/ogg": re.compile(rb"OggS"),
    "audio/midi": re.compile(rb"MThd"),
}
# Formats that have no room for a manifest: it lies beside the file.
SIDECARS = {"audio/ogg", "audio/midi"}
SIDECAR_ENDING, SIDECAR_TYPE = "c2pa", "application/c2pa"
# How the note in a file of music begins.
TOLD_OF_MUSIC = "Made by a generative AI model."
_NOTE = re.compile(
    rb"<x:xmpmeta.*?</x:xmpmeta>|" + re.escape(TOLD_OF_MUSIC.encode()) + rb'(?: \w+="[^"]{0,500}")+', re.DOTALL
)
_UNTRUSTED = "signingCredential.untrusted"


class Source(StrEnum):
    """How a file came to be, in the words of the IPTC: wholly generated, or composed with generated parts."""

    GENERATED = "trainedAlgorithmicMedia"
    COMPOSED = "compositeWithTrainedAlgorithmicMedia"

    @property
    def uri(self) -> str:
        """Return the name that every reader of metadata knows."""
        return SOURCE_TYPES + self.value


@dataclass(frozen=True)
class Origin:
    """What is written into a file: how it came to be, and the model and version that made it."""

    source: Source
    model: str
    version: str


class Validity(StrEnum):
    """What a manifest is worth: signed by one we trust, by somebody, broken, or not there."""

    TRUSTED = "trusted"
    VALID = "valid"
    INVALID = "invalid"
    NONE = "none"


@dataclass(frozen=True)
class Provenance:
    """What a file says about its making, and why one may believe it; what it does not say is empty."""

    validity: Validity
    evidence: str
    source: str = ""
    generator: str = ""
    model: str = ""
    made_at: str = ""
    signer: str = ""


def read(data: bytes, anchors: str = "", sidecar: bytes = b"") -> Provenance:
    """Return what the bytes of a file say about their making; `anchors` are the certificates we trust, as PEM.

    The manifest of an OGG or MIDI file is its sidecar. Raises ProvenanceError for any other kind of file.
    """
    content_type = content_type_of(data)
    if content_type in SIDECARS and not sidecar:
        return _noted(data)
    beside = {"manifest_data": sidecar} if content_type in SIDECARS else {}
    trust = {"trust": {"user_anchors": anchors}} if anchors else {}
    try:
        context = c2pa.Context(c2pa.Settings.from_dict({"verify": _OFFLINE} | trust))
    except c2pa.C2paError as error:
        raise SettingsError(
            f"FACTORY_PROVENANCE_CERTIFICATE: not a PEM certificate that we can read ({error})"
        ) from error
    try:
        with c2pa.Reader(content_type, BytesIO(data), context=context, **beside) as reader:
            return _signed(json.loads(reader.json()))
    except c2pa.C2paError as error:
        # The library has no class for a manifest that lies elsewhere and was not fetched.
        if isinstance(error, c2pa.C2paError.ManifestNotFound) or str(error).startswith("Remote:"):
            return _noted(data)
        return Provenance(Validity.INVALID, f"its C2PA manifest or the file itself is damaged ({error})")


def content_type_of(data: bytes) -> str:
    """Return the content type that the first bytes show; raises ProvenanceError for what cannot tell its making."""
    found = next((name for name, head in _FORMATS.items() if head.match(data)), None)
    if found is None:
        raise ProvenanceError("this is no PNG, JPEG, WebP, WAV, MP3, OGG or MIDI: only those tell where they come from")
    return found


@cache
def generator() -> str:
    """Return the name and version of this program, as files carry them."""
    return f"{GENERATOR} {version(GENERATOR)}"


def own_folder(settings: Settings) -> Path:
    """Return the folder of the certificate that the factory made for itself."""
    return settings.home / "provenance"


def trust_anchors(settings: Settings) -> str:
    """Return the certificates that this factory trusts, as PEM: its own authority, and the configured chain."""
    own = own_folder(settings) / "authority.pem"
    paths = [path for path in (own if own.exists() else None, settings.provenance_certificate) if path]
    try:
        return "\n".join(path.read_text(encoding="utf-8") for path in paths)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the certificates {', '.join(map(str, paths))}: {error}") from error


def _signed(report: dict[str, Any]) -> Provenance:
    """Return what the active manifest says, and what the validation found."""
    manifest = report["manifests"][report["active_manifest"]]
    signature = manifest.get("signature_info", {})
    signer = " of ".join(filter(None, (signature.get("common_name"), signature.get("issuer"))))
    validity = Validity(report["validation_state"].lower())
    broken = [status for status in report.get("validation_status", []) if status["code"] != _UNTRUSTED]
    evidence = {
        Validity.TRUSTED: f"signed by {signer}, whom this factory trusts; nothing was changed since",
        Validity.VALID: f"nothing was changed since it was signed, but this factory does not know the signer {signer}",
    }.get(validity, f"changed after it was signed: {_told(broken)}")
    action = _creation(manifest)
    agent = action.get("softwareAgent", {})
    named = manifest.get("claim_generator_info", [{}])[0]
    return Provenance(
        validity=validity,
        evidence=evidence,
        source=str(action.get("digitalSourceType", "")).removeprefix(SOURCE_TYPES),
        generator=_joined(named),
        model=agent if isinstance(agent, str) else _joined(agent),
        made_at=str(action.get("when", "")),
        signer=signer,
    )


def _creation(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the action that says how the file came to be, or the first one there is."""
    actions: list[dict[str, Any]] = [
        action
        for assertion in manifest.get("assertions", [])
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"].get("actions", [])
    ]
    created = [action for action in actions if action.get("action") == "c2pa.created"]
    return next(iter(created or actions), {})


def _told(statuses: list[dict[str, Any]]) -> str:
    told = (f"{status['code']} ({status['explanation']})" for status in statuses if "explanation" in status)
    return "; ".join(dict.fromkeys(told)) or "the validation gives no reason"


def _joined(named: dict[str, Any]) -> str:
    return " ".join(filter(None, (str(named.get("name", "")), str(named.get("version", "")))))


def _noted(data: bytes) -> Provenance:
    """Return what the note says: worth no more than any text, but it survives tools that know no C2PA."""
    packet = _NOTE.search(data)
    note = packet[0].decode(errors="replace") if packet else ""
    source = _property(note, "DigitalSourceType").removeprefix(SOURCE_TYPES)
    if not source:
        return Provenance(Validity.NONE, "no C2PA manifest and no note; that does not say how it was made")
    model = (_property(note, "AISystemUsed"), _property(note, "AISystemVersionUsed"))
    return Provenance(
        validity=Validity.NONE,
        evidence="no C2PA manifest; a note says so, which anybody can write or change",
        source=source,
        generator=_property(note, "CreatorTool"),
        model=" ".join(filter(None, model)),
    )


def _property(note: str, name: str) -> str:
    """Return a property of a note, written as an attribute or as an element, whatever stands for its namespace."""
    found = re.search(rf"""\b{name}(?:\s*=\s*["']([^"'<]*)["']|>([^<]*)<)""", note)
    return unescape((found[1] or found[2] or "").strip()) if found else ""
