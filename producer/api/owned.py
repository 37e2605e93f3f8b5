"""Ids in addresses: a campaign or job of another tenant is as good as none."""

from typing import Annotated

from fastapi import Depends, Path

from producer.api.access import Me
from producer.api.opened import Factory

# What no id can look like is no address of anything.
_CAMPAIGN = r"^[a-z0-9][a-z0-9-]{0,79}$"
_JOB = r"^[a-z0-9][a-z0-9-]{0,95}$"


def _own_campaign(
    factory: Factory,
    me: Me,
    campaign: Annotated[str, Path(pattern=_CAMPAIGN, description="The id of a campaign.")],
) -> str:
    factory.ledger.campaigns.require(me.tenant, campaign)
    return campaign


def _own_job(factory: Factory, me: Me, job: Annotated[str, Path(pattern=_JOB, description="The id of a job.")]) -> str:
    factory.ledger.jobs.require(me.tenant, job)
    return job


OwnCampaign = Annotated[str, Depends(_own_campaign)]
OwnJob = Annotated[str, Depends(_own_job)]
