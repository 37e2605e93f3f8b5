"""The contact sheet: all that an export holds on one page, to be looked at in a browser, with or without a network.

The page asks nobody for anything: its pictures are the files beside it. Every text on it was typed by somebody or
written by a model, so the template escapes all of them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from producer.delivered import Delivery
from schemas.campaigns import Campaign, Kind
from schemas.channels import channels
from schemas.music import PICTURE_HEIGHT, PICTURE_WIDTH, music_channels
from schemas.pictures import picture_channels

FILE = "contact-sheet.html"
# More of one channel make a page that nobody scrolls to its end; the table beside it has all of them.
MOST_OF_A_CHANNEL = 500
# In pixels: whatever its shape, a picture takes about this much of the page, and is never enlarged.
SHOWN_AREA = 260 * 260
# The companions of a recording that show and play it: a WAV is ten times as large.
PICTURE, SOUND = "png", "mp3"
# What is looked at first stands first.
_SECTIONS = {Kind.CREATIVE: "Advertisements", Kind.IMAGE: "Pictures", Kind.MUSIC: "Music", Kind.COPY: "Lines"}
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Shown:
    """One asset as the page shows it; the paths are those of its file, picture and sound beside the page."""

    path: str
    picture: str
    sound: str
    text: str
    product: str
    audience: str
    locale: str


@dataclass
class Group:
    """The assets of one kind and channel; without a size they are lines. The size of music is that of its pictures."""

    channel: str
    title: str
    width: int = 0
    height: int = 0
    count: int = 0
    shown: list[Shown] = field(default_factory=list)

    @property
    def shown_width(self) -> int:
        """Return how wide its pictures stand on the page."""
        return min(self.width, round(sqrt(SHOWN_AREA * self.width / self.height)))

    @property
    def left_out(self) -> int:
        """Return how many are not on the page."""
        return self.count - len(self.shown)


class ContactSheet:
    """Collects what an export writes; at its end it is a page. The same assets make the same page."""

    def __init__(self, campaign_id: str, campaign: Campaign) -> None:
        self._campaign_id = campaign_id
        self._campaign = campaign
        self._groups: dict[Kind, dict[str, Group]] = {kind: {} for kind in _SECTIONS}
        self._newest_at = 0.0

    def add(self, one: Delivery, path: str) -> None:
        """Note an asset whose file lies at this path beside the page."""
        brief = one.brief
        self._newest_at = max(self._newest_at, one.created_at)
        group = self._groups[one.kind].setdefault(brief.channel, _group(one.kind, brief.channel))
        group.count += 1
        if len(group.shown) < MOST_OF_A_CHANNEL:
            picture, sound = (
                f"{path.rpartition('.')[0]}.{ending}" if ending in one.companions else path
                for ending in (PICTURE, SOUND)
            )
            group.shown.append(
                Shown(path, picture, sound, one.text, brief.product.name, brief.audience.id, brief.locale)
            )

    def html(self) -> str:
        """Return the page."""
        sections = [(kind, title, list(self._groups[kind].values())) for kind, title in _SECTIONS.items()]
        return _PAGES.get_template("contact_sheet.html").render(
            brand=self._campaign.brand,
            campaign_id=self._campaign_id,
            made_on=datetime.fromtimestamp(self._newest_at, UTC).date().isoformat(),
            sections=[section for section in sections if section[2]],
            has_locales=len(self._campaign.locales) > 1,
        )


def _group(kind: Kind, channel: str) -> Group:
    if kind == Kind.COPY:
        return Group(channel, channels()[channel].title)
    if kind == Kind.MUSIC:
        return Group(channel, music_channels()[channel].title, PICTURE_WIDTH, PICTURE_HEIGHT)
    spec = picture_channels()[channel]
    return Group(channel, spec.title, spec.width, spec.height)
