"""Ids in addresses: a campaign, job or schedule of another tenant is as good as none."""

from typing import Annotated

from fastapi import Depends, Path

from core.ledger.schedules import Schedule
from producer.api.access import Me
from producer.api.opened import Factory

# What no id can look like is no address of anything.
_CAMPAIGN = r"^[a-z0-9][a-z0-9-]{0,79}$"
_JOB = r"^[a-z0-9][a-z0-9-]{0,95}$"
_SCHEDULE = "^sch_[0-9a-f]{32}$"


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


def _own_schedule(
    factory: Factory, me: Me, schedule: Annotated[str, Path(pattern=_SCHEDULE, description="The id of a schedule.")]
) -> Schedule:
    return factory.ledger.schedules.find(me.tenant, schedule)


OwnCampaign = Annotated[str, Depends(_own_campaign)]
OwnJob = Annotated[str, Depends(_own_job)]
OwnSchedule = Annotated[Schedule, Depends(_own_schedule)]
