"""A walk goes up in steps, and ends where a version passes."""

import pytest

from benchmarks.walks import numbers, walk


@pytest.mark.parametrize(
    ("passes_at", "steps", "first"), [(40, [20, 40], 40), (20, [20], 20), (99, [20, 40, 60], None)]
)
def test_a_walk_ends_with_the_first_version_that_passes(passes_at: int, steps: list[int], first: int | None):
    def learn(step: int) -> dict[str, object]:
        return {"ratings": step, "outcome": "passed" if step >= passes_at else "refused", "wins": 0.8}

    found = walk(numbers("20,40,60"), learn)

    assert [one["ratings"] for one in found["steps"]] == steps
    assert found["ratings_to_first_pass"] == first
