import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from workers.models.attention import FAMILIES, NAME, shares_prompts
from workers.models.counts import STEP, counts_of
from workers.models.decode import Decoder, Draft, Order, likeliest
from workers.models.passes import MAX_CACHED_TOKENS, SEAT_ROWS, Newest, Shape, SharedPass
from workers.models.prompts import Prompt
from workers.models.readings import Reader
from workers.models.verifier import Listener, Verifier

SHAPE = Shape(prefix=64, suffix=32, room=32)


@pytest.fixture(autouse=True)
def one_thread():
    """Compute in one thread: for models this small a second one is slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_of(family: str, **more: object) -> PreTrainedModel:
    """Return a random model of a family, decided enough to show a wrong mask."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=300,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        pad_token_id=0,
        initializer_range=0.3,
        **more,
    )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def prompt_of(seed: int) -> Prompt:
    draw = random.Random(seed)
    prefix, suffix = draw.randrange(1, 60), draw.randrange(1, 30)
    return Prompt(tuple(draw.choices(range(300), k=prefix)), tuple(draw.choices(range(300), k=suffix)))


def orders_of(count: int) -> list[Order]:
    """Return orders of one shape that differ in everything else; two and two share a brief."""
    return [
        Order(
            prefix=prompt_of(seed // 2).prefix,
            suffix=prompt_of(seed).suffix,
            candidates=3 + seed % 6,
            max_tokens=4 + seed % 20,
            temperature=0.8,
            seed=seed,
        )
        for seed in range(count)
    ]


def decoder_of(network: PreTrainedModel) -> Decoder:
    verifier = Verifier({1: torch.linspace(-1, 1, 64)}, bias=0.5)
    return Decoder(network, stops=range(0, 300, 11), bans=[], newlines=[], verifier=verifier)


def own_log_p(network: PreTrainedModel, prompt: Prompt, tokens: Sequence[int]) -> float:
    read = [*prompt.prefix, *prompt.suffix]
    ids = torch.tensor([[*read, *tokens]])
    with torch.inference_mode():
        log_ps = torch.log_softmax(network(ids).logits[0, len(read) - 1 : -1].float(), -1)
    return float(log_ps.gather(1, ids[0, len(read) :, None]).mean())


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_that_shares_prompts_writes_what_its_own_pass_calls_likely(family: str):
    network = network_of(family, **({"sliding_window": None} if family == "mistral" else {}))
    order = orders_of(1)[0]

    drafts = Decoder(network, stops=[], bans=[], newlines=[]).write([order])[0]

    assert network.config._attn_implementation == NAME
    network.set_attn_implementation("sdpa")
    expected = [own_log_p(network, order.prompt, draft.tokens) for draft in drafts]
    assert [draft.mean_log_p for draft in drafts] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("family", "more"), [("mistral", {"sliding_window": 512}), ("gpt_neox", {})])
def test_other_models_keep_their_attention_and_write_all_the_same(family: str, more: dict[str, object]):
    network = network_of(family, **more)
    orders = orders_of(12)

    together = Decoder(network, stops=[], bans=[], newlines=[]).write(orders)

    assert not shares_prompts(network)
    assert [len(drafts) for drafts in together] == [order.candidates for order in orders]
    for order, drafts in zip(orders, together, strict=True):
        expected = [own_log_p(network, order.prompt, draft.tokens) for draft in drafts]
        assert [draft.mean_log_p for draft in drafts] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("more", [{"sliding_window": None}, {"sliding_window": 512}], ids=["shared", "plain"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_drafts_are_the_same_to_the_last_bit_alone_and_in_any_batch(more: dict[str, object], dtype: torch.dtype):
    network = network_of("mistral", **more).to(dtype)
    orders = orders_of(14)
    alone = [decoder_of(network).write([order])[0] for order in orders]
    decoder = decoder_of(network)

    # More rows than a pass has, so that seats change hands; the third batch finds everything read.
    for seed, size in ((1, 14), (2, 5), (3, 14)):
        batch = random.Random(seed).sample(range(14), size)
        together: list[list[Draft]] = decoder.write([orders[i] for i in batch])
        assert together == [alone[i] for i in batch]


class DeadEnds:
    """Leaves no way on behind some beginnings of a few tokens."""

    def allows(self, tokens: Sequence[int], _token: int) -> bool:
        return len(tokens) < 3 or sum(tokens) % 3 > 0


def is_odd(draft: Draft) -> bool:
    return len(draft.tokens) % 2 == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_rows_that_go_back_and_begin_anew_are_the_same_alone_and_in_any_batch(dtype: torch.dtype):
    network = network_of("llama").to(dtype)
    orders = [replace(order, guard=DeadEnds(), accepts=is_odd, wanted=2, tries=3) for order in orders_of(14)]
    free = decoder_of(network).write(orders_of(14))
    alone = [decoder_of(network).write([order])[0] for order in orders]

    together = decoder_of(network).write(orders)

    assert together == alone
    assert together != free


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@torch.inference_mode()
def test_a_row_gets_the_same_logits_in_any_seat_whoever_sat_there_and_sits_beside(tiny_model: Path, dtype: torch.dtype):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype).eval()
    assert shares_prompts(network)
    mine, other = Reader(network).read([prompt_of(1), prompt_of(2)])
    alone, used = SharedPass(network, SHAPE), SharedPass(network, SHAPE)
    rows = alone.seats * SEAT_ROWS
    alone.seat(0, mine)
    for seat in range(used.seats):
        used.seat(seat, other)
    for age in range(20):
        used.forward([Newest(row, row, age) for row in range(rows)])
    used.seat(5, mine)

    # The rows beside go on at ages of their own.
    for age in range(8):
        expected = alone.forward([Newest(row, 7 + age, age) for row in range(SEAT_ROWS)])[:SEAT_ROWS]
        others = [Newest(row, row, 20 + age) for row in range(rows) if not 20 <= row < 24]
        found = used.forward([*others[:20], *(Newest(row, 7 + age, age) for row in range(20, 24)), *others[20:]])
        assert torch.equal(found[20:24], expected)


@torch.inference_mode()
def test_only_as_many_rows_are_computed_as_are_in_use(tiny_model: Path):
    network = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    assert shares_prompts(network)
    current = SharedPass(network, SHAPE, [16, 32, 64])
    current.seat(3, Reader(network).read([prompt_of(1)])[0])
    computed = []
    network.get_decoder().layers[0].mlp.register_forward_hook(lambda *given: computed.append(given[2].shape[0]))

    for rows in ([12], [12, 13, 15], [12, 14]):
        current.forward([Newest(row, 5, 0) for row in rows])

    assert computed == [16, 16, 16]
    current.forward([Newest(row, 5, 0) for row in range(17)])
    current.forward([Newest(row, 5, 0) for row in range(33)])
    assert computed[3:] == [32, 64]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@torch.inference_mode()
def test_rows_of_a_pass_with_few_rows_get_the_logits_of_a_full_one(tiny_model: Path, dtype: torch.dtype):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype).eval()
    assert shares_prompts(network)
    few, full = SharedPass(network, SHAPE, counts_of(network)), SharedPass(network, SHAPE)
    for some in (few, full):
        for seat, reading in enumerate(Reader(network).read([prompt_of(seat) for seat in range(full.seats)])):
            some.seat(seat, reading)

    draw = random.Random(3)
    rows = list(range(full.seats * SEAT_ROWS))
    for age in range(12):
        newest = [Newest(row, draw.randrange(300), age) for row in rows]
        found, expected = few.forward(newest), full.forward(newest)
        assert torch.equal(found[few.indices_of(newest)], expected[full.indices_of(newest)])
        # Some fall idle at each step, and the others move up.
        rows = sorted(draw.sample(rows, max(1, len(rows) - 7)))


@pytest.mark.parametrize("threads", [1, 2, 3])
@torch.inference_mode()
def test_a_single_row_ranks_its_tokens_as_in_a_full_pass(threads: int):
    torch.set_num_threads(threads)
    logits = torch.randn(64, 49_152, generator=torch.Generator().manual_seed(5))
    bans = torch.tensor([3, 7])
    *_, expected = likeliest(logits.clone(), bans)

    *_, found = likeliest(logits[:STEP].clone(), bans)

    assert torch.equal(found, expected[:STEP])


@torch.inference_mode()
def test_a_pass_of_another_size_than_was_tried_computes_all_its_rows(tiny_model: Path):
    network = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    assert shares_prompts(network)
    current = SharedPass(network, replace(SHAPE, room=128), [16, 64])
    current.seat(0, Reader(network).read([prompt_of(1)])[0])
    computed = []
    network.get_decoder().layers[0].mlp.register_forward_hook(lambda *given: computed.append(given[2].shape[0]))

    current.forward([Newest(0, 5, 0)])

    assert computed == [32]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_numbers_of_rows_that_move_bits_are_not_used(tiny_model: Path, dtype: torch.dtype):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype).eval()
    assert shares_prompts(network)
    before = counts_of(network)
    # As a library does that sums otherwise for 32 rows: in the last layer, in the last bit.
    norm = network.get_decoder().norm

    def moved(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor | None:
        return torch.nextafter(output, output + 1) if output.shape[0] == 2 * STEP else None

    norm.register_forward_hook(moved)

    assert before == [16, 32, 48, 64]
    assert counts_of(network) == [count for count in before if count != 2 * STEP]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_what_a_verifier_says_counts_among_the_bits(tiny_model: Path, dtype: torch.dtype):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=dtype).eval()
    assert shares_prompts(network)
    size = network.config.hidden_size

    class Deaf(Listener):
        def heard(self) -> torch.Tensor:
            found = super().heard()
            return found + 1 if len(found) == STEP else found

    verifier = Verifier({1: torch.linspace(-1, 1, size)})

    assert counts_of(network, Listener(verifier, network)) == [16, 32, 48, 64]
    assert counts_of(network, Deaf(verifier, network)) == [32, 48, 64]


def test_a_pass_has_fewer_seats_where_prompts_or_texts_are_long(tiny_model: Path):
    network = AutoModelForCausalLM.from_pretrained(tiny_model)
    long = MAX_CACHED_TOKENS // 2 - 32

    assert SharedPass(network, SHAPE).seats == 16
    assert SharedPass(network, replace(SHAPE, room=128)).seats == 8
    assert SharedPass(network, Shape(prefix=long - 4 * 32, suffix=32, room=32)).seats == 2
    assert SharedPass(network, Shape(prefix=4 * long, suffix=32, room=32)).seats == 1
