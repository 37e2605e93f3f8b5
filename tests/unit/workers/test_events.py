"""What Flower shows of a job in the first characters of its arguments."""

from schemas.jobs import MusicOrder
from workers.events import begun

from support.music_jobs import music_job


def test_a_job_of_music_is_told_by_its_mood_and_length():
    job = music_job(MusicOrder(mood="calm", seconds=12.5))

    [(_, received), _] = begun(job, attempt=1)

    assert received["name"] == "generate.music"
    assert received["args"] == "('calm, 12.5 s', 'music.spot', 'all', 'spring')"
