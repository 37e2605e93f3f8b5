"""What is wrong with what somebody typed, to be told beside it: the words of the API, and nothing typed is lost."""

from dataclasses import dataclass

from core.errors import CampaignFileError, FactoryError, ImpossibleWorkError, ScheduleError, StateError
from producer.api.problems import Fault, faults_of

# What a person mends in the same form; anything else is a page of its own.
FAULTY = (CampaignFileError, ImpossibleWorkError, ScheduleError)
WRONG, TAKEN = 422, 409


@dataclass(frozen=True)
class Told:
    """What is wrong: fields with their lines, or in one sentence where it is no field's fault."""

    faults: tuple[Fault, ...]
    sentence: str = ""
    status: int = WRONG


def told_of(error: FactoryError) -> Told:
    """Return what an error tells."""
    faults = tuple(faults_of(error))
    sentence = "" if faults else str(error)
    return Told(faults, f"{sentence[:1].upper()}{sentence[1:]}", TAKEN if isinstance(error, StateError) else WRONG)
