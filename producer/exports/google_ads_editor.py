"""A CSV that Google Ads Editor imports: responsive search ads, an ad group for each product and audience.

An ad takes 15 headlines and 4 descriptions; what is more goes into further ads of the group, evenly shared out.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import ceil
from pathlib import Path

from producer.delivered import Delivery
from producer.exports.written import Row, Written
from schemas.campaigns import Kind

HEADLINE = "google_search.headline"
DESCRIPTION = "google_search.description"
HEADLINES, DESCRIPTIONS = 15, 4
LEAST_HEADLINES, LEAST_DESCRIPTIONS = 3, 2
PATH_CHARACTERS = 15
NAME_CHARACTERS = 255

COLUMNS = {
    "Campaign": "name of the campaign",
    "Ad Group": "product and audience, and the language when the campaign has several",
    "Ad type": "always `Responsive search ad`",
    **{f"Headline {i}": "a line of `google_search.headline`" for i in range(1, HEADLINES + 1)},
    **{f"Description {i}": "a line of `google_search.description`" for i in range(1, DESCRIPTIONS + 1)},
    "Path 1": "the product's name, as far as 15 characters go",
    "Path 2": "empty",
    "Final URL": "the product's `url`",
}


def write(lines: Iterable[Delivery], path: Path, campaign: str, locales: Sequence[str]) -> Written:
    """Write the CSV with a byte order mark, as the editor wants UTF-8."""
    written = Written()
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _, group in groupby(lines, key=group_of):
            for row in _ads(list(group), campaign, locales, written):
                writer.writerow(written.cells(row))
    return written


def group_of(line: Delivery) -> tuple[str, str, str]:
    """Return what the lines of one ad group have in common."""
    return line.brief.product.sku, line.brief.audience.id, line.brief.locale


def group_name(line: Delivery, locales: Sequence[str]) -> str:
    """Return the name of an ad group: the article number makes it unique, the product's name makes it readable."""
    brief = line.brief
    parts = [f"{brief.product.sku} {brief.product.name}", brief.audience.id]
    if len(locales) > 1:
        parts.append(brief.locale)
    return " - ".join(parts)[:NAME_CHARACTERS]


def _ads(group: list[Delivery], campaign: str, locales: Sequence[str], written: Written) -> list[Row]:
    headlines = [line.text for line in group if line.brief.channel == HEADLINE]
    descriptions = [line.text for line in group if line.brief.channel == DESCRIPTION]
    written.left_out.update(line.brief.channel for line in group if line.brief.channel not in (HEADLINE, DESCRIPTION))
    written.kinds[Kind.COPY] += len(headlines) + len(descriptions)
    ads = max(ceil(len(headlines) / HEADLINES), ceil(len(descriptions) / DESCRIPTIONS))
    product = group[0].brief.product
    if ads:
        _count_lacks(headlines, descriptions, product.url, ads, written)
    return [
        [
            campaign,
            group_name(group[0], locales),
            "Responsive search ad",
            *_filled(headlines[i::ads], HEADLINES),
            *_filled(descriptions[i::ads], DESCRIPTIONS),
            _path(product.name),
            "",
            product.url or "",
        ]
        for i in range(ads)
    ]


def _count_lacks(headlines: list[str], descriptions: list[str], url: str | None, ads: int, written: Written) -> None:
    if len(headlines) // ads < LEAST_HEADLINES:
        written.incomplete[f"fewer than {LEAST_HEADLINES} headlines in an ad: Google will not run it"] += 1
    if len(descriptions) // ads < LEAST_DESCRIPTIONS:
        written.incomplete[f"fewer than {LEAST_DESCRIPTIONS} descriptions in an ad: Google will not run it"] += 1
    if not url:
        written.incomplete["no final URL: give the product a url"] += 1


def _filled(texts: list[str], width: int) -> list[str]:
    return texts + [""] * (width - len(texts))


def _path(name: str) -> str:
    """Return the first words of a name as a part of an address."""
    words = re.findall(r"[^\W_]+", name)
    path = ""
    for word in words:
        longer = f"{path}-{word}" if path else word
        if len(longer) > PATH_CHARACTERS:
            break
        path = longer
    return path
