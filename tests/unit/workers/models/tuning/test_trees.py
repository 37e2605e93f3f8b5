"""Packed trees: each line gets the numbers it would get alone, whatever it is packed with."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.tiny_writer import LINES, brief_of
from schemas.styles import Style
from workers.models.prompts import prompt_of
from workers.models.tuning.trees import Line, packs_of, sums_of_lines


def some_lines() -> list[Line]:
    """Return lines of two products, two channels and several styles."""
    return [
        Line(
            brief_of(number % 2).model_copy(
                update={"channel": ("google_search.headline", "email.subject")[number % 3 % 2], "style": style}
            ),
            text,
        )
        for number, (text, style) in enumerate(zip(LINES[:20], [*Style] * 4, strict=True))
    ]


@torch.no_grad()
def test_a_line_gets_the_same_number_in_a_pack_and_alone(tiny_model: Path):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)
    lines = some_lines()
    packed = [0.0] * len(lines)
    for places, one in packs_of(tokenizer, lines):
        for place, found in zip(places, sums_of_lines(model, one).tolist(), strict=True):
            packed[place] = found

    alone = []
    for line in lines:
        prompt = prompt_of(tokenizer, line.brief)
        answer = [*tokenizer(line.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        ids = torch.tensor([[*prompt.prefix, *prompt.suffix, *answer]])
        log_ps = model(ids).logits[0, -len(answer) - 1 : -1].log_softmax(-1)
        alone.append(float(log_ps.gather(1, torch.tensor(answer)[:, None]).sum()))

    assert packed == pytest.approx(alone, abs=2e-3)


def test_lines_of_one_brief_share_a_pack_and_those_of_others_do_not(tiny_model: Path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)

    packs = packs_of(tokenizer, some_lines())

    assert [[place % 2 for place in places] for places, _ in packs] == [[0] * 10, [1] * 10]
    assert [len(one.lengths) for _, one in packs] == [10, 10]
