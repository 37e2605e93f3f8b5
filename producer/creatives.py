"""What a campaign file asks of advertisements that could never be made: parts, layouts, letters and lengths."""

from collections.abc import Iterator, Sequence

from core.errors import Problem
from producer.documents import Document, Loc
from producer.problems import problem_at, shown, suggestion
from schemas.campaigns import CreativeDeliverable, Kind
from schemas.channels import channels
from schemas.layouts import Layout, layouts
from schemas.pictures import picture_channels
from schemas.rooms import MEDIUM, SEMIBOLD, Room, action_room, brand_room, can_fit, characters_for
from schemas.typeface import LACKING_LANGUAGES, lacking

# What can be set in large letters on a picture.
MOST_HEADLINE_CHARACTERS = 60
BRAND: Loc = ("brand", "name")
_FIELDS = CreativeDeliverable.model_fields


def missing_parts(document: Document, loc: Loc, made: dict[Kind, list[str]]) -> list[Problem]:
    """Return what a finished advertisement needs and the campaign does not make."""
    problems = []
    headline = document.text((*loc, "headline")) or _FIELDS["headline"].default
    spec = channels().get(headline)
    if spec is None or spec.max_characters > MOST_HEADLINE_CHARACTERS:
        names = [name for name, known in channels().items() if known.max_characters <= MOST_HEADLINE_CHARACTERS]
        problems.append(problem_at(document, (*loc, "headline"), f"is no headline; {suggestion(headline, names)}"))
    elif headline not in made[Kind.COPY]:
        message = f"the campaign makes no {headline}: add {{kind: copy, channel: {headline}}} to its deliverables"
        problems.append(problem_at(document, (*loc, "headline"), message))
    image = document.text((*loc, "image"))
    if not made[Kind.IMAGE]:
        channel = image or "instagram.square"
        message = f"the campaign makes no pictures: add {{kind: image, channel: {channel}}} to its deliverables"
        problems.append(problem_at(document, loc, message))
    elif image and image not in made[Kind.IMAGE]:
        message = f"the campaign makes no such pictures; {suggestion(image, made[Kind.IMAGE])}"
        problems.append(problem_at(document, (*loc, "image"), message))
    return problems


def impossible(document: Document) -> list[Problem]:
    """Return what no composer could do: unknown layouts, letters that the typeface lacks, lines that never fit."""
    entries: list[Loc] = [("deliverables", i) for i in range(document.length("deliverables"))]
    ours = [loc for loc in entries if document.text((*loc, "kind")) == Kind.CREATIVE]
    if not ours:
        return []
    problems = [*_wrong_languages(document), *_wrong_brand(document, ours)]
    for loc in ours:
        name = document.text((*loc, "layout"))
        if name and name not in layouts():
            problems.append(problem_at(document, (*loc, "layout"), f"unknown layout; {suggestion(name, layouts())}"))
        problems += _wrong_action(document, loc)
    return problems


def _wrong_languages(document: Document) -> Iterator[Problem]:
    for i in range(document.length("locales")):
        locale = document.text(("locales", i))
        if locale.partition("-")[0] in LACKING_LANGUAGES:
            message = (
                f"{shown(locale)} has letters that advertisements cannot show: make its copy in a campaign without"
                " creative deliverables"
            )
            yield problem_at(document, ("locales", i), message)


def _wrong_brand(document: Document, ours: Sequence[Loc]) -> list[Problem]:
    """Return what is wrong with the brand's name; how much room a logo leaves beside it is for the composer to say."""
    name = document.text(BRAND)
    if lack := lacking(name):
        return [problem_at(document, BRAND, f"{lack}; advertisements show the name")]
    if document.text(("brand", "logo")):
        return []
    told = [_too_long(document, loc, name, MEDIUM, brand_room) for loc in ours]
    return [problem_at(document, BRAND, message) for message in told if message][:1]


def _wrong_action(document: Document, loc: Loc) -> list[Problem]:
    place: Loc = (*loc, "call_to_action")
    given = document.find(place)
    action = document.text(place) if given else _FIELDS["call_to_action"].default
    message = lacking(action) or _too_long(document, loc, action, SEMIBOLD, action_room)
    return [problem_at(document, place, message)] if message else []


def _too_long(document: Document, loc: Loc, text: str, weight: int, room: Room) -> str:
    """Return in which layouts of a deliverable a line never fits, and what would; empty when it may fit everywhere."""
    channel = picture_channels().get(document.text((*loc, "channel")))
    if channel is None:
        return ""
    found = {name: room(layout, channel) for name, layout in _layouts_of(document, loc).items()}
    tight = {
        name: width for name, width in found.items() if width is not None and not can_fit(text, weight, width, channel)
    }
    if not tight:
        return ""
    fitting = characters_for(text, weight, min(tight.values()))
    rooms = {name: room(layout, channel) for name, layout in layouts().items()}
    wide = [name for name, width in rooms.items() if width is None or can_fit(text, weight, width, channel)]
    others = f", or name one of the layouts {', '.join(wide)}" if wide else ""
    return f"is too long for {channel.title} in {', '.join(tight)}: shorten it to about {fitting} characters{others}"


def _layouts_of(document: Document, loc: Loc) -> dict[str, Layout]:
    """Return the layouts that the variants of a deliverable walk through: the one named, or as many as it has variants.

    A name that is not known is another problem, and none of length.
    """
    name = document.text((*loc, "layout"))
    if name:
        return {known: layout for known, layout in layouts().items() if known == name}
    node = document.find((*loc, "variants"))
    variants = node.value if node and isinstance(node.value, int) else _FIELDS["variants"].default
    return dict(list(layouts().items())[:variants])
