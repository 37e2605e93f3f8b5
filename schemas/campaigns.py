"""A campaign: what a brand wants made, for which products, audiences and channels, and in how many variants."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.frozen import Frozen
from schemas.music import LEAST_SECONDS, MOST_SECONDS
from schemas.styles import Style

# What stands for the brand where a product's article number would.
BRAND_SKU = "brand"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=2000)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Energy = Annotated[int, Field(ge=1, le=5)]
Bpm = Annotated[float, Field(ge=40, le=240)]
# From when to when, by the clock of a time zone: '22:00-06:00' goes past midnight.
Window = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]
# The word for styles that ratings choose.
AUTO: Literal["auto"] = "auto"
StylesAsked = Literal["auto"] | Annotated[tuple[Style, ...], Field(min_length=1, max_length=10)] | None
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]


class Kind(StrEnum):
    """What sort of asset a job makes."""

    COPY = "copy"
    IMAGE = "image"
    CREATIVE = "creative"
    MUSIC = "music"


class Priority(StrEnum):
    """How urgent a campaign is; a better class always goes first."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BACKGROUND = "background"

    @property
    def rank(self) -> int:
        """Return the order of service: 0 is served first."""
        return list(Priority).index(self)


class Brand(Frozen):
    """Who speaks: name, tone of voice, colours, logo, and the words it never uses."""

    name: ShortText
    voice: Annotated[str, StringConstraints(max_length=300)] = "clear and friendly"
    description: LongText = ""
    colors: tuple[Color, ...] = ()
    # A picture beside the campaign file.
    logo: Annotated[str, StringConstraints(pattern=r"(?i)\.(png|jpe?g|webp)$", max_length=200)] | None = None
    banned_words: tuple[ShortText, ...] = ()


class Product(Frozen):
    """What is sold. Copy says only what stands here: no price without `price`, no discount without `offer`."""

    sku: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    name: ShortText
    description: LongText = ""
    price: Annotated[str, StringConstraints(max_length=60)] | None = None
    offer: Annotated[str, StringConstraints(max_length=200)] | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S{3,2000}$")] | None = None
    # What is seen on its pictures, where that does not follow from name and description: 'a cup of coffee'.
    subject: Annotated[str, StringConstraints(max_length=300)] | None = None


class ProductFeed(Frozen):
    """Products in a file beside the campaign (CSV with a header line, or JSONL)."""

    file: Annotated[str, StringConstraints(pattern=r"\.(csv|jsonl)$")]


def voice_of(brand: Brand) -> Product:
    """Return the brand as what its music speaks for, in the place of a product."""
    return Product(sku=BRAND_SKU, name=brand.name, description=brand.description)


class Audience(Frozen):
    """Who is spoken to."""

    id: Name
    description: Annotated[str, StringConstraints(min_length=1, max_length=300)]


class CopyDeliverable(Frozen):
    """Lines of ad copy for one channel."""

    kind: Literal[Kind.COPY]
    channel: str
    variants: Annotated[int, Field(ge=1, le=50)] = 1
    # How lines approach their reader: variants walk through these; through those of the model when none are named.
    # `auto` chooses for each line, by what ratings say of the styles in its channel and to its audience.
    styles: StylesAsked = None


class ImageDeliverable(Frozen):
    """Pictures of each product in the size of one picture channel."""

    kind: Literal[Kind.IMAGE]
    channel: str
    variants: Annotated[int, Field(ge=1, le=50)] = 1
    look: Annotated[str, StringConstraints(max_length=300)] = ""
    # Replaces the subject that follows from the product; `{product}` and `{description}` stand for its texts.
    prompt: LongText = ""
    negative: Annotated[str, StringConstraints(max_length=1000)] = ""
    steps: Annotated[int, Field(ge=1, le=500)] | None = None
    guidance: Annotated[float, Field(ge=0, le=50)] | None = None


class CreativeDeliverable(Frozen):
    """Finished advertisements: a picture, a headline and a call to action, composed for one picture channel."""

    kind: Literal[Kind.CREATIVE]
    channel: str
    variants: Annotated[int, Field(ge=1, le=50)] = 1
    # The copy channel that the headline comes from, and the channel of the pictures; the campaign makes both.
    headline: str = "meta.headline"
    image: str | None = None
    call_to_action: Annotated[str, StringConstraints(max_length=40)] = "Learn more"
    # One layout for all; variants walk through all layouts when none is named.
    layout: Name | None = None


class MusicDeliverable(Frozen):
    """Pieces of music for one use. They speak for the brand: each audience has them, and no product its own."""

    kind: Literal[Kind.MUSIC]
    channel: str
    variants: Annotated[int, Field(ge=1, le=50)] = 1
    mood: ShortText
    # The channel's own length when not given; tempo in beats a minute, meter, key and energy follow from the mood.
    seconds: Annotated[float, Field(ge=LEAST_SECONDS, le=MOST_SECONDS)] | None = None
    energy: Energy | None = None
    bpm: Bpm | None = None
    meter: ShortText | None = None
    key: ShortText | None = None
    instruments: Annotated[tuple[ShortText, ...], Field(max_length=12)] = ()
    # It can be played round and round.
    is_loop: bool = False


Deliverable = Annotated[
    CopyDeliverable | ImageDeliverable | CreativeDeliverable | MusicDeliverable, Field(discriminator="kind")
]


class Budget(Frozen):
    """Limits that stop a campaign; what is not given is not limited."""

    jobs: Annotated[int, Field(ge=1)] | None = None
    device_seconds: Annotated[float, Field(gt=0)] | None = None


class Campaign(Frozen):
    """A campaign file, as a person writes it."""

    version: Literal[1] = 1
    name: Name
    brand: Brand
    products: Annotated[tuple[Product, ...], Field(min_length=1)] | ProductFeed
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1, max_length=100)]
    deliverables: Annotated[tuple[Deliverable, ...], Field(min_length=1, max_length=100)]
    locales: Annotated[tuple[Locale, ...], Field(min_length=1, max_length=20)] = ("en",)
    priority: Priority = Priority.NORMAL
    budget: Budget = Budget()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    # Its jobs are claimed only inside this window of every day.
    window: Window | None = None
    # Whose clock the window goes by; UTC, if not given.
    timezone: TimeZone | None = None

    def products_of(self, deliverable: Deliverable, product_count: int) -> int:
        """Return how many products get a deliverable each: music speaks for the brand, once."""
        return 1 if deliverable.kind == Kind.MUSIC else product_count

    def locales_of(self, deliverable: Deliverable) -> tuple[Locale, ...]:
        """Return the locales that get a deliverable each: what speaks no language, one has for all."""
        return self.locales[:1] if deliverable.kind in {Kind.IMAGE, Kind.MUSIC} else self.locales
