from dataclasses import replace
from html.parser import HTMLParser
from itertools import count

import pytest

from producer.delivered import Delivery
from producer.exports.contact_sheet import MOST_OF_A_CHANNEL, ContactSheet, Group
from producer.exports.folders import name_of
from schemas.assets import Asset, Location
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief

NASTY = "\"><script>alert('x')</script><img src=x onerror=alert(1)> & {{ 7 * 7 }}"
ENDINGS = {Kind.COPY: "jsonl", Kind.IMAGE: "png", Kind.CREATIVE: "jpeg", Kind.MUSIC: "wav"}
NUMBERS = count()


class Page(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        """Return the values of all attributes of this name."""
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]


def campaign(brand: str = "Northbeam", locales: tuple[str, ...] = ("en",)) -> Campaign:
    return Campaign(
        name="spring",
        brand=Brand(name=brand, colors=("#1F3A2E",)),
        products=(Product(sku="NB-1", name="Ember"),),
        audiences=(Audience(id="commuters", description="people in a hurry"),),
        deliverables=(CopyDeliverable(kind=Kind.COPY, channel="x.post"),),
        locales=locales,
    )


def delivery(kind: Kind, channel: str, text: str = "Cocoa & smoke", product: str = "Ember") -> Delivery:
    number = next(NUMBERS)
    place = Location(key=f"k.{ENDINGS[kind]}", offset_bytes=0, length_bytes=1, sha256="0" * 64)
    asset = Asset(
        job_id=f"spring-{number}",
        campaign_id="spring-1234",
        sku="NB-1",
        location=place,
        manifest=place,
        content_type="any",
        preview=text,
        fingerprint=str(number),
        model="m",
        device_seconds=0.1,
    )
    brief = Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku="NB-1", name=product),
        audience=Audience(id="commuters", description="people in a hurry"),
        channel=channel,
    )
    return Delivery(asset, kind, brief, 0, 0.0, text)


def page_of(*made: Delivery, of: Campaign | None = None) -> Page:
    sheet = ContactSheet("spring-1234", of or campaign())
    for one in made:
        sheet.add(one, name_of(one))
    return Page(sheet.html())


MIXED = (
    delivery(Kind.COPY, "x.post"),
    delivery(Kind.IMAGE, "instagram.square", "a cup of coffee"),
    delivery(Kind.CREATIVE, "instagram.story"),
)


def test_every_picture_and_line_is_shown_with_product_channel_and_audience():
    page = page_of(*MIXED)

    assert page.values("src") == [name_of(MIXED[2]), name_of(MIXED[1])]
    assert page.values("alt") == ["Ember for commuters: Cocoa & smoke", "Ember for commuters: a cup of coffee"]
    for shown in ("Cocoa & smoke", "Ember, for commuters, 13 characters", "x.post", "instagram.square", "Lines 1"):
        assert shown in page.text


def test_music_is_shown_by_its_picture_and_played_when_somebody_asks_for_it():
    files = {"mp3": b"", "ogg": b"", "png": b""}
    piece = replace(delivery(Kind.MUSIC, "music.spot", "calm, 15 s", "Northbeam"), companions=files)
    name = name_of(piece).removesuffix(".wav")

    page = page_of(piece)

    [(_, player)] = [(tag, attrs) for tag, attrs in page.tags if tag == "audio"]
    assert page.values("src") == [f"{name}.png", f"{name}.mp3"]
    assert f"{name}.wav" in page.values("href")
    assert (player["preload"], "controls" in player, "autoplay" in player) == ("none", True, False)
    assert "media-src 'self' file:" in "".join(page.values("content"))


def test_nothing_that_was_typed_becomes_a_part_of_the_page():
    made = [delivery(one.kind, one.brief.channel, NASTY, NASTY) for one in MIXED]

    page = page_of(*made, of=campaign(brand=NASTY))

    assert {tag for tag, _ in page.tags} == {tag for tag, _ in page_of(*MIXED).tags}
    assert len(page.tags) == len(page_of(*MIXED).tags)
    assert page.text.count(NASTY) == 8
    assert page.values("alt") == [f"{NASTY} for commuters: {NASTY}"] * 2


def test_the_page_asks_for_nothing_that_lies_elsewhere():
    page = page_of(*MIXED)

    targets = page.values("src") + page.values("href")
    assert [target for target in targets if ":" in target or target.startswith("/")] == []
    assert "default-src 'none'" in "".join(page.values("content"))


def test_of_a_large_channel_the_first_are_shown_and_the_others_counted():
    lines = [delivery(Kind.COPY, "x.post", f"line {number}") for number in range(MOST_OF_A_CHANNEL + 2)]

    page = page_of(*lines)

    assert f"line {MOST_OF_A_CHANNEL - 1}" in page.text
    assert f"line {MOST_OF_A_CHANNEL}" not in page.text
    assert "and 2 more" in page.text


def test_languages_are_named_when_there_are_several():
    assert "for commuters, en," not in page_of(MIXED[0]).text
    assert "for commuters, en," in page_of(MIXED[0], of=campaign(locales=("en", "en-GB"))).text


@pytest.mark.parametrize(
    ("size", "shown"), [((1080, 1080), 260), ((1080, 1920), 195), ((728, 90), 728), ((320, 50), 320)]
)
def test_pictures_take_about_the_same_area_and_are_never_enlarged(size: tuple[int, int], shown: int):
    assert Group("any", "Any", *size).shown_width == shown
