"""An asset as a page shows it: its words, the addresses of its files, and how large they are."""

from dataclasses import dataclass

from core.ledger.gallery import Mine, Shown
from core.ledger.tallies import Standing
from producer.pages.routes.files import file_url
from schemas.campaigns import Kind
from schemas.jobs import Brief
from schemas.music import PICTURE_HEIGHT, PICTURE_WIDTH
from schemas.pictures import picture_channels


@dataclass(frozen=True)
class View:
    """An asset on a page."""

    job_id: str
    campaign_id: str
    kind: Kind
    channel: str
    brief: Brief
    variant: int
    text: str
    model: str
    created_at: float
    standing: Standing
    mine: Mine | None
    # Of what is seen: the picture, or the picture of the sound.
    picture: str
    # The same where many are shown.
    small: str
    width: int
    height: int
    # Of what is heard.
    sound: str

    @classmethod
    def of(cls, one: Shown) -> "View":
        """Return an asset as pages show it."""
        delivered, asset = one.delivered, one.delivered.asset

        def url(file: str) -> str:
            return file_url(asset.job_id, asset.location, file)

        picture, small, sound, width, height = "", "", "", 0, 0
        if delivered.kind == Kind.MUSIC:
            picture, small, sound = url("files/png"), url("small"), url("files/mp3")
            width, height = PICTURE_WIDTH, PICTURE_HEIGHT
        elif delivered.kind != Kind.COPY:
            spec = picture_channels().get(delivered.channel)
            picture, small = url("file"), url("small")
            width, height = spec.width if spec else 1, spec.height if spec else 1
        return cls(
            job_id=asset.job_id,
            campaign_id=asset.campaign_id,
            kind=delivered.kind,
            channel=delivered.channel,
            brief=Brief.model_validate_json(delivered.brief),
            variant=delivered.variant + 1,
            text=asset.preview,
            model=asset.model,
            created_at=delivered.created_at,
            standing=one.standing,
            mine=one.mine,
            picture=picture,
            small=small,
            width=width,
            height=height,
            sound=sound,
        )
