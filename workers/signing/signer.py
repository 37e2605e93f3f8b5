"""Marks files with where they come from: an XMP note that every tool reads, then a C2PA manifest, signed over both.

Music has its note already when it comes here. The same file signed twice has other bytes, as signatures have; compare
pixels or samples.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import c2pa

from core.errors import ProvenanceError
from core.provenance import Origin, content_type_of, generator
from core.settings import Settings
from workers.signing.certificates import credentials
from workers.signing.picture_notes import note

# A thumbnail in the manifest would be many times larger than everything else in it.
_BUILDER = {"builder": {"thumbnail": {"enabled": False}}}
# What a mark adds with the factory's own certificate: the room to leave under the limit of a channel.
MARK_BYTES = 5000


@dataclass(frozen=True)
class Ingredient:
    """A picture that another one is composed of; what its own manifest says is kept inside the new one."""

    data: bytes
    title: str


class Signer:
    """Signs with the certificate of these settings, offline. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        found = credentials(settings)
        try:
            # No timestamp service: that would be a call over the network for each picture.
            info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg[found.algorithm], found.chain, found.key, None)
            self._signer = c2pa.Signer.from_info(info)
            self._context = c2pa.Context(c2pa.Settings.from_dict(_BUILDER))
        except c2pa.C2paError as error:
            raise ProvenanceError(f"the certificate for provenance cannot sign: {error}") from error

    def mark(self, data: bytes, origin: Origin, title: str = "", ingredients: Sequence[Ingredient] = ()) -> bytes:
        """Return a PNG, JPEG or WebP with note and signed manifest, MARK_BYTES longer at most; no pixel changes."""
        return self.sign(note(data, origin), origin, title, ingredients)

    def sign(self, data: bytes, origin: Origin, title: str = "", ingredients: Sequence[Ingredient] = ()) -> bytes:
        """Return the file with a signed manifest. Whatever is changed afterwards breaks the signature."""
        signed = BytesIO()
        try:
            with c2pa.Builder(json.dumps(_manifest(origin, title)), context=self._context) as builder:
                for ingredient in ingredients:
                    told = {"title": ingredient.title, "relationship": "componentOf"}
                    builder.add_ingredient(json.dumps(told), content_type_of(ingredient.data), BytesIO(ingredient.data))
                builder.sign(self._signer, content_type_of(data), BytesIO(data), signed)
        except c2pa.C2paError as error:
            raise ProvenanceError(f"the file cannot be signed: {error}") from error
        return signed.getvalue()

    def sidecar(self, data: bytes, origin: Origin, title: str = "") -> bytes:
        """Return the signed manifest of an OGG or MIDI file, which cannot hold one, as a file beside it."""
        try:
            with c2pa.Builder(json.dumps(_manifest(origin, title)), context=self._context) as builder:
                builder.set_no_embed()
                signature: bytes = builder.sign(self._signer, content_type_of(data), BytesIO(data), BytesIO())
        except c2pa.C2paError as error:
            raise ProvenanceError(f"the file cannot be signed: {error}") from error
        return signature


def _manifest(origin: Origin, title: str) -> dict[str, Any]:
    action = {
        "action": "c2pa.created",
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "digitalSourceType": origin.source.uri,
        "softwareAgent": {"name": origin.model, "version": origin.version},
    }
    name, _, version = generator().partition(" ")
    return {
        "claim_generator_info": [{"name": name, "version": version}],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
