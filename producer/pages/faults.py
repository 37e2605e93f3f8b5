"""What is wrong with what somebody typed, to be told beside it: the words of the API, and nothing typed is lost."""

from dataclasses import dataclass

from core.errors import CampaignFileError, FactoryError, ImpossibleWorkError, ScheduleError
from producer.api.problems import Fault, faults_of

# What a person mends in the same form; anything else is a page of its own.
FAULTY = (CampaignFileError, ImpossibleWorkError, ScheduleError)
STATUS = 422


@dataclass(frozen=True)
class Told:
    """What is wrong: fields with their lines, or in one sentence where it is no field's fault."""

    faults: tuple[Fault, ...]
    sentence: str = ""
    status: int = STATUS


def told_of(error: FactoryError) -> Told:
    """Return what an error tells."""
    faults = tuple(faults_of(error))
    return Told(faults, "" if faults else str(error))
