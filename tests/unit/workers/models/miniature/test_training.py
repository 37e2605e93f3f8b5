"""The training loop: it goes on after an interruption as if there had been none."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from workers.models.miniature.examples import Examples
from workers.models.miniature.flow import FlowTraining
from workers.models.miniature.gan import GanTraining
from workers.models.miniature.scorer import ScorerTraining
from workers.models.training import Plan, Trainee, resume, save, train, warm_and_fall

STEPS = 4


def flow(examples: Examples) -> Trainee:
    return FlowTraining(examples, channels=(32, 32, 32), batch=2)


def gan(examples: Examples) -> Trainee:
    return GanTraining(examples, batch=2)


@pytest.mark.parametrize("start", [flow, ScorerTraining, gan])
def test_a_training_that_was_interrupted_ends_with_the_same_weights(
    start: Callable[[Examples], Trainee], examples: Examples, tmp_path: Path
):
    straight, first_half, second_half = start(examples), start(examples), start(examples)
    train(straight, Plan(tmp_path, "straight", STEPS))
    plan = Plan(tmp_path, "interrupted", STEPS)
    for step in range(STEPS // 2):
        first_half.learn(step, STEPS)
    save(first_half, plan.checkpoint, STEPS // 2)

    is_done = train(second_half, plan)

    assert is_done
    for name, module in straight.modules.items():
        resumed = second_half.modules[name].state_dict()
        assert all(torch.equal(resumed[key], value) for key, value in module.state_dict().items())


def test_a_draft_of_a_checkpoint_is_never_read(examples: Examples, tmp_path: Path):
    plan = Plan(tmp_path, "flow", STEPS)
    plan.checkpoint.with_suffix(".1.draft").write_bytes(b"killed while it was written")

    assert resume(flow(examples), plan.checkpoint) == 0


def test_a_plan_without_time_takes_no_step_and_is_not_done(examples: Examples, tmp_path: Path):
    plan = Plan(tmp_path, "flow", STEPS, minutes=0)

    is_done = train(flow(examples), plan)

    assert not is_done
    assert resume(flow(examples), plan.checkpoint) == 0


def test_the_losses_are_kept_one_object_a_line(examples: Examples, tmp_path: Path):
    plan = Plan(tmp_path, "scorer", STEPS)

    train(ScorerTraining(examples), plan)

    [line] = plan.log.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["step"] == STEPS


def test_the_learning_rate_rises_and_ends_near_nothing():
    rates = [warm_and_fall(step, 1000) for step in (0, 49, 500, 999)]

    assert rates[0] < 0.05
    assert rates[1] > rates[2] > 0.5
    assert rates[3] < 0.01
