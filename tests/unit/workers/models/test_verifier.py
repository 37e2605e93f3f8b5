"""What a verifier says while a line is written is what it says when the line is read, and it changes no line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import ModelLoadError, StateError
from schemas.jobs import Brief, Job
from workers.models.decode import Decoder, Draft, Order
from workers.models.house.judgements import JUDGEMENTS, judgements
from workers.models.house.verify import Evidence, cross_validated, fitted
from workers.models.prompts import prompt_of
from workers.models.tuning.trees import Line
from workers.models.verifier import VERIFIER_NAME, Verifier, hidden_of

JobOf = Callable[..., Job]
LAYERS = (1,)


def verifier() -> Verifier:
    dice = torch.Generator().manual_seed(3)
    of_all, of_last = ({layer: torch.randn(64, generator=dice) for layer in LAYERS} for _ in range(2))
    return Verifier(of_all, of_last, 0.25)


def write(tiny_model: Path, brief: Brief, given: Verifier | None) -> tuple[list[Draft], torch.Tensor]:
    """Return drafts, and what the layers hold of them when they are read."""
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    prompt = prompt_of(tokenizer, brief)
    order = Order(prompt.prefix, prompt.suffix, candidates=8, max_tokens=20, temperature=0.8, seed=5, tries=3, wanted=9)
    # No way back to the very text is promised for a part of a character: those tokens are not written.
    banned = [
        i for i, text in enumerate(tokenizer.batch_decode([[i] for i in range(len(tokenizer))])) if "\ufffd" in text
    ]
    stops = list(range(2, len(tokenizer), 9))
    drafts = Decoder(network, stops=stops, bans=banned, newlines=[], verifier=given).write([order])[0]
    whole = [draft for draft in drafts if len(draft.tokens) > 1]
    reader = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    rows = [torch.tensor([[*order.prefix, *order.suffix, *draft.tokens]]) for draft in whole]
    length = len(order.prefix) + len(order.suffix)
    with torch.inference_mode():
        states = [reader(row, output_hidden_states=True).hidden_states for row in rows]
    own = [torch.cat([some[k][0, length:] for k in LAYERS], -1) for some in states]
    return whole, torch.stack([torch.cat([one.mean(0), one[-1]]) for one in own])


def test_what_is_said_while_a_line_is_written_is_what_is_said_of_it_when_it_is_read(tiny_model: Path, job_of: JobOf):
    given = verifier()

    drafts, held = write(tiny_model, job_of(1).brief, given)

    expected = held @ torch.cat([*given.weights.values(), *given.last.values()]) + given.bias
    assert len(drafts) > 5
    assert [draft.verified for draft in drafts] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-3)
    assert expected.std() > 0.1


def test_a_verifier_changes_no_line(tiny_model: Path, job_of: JobOf):
    heard, _ = write(tiny_model, job_of(1).brief, verifier())
    unheard, _ = write(tiny_model, job_of(1).brief, None)

    assert [replace(draft, verified=0.0) for draft in heard] == unheard


def test_lines_of_a_pack_are_read_as_each_alone(tiny_model: Path, job_of: JobOf):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    lines = [
        Line(job_of(1).brief, text) for text in ("Cocoa and smoke.", "Dark roast in a cup.", "Coffee before eight.")
    ]

    together = hidden_of(network, tokenizer, lines, LAYERS)

    alone = torch.cat([hidden_of(network, tokenizer, [line], LAYERS) for line in lines])
    assert together.shape == (3, 128)
    assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_a_verifier_is_read_as_it_was_written(tmp_path: Path):
    given = verifier()

    given.write(tmp_path)
    found = Verifier.read(tmp_path)

    assert found is not None
    assert found.bias == given.bias
    assert list(found.weights) == list(LAYERS)
    assert all(torch.equal(found.weights[layer], given.weights[layer]) for layer in LAYERS)
    assert all(torch.equal(found.last[layer], given.last[layer]) for layer in LAYERS)


def test_a_verifier_of_the_mean_alone_says_nothing_of_the_last_token(tmp_path: Path):
    save_file({"bias": torch.zeros(()), "1": torch.ones(64)}, tmp_path / VERIFIER_NAME)

    found = Verifier.read(tmp_path)

    assert found is not None
    assert torch.equal(found.last[1], torch.zeros(64))


def test_a_folder_without_one_has_none_and_a_broken_one_is_told(tmp_path: Path):
    assert Verifier.read(tmp_path) is None

    (tmp_path / VERIFIER_NAME).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelLoadError, match=VERIFIER_NAME):
        Verifier.read(tmp_path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"bias": torch.zeros(())},
        {"bias": torch.zeros(2), "1": torch.zeros(64)},
        {"bias": torch.zeros(()), "1": torch.full((64,), torch.nan)},
        {"bias": torch.zeros(()), "first": torch.zeros(64)},
        {"bias": torch.zeros(()), "1": torch.zeros(64), "last.2": torch.zeros(64)},
        {"1": torch.zeros(64)},
    ],
)
def test_a_file_that_holds_no_verifier_is_told_with_the_way_out(tmp_path: Path, tensors: dict[str, torch.Tensor]):
    save_file(tensors, tmp_path / VERIFIER_NAME)

    with pytest.raises(ModelLoadError, match="take it away"):
        Verifier.read(tmp_path)


@pytest.mark.parametrize("weights", [{2: torch.zeros(64)}, {0: torch.zeros(64)}, {1: torch.zeros(63)}])
def test_a_verifier_of_another_model_is_refused(tiny_model: Path, weights: dict[int, torch.Tensor]):
    network = AutoModelForCausalLM.from_pretrained(tiny_model)

    with pytest.raises(ModelLoadError, match="does not fit"):
        Verifier(weights).listen(network)


def planted(lines: int, noise: float) -> Evidence:
    """Return lines that are fit by their merit and by two of sixty features."""
    dice = torch.Generator().manual_seed(1)
    held = torch.randn(lines, 60, generator=dice).double() * 3 + 1
    merit = torch.randn(lines, generator=dice).double()
    worth = merit + held[:, 7] - 0.5 * held[:, 9] + noise * torch.randn(lines, generator=dice).double()
    return Evidence(held, merit, (worth > worth.median()).double())


def test_what_tells_fit_lines_is_found_and_said_in_units_of_merit():
    evidence = planted(60_000, 0.5)

    probe, bias = fitted(evidence)

    assert float(probe[7]) == pytest.approx(1.0, abs=0.15)
    assert float(probe[9]) == pytest.approx(-0.5, abs=0.1)
    assert float((evidence.held @ probe + bias).mean()) == pytest.approx(0.0, abs=1e-6)


def test_a_line_is_verified_by_what_other_products_taught():
    evidence = planted(1200, 0.5)
    products = [f"product {number // 4}" for number in range(1200)]
    alone = float(torch.corrcoef(torch.stack([evidence.merit, evidence.fit]))[0, 1])

    found = cross_validated(evidence, products)

    assert float(torch.corrcoef(torch.stack([found, evidence.fit]))[0, 1]) > alone + 0.1


def test_verdicts_that_merit_says_nothing_of_give_no_verifier():
    evidence = planted(400, 0.5)

    with pytest.raises(StateError, match="judge more lines"):
        fitted(replace(evidence, fit=(evidence.merit < 0).double()))


def test_no_verdict_that_measured_the_result_is_learnt_from():
    rows = [json.loads(line) for line in JUDGEMENTS.read_text(encoding="utf-8").splitlines()]
    measured = {(row["product"], row["text"]) for row in rows if row.get("is_held_out")}

    learnt = {(one.line.brief.product.name, one.line.text) for one in judgements()}

    assert len(measured) > 200
    assert len(learnt) > 2000
    assert not measured & learnt
