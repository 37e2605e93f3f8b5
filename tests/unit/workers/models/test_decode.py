from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from workers.models.decode import Decoder, Order, gumbel_noise, mixed_seed


def order_of(seed: int, max_tokens: int = 5) -> Order:
    return Order(prefix=(5, 6, 7), suffix=(8, 9), candidates=4, max_tokens=max_tokens, temperature=1.0, seed=seed)


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

    ids = torch.tensor([[5, 6, 7, 8, 9, *draft.tokens]])
    log_ps = torch.log_softmax(network(ids).logits[0, 4:-1], -1)
    expected = log_ps.gather(1, ids[0, 5:, None]).mean().detach()

    assert abs(draft.mean_log_p - float(expected)) < 1e-4


@dataclass(frozen=True)
class Forbids:
    """Forbids one token everywhere, and every token behind certain first ones."""

    token: int = -1
    behind: frozenset[int] = frozenset()

    def allows(self, tokens: Sequence[int], token: int) -> bool:
        return token != self.token and not (tokens and tokens[0] in self.behind)


def test_a_guard_keeps_a_token_out(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    free = decoder.write([order_of(1, max_tokens=12)])[0]
    common = Counter(token for draft in free for token in draft.tokens).most_common(1)[0][0]

    held = decoder.write([replace(order_of(1, max_tokens=12), guard=Forbids(common))])[0]

    assert [len(draft.tokens) for draft in held] == [12] * 4
    assert all(common not in draft.tokens for draft in held)


def test_a_row_without_a_way_on_begins_anew_with_other_noise(network: PreTrainedModel):
    every_second = list(range(0, 300, 2))
    decoder = Decoder(network, stops=every_second, bans=[], newlines=[])
    firsts = [draft.tokens[0] for draft in decoder.write([order_of(1, max_tokens=60)])[0]]
    order = replace(order_of(1, max_tokens=60), guard=Forbids(behind=frozenset(firsts[:1])))

    drafts, beside = decoder.write([order, order_of(2, max_tokens=60)])
    alone = decoder.write([order])[0]

    assert all(draft.is_finished and draft.tokens[0] != firsts[0] for draft in drafts)
    assert drafts == alone
    assert beside == decoder.write([order_of(2, max_tokens=60)])[0]


def test_a_row_without_any_way_on_ends_unfinished(network: PreTrainedModel):
    everything = frozenset(range(network.config.vocab_size))
    order = replace(order_of(1), guard=Forbids(behind=everything))

    drafts = Decoder(network, stops=[], bans=[], newlines=[]).write([order])[0]

    assert [(len(draft.tokens), draft.is_finished) for draft in drafts] == [(1, False)] * 4


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
