"""The trail of what was said: it is read as it was written, forgets its oldest steps, and takes nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from producer.pages.trails import MOST_STEPS, Step, Trail

STEPS = st.builds(
    Step, st.from_regex(r"[a-z0-9-]{1,96}", fullmatch=True), st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
)


@given(st.lists(STEPS, max_size=MOST_STEPS))
def test_a_trail_is_read_as_it_was_written(steps: list[Step]):
    trail = Trail(tuple(steps))

    assert Trail.parse(str(trail)) == trail


@given(st.lists(STEPS, min_size=1, max_size=2 * MOST_STEPS))
def test_the_newest_steps_are_kept_and_the_last_one_is_taken_back_first(steps: list[Step]):
    trail = Trail()
    for step in steps:
        trail = trail.and_then(step.job_id, step.message_id)

    assert trail.steps == tuple(steps[-MOST_STEPS:])
    assert trail.last == steps[-1]
    assert trail.without_last == Trail(trail.steps[:-1])


@given(st.text(max_size=200))
def test_whatever_stands_in_an_address_gives_steps_or_none(text: str):
    trail = Trail.parse(text)

    assert Trail.parse(str(trail)) == trail
