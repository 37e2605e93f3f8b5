"""Exports: all that a campaign made as one file, every byte checked before the first one is sent."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from producer.api.access import VIEWER
from producer.api.describe import refusals
from producer.api.opened import Factory
from producer.api.owned import OwnCampaign
from producer.export import export
from producer.exports.formats import Format

router = APIRouter(prefix="/v1", tags=["exports"])

CHUNK_BYTES = 262_144
ENDINGS = {
    Format.CSV: ("text/csv; charset=utf-8", "csv"),
    Format.JSONL: ("application/x-ndjson", "jsonl"),
    Format.ZIP: ("application/zip", "zip"),
    Format.GOOGLE_ADS_EDITOR: ("text/csv; charset=utf-8", "csv"),
    Format.META_BULK: ("text/csv; charset=utf-8", "csv"),
}
_CONTENT = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type, _ in ENDINGS.values()}


@router.get(
    "/campaigns/{campaign}/export",
    dependencies=[VIEWER],
    response_class=StreamingResponse,
    responses=refusals(404, 409) | {200: {"content": _CONTENT, "description": "The file."}},
)
def export_campaign(
    factory: Factory,
    campaign: OwnCampaign,
    form: Annotated[
        Literal[Format.CSV, Format.JSONL, Format.ZIP, Format.GOOGLE_ADS_EDITOR, Format.META_BULK],
        Query(alias="format", description="What it looks like."),
    ] = Format.CSV,
) -> StreamingResponse:
    """Write what a campaign made to one file. A damaged asset is an error before the first byte, never half a file."""
    media_type, ending = ENDINGS[form]
    with factory.exports.taken("exports"), tempfile.TemporaryDirectory(prefix="export-") as folder:
        path = Path(folder) / f"{campaign}.{ending}"
        export(factory.ledger, factory.storage, campaign, path, form)
        # The file has no name any more when the folder is gone; its room is given back when it was sent.
        file = path.open("rb")
        size = path.stat().st_size
    headers = {
        "Content-Disposition": f'attachment; filename="{campaign}-{form}.{ending}"',
        "Content-Length": str(size),
    }
    return StreamingResponse(_chunks(file), media_type=media_type, headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
