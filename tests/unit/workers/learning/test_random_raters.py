"""The whole way from ratings to the gate, many times over: what people say at random never passes."""

import pytest

from benchmarks.learning import Run, learn, tiny_world

pytestmark = pytest.mark.timeout(900)
SEEDS = 10


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Ten trainings on ratings at random, of other people each time."""
    folder = tmp_path_factory.mktemp("world")
    world = tiny_world(folder, products=32)
    recipe = {kind: one.model_copy(update={"epochs": 1}) for kind, one in world.rules.recipes.items()}
    gate = world.rules.gate.model_copy(update={"most_briefs": 2})
    quick = world.with_rules(world.rules.model_copy(update={"recipes": recipe, "gate": gate}))
    # Each line by one person: nobody can be compared with anybody, so only the gate stands in the way.
    return [learn(quick, "random", seed, folder / "work", each=1) for seed in range(SEEDS)]


def test_ratings_at_random_never_pass(runs: list[Run]):
    assert [run for run in runs if run.outcome == "passed"] == []


def test_they_are_no_proof_because_they_were_too_few(runs: list[Run]):
    assert sum(run.outcome == "refused" for run in runs) > SEEDS / 2
