"""What a job asks for, as models of music read it."""

from core.errors import ImpossibleWorkError
from core.music.moods import MusicBrief, brief_of
from schemas.jobs import Job


def brief_of_job(job: Job) -> MusicBrief:
    """Return what a job asks for; raises ImpossibleWorkError for one that asks for no music."""
    if job.brief.music is None:
        raise ImpossibleWorkError(f"job {job.id} does not say what music it wants: submit its campaign anew")
    return brief_of(job.brief.music)
