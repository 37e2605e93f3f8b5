from pathlib import Path

import pytest
from pydantic import ValidationError

from producer import campaigns
from schemas.campaigns import Campaign, Priority, Product


def test_a_campaign_survives_the_way_through_json():
    campaign = campaigns.read(Path("examples/northbeam/campaign.yaml")).campaign

    assert Campaign.model_validate_json(campaign.model_dump_json()) == campaign


def test_a_product_refuses_keys_it_does_not_know():
    with pytest.raises(ValidationError, match="prize"):
        Product.model_validate({"sku": "NB-1", "name": "Ember", "prize": "1 EUR"})


def test_interactive_goes_before_normal_before_background():
    assert sorted(Priority, key=lambda priority: priority.rank) == ["interactive", "normal", "background"]
