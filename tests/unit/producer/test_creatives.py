"""Advertisements that could never be made are refused when the file is read, with the place of what to mend."""

from pathlib import Path

import pytest

from core.errors import CampaignFileError
from producer import campaigns

GOOD = """\
name: spring
brand: {name: Northbeam}
products: [{sku: NB-1, name: Ember}]
audiences: [{id: all, description: everybody}]
deliverables:
  - {kind: copy, channel: meta.headline}
  - {kind: image, channel: instagram.square}
  - {kind: creative, channel: iab.medium_rectangle, variants: 2}
locales: [en]
"""
LONG = "Download the free buying guide now"


def written(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD
    for old, new in changes:
        text = text.replace(old, new)
    path = folder / "campaign.yaml"
    path.write_text(text)
    return path


def report(path: Path) -> list[str]:
    with pytest.raises(CampaignFileError) as caught:
        campaigns.read(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


CANNOT_SHOW = "which the shipped font Poppins cannot show: write it in Latin or Devanagari letters, without emoji"
RECTANGLE = "is too long for IAB medium rectangle in"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("variants: 2", "layout: spotligt", "8:61: deliverables[2].layout: unknown layout; did you mean 'spotlight'?"),
        (
            "variants: 2",
            "call_to_action: 買う",
            f"8:69: deliverables[2].call_to_action: has '買' (CJK UNIFIED IDEOGRAPH-8CB7, U+8CB7), {CANNOT_SHOW}",
        ),
        (
            "variants: 2",
            f"call_to_action: {LONG}, layout: split",
            (
                f"8:69: deliverables[2].call_to_action: {RECTANGLE} split: shorten it to about 20 characters,"
                " or name one of the layouts spotlight, poster, halo, card"
            ),
        ),
        (
            "Northbeam",
            "קפה",
            f"2:15: brand.name: has 'ק' (HEBREW LETTER QOF, U+05E7), {CANNOT_SHOW}; advertisements show the name",
        ),
        (
            "Northbeam",
            "The Northbeam Roasters of the Harbour and the Hills Company",
            f"2:15: brand.name: {RECTANGLE} spotlight, editorial: shorten it to about 55 characters",
        ),
        (
            "[en]",
            "[en, ja]",
            (
                "9:15: locales[1]: 'ja' has letters that advertisements cannot show:"
                " make its copy in a campaign without creative deliverables"
            ),
        ),
    ],
)
def test_what_can_never_be_composed_is_refused_with_its_place(tmp_path: Path, old: str, new: str, expected: str):
    assert report(written(tmp_path, (old, new))) == [expected]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Its layouts are the first two, and the second of them has a narrower button than the first.
        ("variants: 2", "call_to_action: Download the free guide"),
        # A leaderboard leaves out what does not fit.
        ("iab.medium_rectangle, variants: 2", f"iab.leaderboard, call_to_action: {LONG}"),
        ("Northbeam", "Nordstrahl Größe & Söhne"),
        ("[en]", "[en, pl, hi]"),
    ],
)
def test_what_may_be_composed_is_not_refused(tmp_path: Path, old: str, new: str):
    source = campaigns.read(written(tmp_path, (old, new)))

    assert source.product_count == 1


def test_a_campaign_without_advertisements_may_have_any_letters(tmp_path: Path):
    path = written(
        tmp_path,
        ("  - {kind: creative, channel: iab.medium_rectangle, variants: 2}\n", ""),
        ("Northbeam", "קפה"),
        ("[en]", "[he]"),
    )

    assert campaigns.read(path).campaign.brand.name == "קפה"
