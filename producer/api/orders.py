"""Single jobs: one brief, made before all campaigns that are not as urgent, and answered by its id.

An order is a campaign of one job: the rules, the ledger and the workers need not know of anything else.
"""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field

from core.errors import CampaignFileError, Problem
from producer import campaigns
from producer.api.problems import renamed
from producer.campaigns import CampaignSource
from schemas.campaigns import (
    Audience,
    Brand,
    CopyDeliverable,
    ImageDeliverable,
    Locale,
    MusicDeliverable,
    Name,
    Priority,
    Product,
)
from schemas.frozen import Frozen

Wanted = Annotated[CopyDeliverable | ImageDeliverable | MusicDeliverable, Field(discriminator="kind")]
# How the fields of an order are called in the campaign that it becomes.
_FIELDS = {
    "products[0]": "product",
    "audiences[0]": "audience",
    "deliverables[0]": "deliverable",
    "locales[0]": "locale",
}


class JobOrder(Frozen):
    """One asset that somebody waits for. The same order twice is one job; another seed makes it another one."""

    name: Annotated[Name, Field(description="What its id begins with.")] = "single"
    brand: Brand
    product: Annotated[Product, Field(description="What is sold; music speaks for the brand alone.")]
    audience: Audience
    deliverable: Annotated[Wanted, Field(description="What is wanted, in one variant. Advertisements need a campaign.")]
    locale: Locale = "en"
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "brand": {"name": "Northbeam Coffee"},
                    "product": {"sku": "NB-001", "name": "Ember Espresso", "description": "Dark roast with cocoa"},
                    "audience": {"id": "commuters", "description": "people who need coffee before eight"},
                    "deliverable": {"kind": "copy", "channel": "google_search.headline"},
                }
            ]
        }
    )


def campaign_of(order: JobOrder, tenant: str) -> CampaignSource:
    """Return the campaign of one job; raises CampaignFileError for what is wrong with it."""
    plain = {
        "name": order.name,
        "brand": order.brand.model_dump(mode="json", exclude_unset=True),
        "products": [order.product.model_dump(mode="json", exclude_unset=True)],
        "audiences": [order.audience.model_dump(mode="json")],
        "deliverables": [order.deliverable.model_dump(mode="json", exclude_unset=True)],
        "locales": [order.locale],
        "priority": Priority.INTERACTIVE,
        "seed": order.seed,
    }
    if order.deliverable.variants != 1:
        message = "an order is one job; submit a campaign for more variants"
        raise CampaignFileError((Problem("", 1, 1, "deliverable.variants", message),))
    return campaigns.received(json.dumps(plain).encode(), "order.json", tenant)


def in_its_words() -> AbstractContextManager[None]:
    """Tell what is wrong with the campaign of an order by the fields of the order."""
    return renamed(_renamed)


def _renamed(problem: Problem) -> Problem:
    """Return a problem as one of the order, which has no file with lines."""
    for ours, theirs in _FIELDS.items():
        if problem.field.startswith(ours):
            return replace(problem, file="", field=theirs + problem.field.removeprefix(ours))
    return replace(problem, file="")
