from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from workers.models.decode import Decoder, Draft, Order, gumbel_noise, mixed_seed


def order_of(seed: int, max_tokens: int = 5) -> Order:
    return Order(prefix=(5, 6, 7), suffix=(8, 9), candidates=4, max_tokens=max_tokens, temperature=1.0, seed=seed)


def mean_log_p(network: PreTrainedModel, tokens: Sequence[int]) -> float:
    """Return what the model itself thinks of these tokens behind the prompt of the orders here."""
    network.set_attn_implementation("sdpa")
    ids = torch.tensor([[5, 6, 7, 8, 9, *tokens]])
    log_ps = torch.log_softmax(network(ids).logits[0, 4:-1], -1)
    return float(log_ps.gather(1, ids[0, 5:, None]).mean().detach())


@pytest.fixture(scope="module")
def network(tiny_model: Path):
    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()


def test_a_model_that_never_ends_is_cut_at_its_limit(network: PreTrainedModel):
    drafts = Decoder(network, stops=[], bans=[], newlines=[]).write([order_of(1)])[0]

    assert [(len(draft.tokens), draft.is_finished) for draft in drafts] == [(5, False)] * 4


def test_an_end_token_finishes_a_draft_and_is_no_part_of_it(network: PreTrainedModel):
    every_second = list(range(0, 300, 2))

    drafts = Decoder(network, stops=every_second, bans=[], newlines=[]).write([order_of(1, max_tokens=60)])[0]

    assert [draft.is_finished for draft in drafts] == [True] * 4
    assert all(draft.tokens and not set(draft.tokens) & set(every_second) for draft in drafts)


def test_banned_tokens_are_never_written(network: PreTrainedModel):
    allowed = set(range(10, 14))
    banned = [i for i in range(network.config.vocab_size) if i not in allowed]

    drafts = Decoder(network, stops=[], bans=banned, newlines=[]).write([order_of(1)])[0]

    assert all(set(draft.tokens) <= allowed for draft in drafts)


def test_drafts_are_what_the_model_itself_would_call_likely(network: PreTrainedModel):
    draft = Decoder(network, stops=[], bans=[], newlines=[]).write([order_of(1)])[0][0]

    assert draft.mean_log_p == pytest.approx(mean_log_p(network, draft.tokens), abs=1e-4)


@dataclass(frozen=True)
class Forbids:
    """Forbids one token everywhere."""

    token: int

    def allows(self, _tokens: Sequence[int], token: int) -> bool:
        return token != self.token


def test_a_guard_keeps_a_token_out(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    free = decoder.write([order_of(1, max_tokens=12)])[0]
    common = Counter(token for draft in free for token in draft.tokens).most_common(1)[0][0]

    held = decoder.write([replace(order_of(1, max_tokens=12), guard=Forbids(common))])[0]

    assert [len(draft.tokens) for draft in held] == [12] * 4
    assert all(common not in draft.tokens for draft in held)


@dataclass(frozen=True)
class EndsHere:
    """Leaves no way on behind some tokens; they may stand at the end."""

    tokens: frozenset[int]

    def allows(self, tokens: Sequence[int], _token: int) -> bool:
        return not (tokens and tokens[-1] in self.tokens)


def test_a_draft_without_a_way_on_takes_back_its_last_token(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    free = decoder.write([order_of(1, max_tokens=12)])[0]
    third = frozenset(draft.tokens[2] for draft in free)

    held = decoder.write([replace(order_of(1, max_tokens=12), guard=EndsHere(third))])[0]

    assert [len(draft.tokens) for draft in held] == [12] * 4
    assert [draft.tokens[:2] for draft in held] == [draft.tokens[:2] for draft in free]
    assert all(not third & set(draft.tokens[:-1]) for draft in held)


def test_what_was_taken_back_leaves_no_trace(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    third = frozenset(draft.tokens[2] for draft in decoder.write([order_of(1, max_tokens=12)])[0])

    for draft in decoder.write([replace(order_of(1, max_tokens=12), guard=EndsHere(third))])[0]:
        assert draft.mean_log_p == pytest.approx(mean_log_p(network, draft.tokens), abs=1e-4)


def test_a_draft_that_is_less_likely_than_it_may_be_ends_unfinished(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    free = decoder.write([order_of(1, max_tokens=12)])[0]

    held = decoder.write([replace(order_of(1, max_tokens=12), least_log_p=-25.0)])[0]

    assert all(draft.mean_log_p * len(draft.tokens) < -25 for draft in free)
    assert all(not draft.is_finished and draft.mean_log_p * len(draft.tokens) >= -25 for draft in held)


def firsts_of(drafts: Sequence[Draft]) -> list[int]:
    return [draft.tokens[0] for draft in drafts]


def test_a_row_whose_draft_is_not_accepted_begins_another_with_other_noise(network: PreTrainedModel):
    every_second = list(range(0, 300, 2))
    decoder = Decoder(network, stops=every_second, bans=[], newlines=[])
    plain = order_of(1, max_tokens=60)
    unwanted = firsts_of(decoder.write([plain])[0])
    order = replace(plain, accepts=lambda draft: draft.tokens[0] not in unwanted, wanted=4, tries=3)

    drafts, beside = decoder.write([order, order_of(2, max_tokens=60)])

    assert sorted(firsts_of(drafts))[:4] != sorted(unwanted)
    assert len(drafts) > 4
    assert len(drafts) <= 4 * 3
    assert drafts == decoder.write([order])[0]
    assert beside == decoder.write([order_of(2, max_tokens=60)])[0]


@pytest.mark.parametrize(("is_fit", "drafts"), [(True, 4), (False, 12)])
def test_rows_begin_again_only_while_too_few_drafts_are_accepted(
    network: PreTrainedModel, drafts: int, *, is_fit: bool
):
    order = replace(order_of(1, max_tokens=60), accepts=lambda _: is_fit, wanted=2, tries=3)

    made = Decoder(network, stops=list(range(0, 300, 2)), bans=[], newlines=[]).write([order])[0]

    assert len(made) == drafts


def test_a_row_without_any_way_on_ends_unfinished_after_its_tries(network: PreTrainedModel):
    everything = frozenset(range(network.config.vocab_size))
    order = replace(order_of(1), guard=EndsHere(everything), tries=2)

    drafts = Decoder(network, stops=[], bans=[], newlines=[]).write([order])[0]

    assert [draft.is_finished for draft in drafts] == [False] * 8


def test_noise_depends_on_seed_step_and_token_and_on_nothing_else():
    seeds = torch.tensor([mixed_seed(1), mixed_seed(2)])
    ids = torch.tensor([[3, 4, 5], [3, 4, 5]])

    noise = gumbel_noise(seeds, 7, ids)
    alone = gumbel_noise(seeds[1:], 7, ids[1:, 1:])

    assert torch.equal(noise[1:, 1:], alone)
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(noise, gumbel_noise(seeds, 8, ids))


def test_noise_has_the_mean_of_a_gumbel_distribution():
    noise = gumbel_noise(torch.tensor([mixed_seed(3)]), 0, torch.arange(20_000)[None])

    assert abs(float(noise.mean()) - 0.5772) < 0.03
    assert bool(noise.isfinite().all())


def test_mixed_seeds_of_close_numbers_are_far_apart():
    seeds = {mixed_seed(job, attempt) for job in range(100) for attempt in range(1, 4)}

    assert len(seeds) == 300
    assert all(-(2**63) <= seed < 2**63 for seed in seeds)
