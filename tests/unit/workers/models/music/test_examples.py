"""Examples: what is held out is not learnt, and batches hold everything once."""

import torch

from workers.models.music.examples import PADDING, Examples, batch_of, batches_of, held_out_of, pieces_of
from workers.models.music.tunes import Tune


def test_a_tune_gives_itself_its_sections_and_their_second_halves(some_tunes: list[Tune]):
    tune = next(one for one in some_tunes if [len(section) for section in one.sections] == [8, 8])

    assert sorted(len(piece.bars) for piece in pieces_of(tune)) == [4, 4, 8, 8, 16]


def test_a_tune_that_is_there_twice_is_not_held_out(some_tunes: list[Tune]):
    apart = held_out_of(some_tunes, 20)
    again = held_out_of([*some_tunes, *some_tunes], 20)

    assert apart
    doubled = {number % len(some_tunes) for number in again}
    assert all({number, number + len(some_tunes)} <= again for number in doubled)


def test_every_row_is_in_one_batch_and_batches_are_small_enough(examples: Examples):
    batches = batches_of(examples.seen, 1024, torch.Generator().manual_seed(1))

    assert sorted(i for batch in batches for i in batch) == list(range(len(examples.seen)))
    sizes = [batch_of([examples.seen[i] for i in batch]).shape for batch in batches]
    assert all(rows * length <= 1024 or rows == 1 for rows, length in sizes)
    assert all(length % PADDING == 0 for _, length in sizes)
