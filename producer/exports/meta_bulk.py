"""A CSV for the bulk import of Meta's ads manager: an ad set for each product and audience, an ad for each text.

Titles and bodies are paired in their order; where there are fewer of one, they come again from the first.
"""

import csv
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from producer.delivered import Delivery
from producer.exports.google_ads_editor import group_name, group_of
from producer.exports.written import Row, Written
from schemas.campaigns import Kind

TITLE = "meta.headline"
BODY = "meta.primary_text"

COLUMNS = {
    "Campaign Name": "name of the campaign",
    "Ad Set Name": "product and audience, and the language when the campaign has several",
    "Ad Name": "the ad set and a number",
    "Title": "a line of `meta.headline`",
    "Body": "a line of `meta.primary_text`",
    "Link": "the product's `url`",
    "Call to Action": "`SHOP_NOW` where there is a link",
}


def write(lines: Iterable[Delivery], path: Path, campaign: str, locales: Sequence[str]) -> Written:
    """Write the CSV with a byte order mark, without which spreadsheets garble its accents on the way to Meta."""
    written = Written()
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for _, group in groupby(lines, key=group_of):
            for row in _ads(list(group), campaign, locales, written):
                writer.writerow(written.cells(row))
    return written


def _ads(group: list[Delivery], campaign: str, locales: Sequence[str], written: Written) -> list[Row]:
    titles = [line.text for line in group if line.brief.channel == TITLE]
    bodies = [line.text for line in group if line.brief.channel == BODY]
    written.left_out.update(line.brief.channel for line in group if line.brief.channel not in (TITLE, BODY))
    written.kinds[Kind.COPY] += len(titles) + len(bodies)
    ads = max(len(titles), len(bodies))
    if ads:
        _count_lacks(titles, bodies, group[0].brief.product.url, written)
    name, link = group_name(group[0], locales), group[0].brief.product.url or ""
    return [
        [
            campaign,
            name,
            f"{name} - {i + 1}",
            titles[i % len(titles)] if titles else "",
            bodies[i % len(bodies)] if bodies else "",
            link,
            "SHOP_NOW" if link else "",
        ]
        for i in range(ads)
    ]


def _count_lacks(titles: list[str], bodies: list[str], url: str | None, written: Written) -> None:
    if not titles:
        written.incomplete["have no title: ask for meta.headline too"] += 1
    if not bodies:
        written.incomplete["have no body: ask for meta.primary_text too"] += 1
    if not url:
        written.incomplete["have no link: give the product a url"] += 1
