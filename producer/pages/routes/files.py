"""Files: what pages load, and the bytes of assets out of the store, checked, for whoever may see them."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from starlette.exceptions import HTTPException

from core.errors import CorruptAssetError, UnknownIdError
from core.storage import Storage
from producer.api.opened import Factory
from producer.api.owned import OwnJob
from producer.delivered import manifest_of, text_of
from producer.pages.person import VIEWS
from producer.pages.render import MEDIA_TYPES, STATIC, static_files
from schemas.assets import SMALL, Asset, Companion, Location

public = APIRouter()
router = APIRouter(dependencies=[VIEWS])

# An address of a file of ours holds its hash, and an asset never changes.
FOREVER = "public, max-age=31536000, immutable"
MINE_FOREVER = "private, max-age=604800, immutable"
# What a browser may show; anything else it can only save.
SHOWN = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
}
# Nothing in a file runs, whatever it turns out to be.
POLICY = "default-src 'none'; sandbox"
# The companion that shows what a recording sounds like.
PICTURE = "png"
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")

Range = Annotated[str, Header(alias="Range", max_length=100)]
Ending = Annotated[str, Path(pattern=r"^[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?$")]


@public.get("/static/{version}/{name}")
def show_static(version: str, name: str) -> Response:
    """Give a file that pages load."""
    if static_files().get(name) != version:
        raise HTTPException(404)
    path = STATIC / name
    return Response(path.read_bytes(), media_type=MEDIA_TYPES[path.suffix], headers={"Cache-Control": FOREVER})


@router.get("/assets/{job}/file")
def show_file(factory: Factory, job: OwnJob, part: Range = "", *, download: bool = False) -> Response:
    """Give the bytes of an asset; a line of copy as text."""
    asset = factory.ledger.assets.stored_of_job(job)
    data = factory.storage.get(asset.location)
    if asset.content_type.startswith("text/"):
        line = f"{text_of(data, job)}\n".encode()
        return _answer(line, "text/plain; charset=utf-8", f"{job}.txt", "", is_shown=not download)
    ending = SHOWN.get(asset.content_type, "bin")
    return _answer(data, asset.content_type, f"{job}.{ending}", part, is_shown=not download and ending != "bin")


@router.get("/assets/{job}/files/{ending}")
def show_companion(
    factory: Factory, job: OwnJob, ending: Ending, part: Range = "", *, download: bool = False
) -> Response:
    """Give the bytes of a companion of an asset: its recording as MP3, its picture."""
    asset = factory.ledger.assets.stored_of_job(job)
    found = next((one for one in companions(factory.storage, asset) if one.ending == ending), None)
    if found is None:
        raise UnknownIdError(f"the asset of job {job} has no file that ends in '{ending}'")
    is_shown = not download and found.content_type in SHOWN
    return _answer(factory.storage.get(found.location), found.content_type, f"{job}.{ending}", part, is_shown=is_shown)


@router.get("/assets/{job}/small")
def show_small(factory: Factory, job: OwnJob) -> Response:
    """Give the small picture of an asset; of one that has none, the picture itself."""
    asset = factory.ledger.assets.stored_of_job(job)
    found = _small(factory.storage, asset)
    if found is None:
        return show_file(factory, job)
    data = factory.storage.get(found.location)
    return _answer(data, found.content_type, f"{job}.{found.ending}", "", is_shown=True)


def _small(storage: Storage, asset: Asset) -> Companion | None:
    """Return the smallest picture beside an asset; assets of former versions have none, or only that of their sound."""
    try:
        beside = {one.ending: one for one in companions(storage, asset)}
    except CorruptAssetError:
        # What is wrong with the recipe is told on the asset's own page; here its picture is enough.
        return None
    return beside.get(SMALL) or beside.get(PICTURE)


def companions(storage: Storage, asset: Asset) -> tuple[Companion, ...]:
    """Return the other files of an asset, as its manifest names them."""
    return manifest_of(storage.get(asset.manifest), asset).companions


def file_url(job_id: str, location: Location, file: str = "file") -> str:
    """Return the address of an asset's bytes, or of a file beside it; other bytes have another address."""
    return f"/assets/{job_id}/{file}?v={location.sha256[:12]}"


def _answer(data: bytes, content_type: str, name: str, part: str, *, is_shown: bool) -> Response:
    """Return bytes, or the range of them that was asked for: players jump about in a recording."""
    headers = {
        "Content-Disposition": f'{"inline" if is_shown else "attachment"}; filename="{name}"',
        "Content-Security-Policy": POLICY,
        "Cache-Control": MINE_FOREVER,
        # Somebody else may sign in with the same browser.
        "Vary": "Cookie",
        "Accept-Ranges": "bytes",
    }
    media_type = content_type if is_shown else "application/octet-stream"
    asked = _RANGE.fullmatch(part)
    if asked is None:
        return Response(data, media_type=media_type, headers=headers)
    first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
    if first > last:
        raise HTTPException(416, f"the file has {len(data)} bytes", {"Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type=media_type, headers=headers)
