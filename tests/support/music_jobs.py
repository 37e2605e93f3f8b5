"""Jobs that ask for music, for one brand and audience."""

from schemas.campaigns import Audience, Brand, Kind, voice_of
from schemas.jobs import Brief, Job, MusicOrder


def music_job(order: MusicOrder | None, number: int = 0, channel: str = "music.spot") -> Job:
    """Return a job; its number is its seed."""
    brand = Brand(name="Northbeam")
    brief = Brief(
        brand=brand,
        product=voice_of(brand),
        audience=Audience(id="all", description="everybody"),
        channel=channel,
        music=order,
    )
    return Job(
        id=f"spring-{number:06}",
        campaign_id="spring",
        kind=Kind.MUSIC,
        bucket="music/starter/4-bars",
        brief=brief,
        variant=0,
        seed=number,
    )
