"""What made a picture, and how we know: reads its signed C2PA manifest, and the XMP note beside it. Never goes online.

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
}
_XMP = re.compile(rb"<x:xmpmeta.*?</x:xmpmeta>", re.DOTALL)
_UNTRUSTED = "signingCredential.untrusted"


class Source(StrEnum):
    """How a picture came to be, in the words of the IPTC: wholly generated, or composed with generated parts."""

    GENERATED = "trainedAlgorithmicMedia"
    COMPOSED = "compositeWithTrainedAlgorithmicMedia"

    @property
    def uri(self) -> str:
        """Return the name that every reader of metadata knows."""
        return SOURCE_TYPES + self.value


@dataclass(frozen=True)
class Origin:
    """What is written into a picture: how it came to be, and the model and version that made it."""

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


def read(data: bytes, anchors: str = "") -> Provenance:
    """Return what the bytes of a picture say about their making; `anchors` are the certificates we trust, as PEM.

    Raises ProvenanceError for what is no PNG, JPEG or WebP.
    """
    content_type = content_type_of(data)
    trust = {"trust": {"user_anchors": anchors}} if anchors else {}
    try:
        context = c2pa.Context(c2pa.Settings.from_dict({"verify": _OFFLINE} | trust))
    except c2pa.C2paError as error:
        raise SettingsError(
            f"FACTORY_PROVENANCE_CERTIFICATE: not a PEM certificate that we can read ({error})"
        ) from error
    try:
        with c2pa.Reader(content_type, BytesIO(data), context=context) as reader:
            return _signed(json.loads(reader.json()))
    except c2pa.C2paError as error:
        # The library has no class for a manifest that lies elsewhere and was not fetched.
        if isinstance(error, c2pa.C2paError.ManifestNotFound) or str(error).startswith("Remote:"):
            return _noted(data)
        return Provenance(Validity.INVALID, f"its C2PA manifest or the file itself is damaged ({error})")


def content_type_of(data: bytes) -> str:
    """Return the content type that the first bytes show; raises ProvenanceError for what is no such picture."""
    found = next((name for name, head in _FORMATS.items() if head.match(data)), None)
    if found is None:
        raise ProvenanceError("this is no PNG, JPEG or WebP picture: only those tell where they come from")
    return found


@cache
def generator() -> str:
    """Return the name and version of this program, as pictures carry them."""
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
    """Return the action that says how the picture came to be, or the first one there is."""
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
    """Return what the XMP note says: worth no more than any text, but it survives tools that know no C2PA."""
    packet = _XMP.search(data)
    note = packet[0].decode(errors="replace") if packet else ""
    source = _property(note, "Iptc4xmpExt:DigitalSourceType").removeprefix(SOURCE_TYPES)
    if not source:
        return Provenance(Validity.NONE, "no C2PA manifest and no XMP note; that does not say how it was made")
    model = (_property(note, "Iptc4xmpExt:AISystemUsed"), _property(note, "Iptc4xmpExt:AISystemVersionUsed"))
    return Provenance(
        validity=Validity.NONE,
        evidence="no C2PA manifest; an XMP note says so, which anybody can write or change",
        source=source,
        generator=_property(note, "xmp:CreatorTool"),
        model=" ".join(filter(None, model)),
    )


def _property(note: str, name: str) -> str:
    """Return a simple property of XMP, written as an attribute or as an element."""
    found = re.search(rf"""{name}(?:\s*=\s*["']([^"'<]*)["']|>([^<]*)<)""", note)
    return unescape((found[1] or found[2] or "").strip()) if found else ""
