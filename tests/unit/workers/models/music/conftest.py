"""A tune, a handful of examples, and a network that nobody trained: enough to see how the parts work together."""

import pytest
import torch

from core.music.pieces import Bar, Note, Piece
from workers.models.music.compose import Composer
from workers.models.music.examples import Examples, examples_of
from workers.models.music.networks import Transformer
from workers.models.music.tunes import Tune, tunes


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def some_tunes() -> list[Tune]:
    """Return eighty of the shipped tunes."""
    return tunes()[::50]


@pytest.fixture(scope="session")
def examples(some_tunes: list[Tune]) -> Examples:
    return examples_of(some_tunes, held_out=8)


@pytest.fixture(scope="session")
def composer(examples: Examples) -> Composer:
    torch.manual_seed(0)
    return Composer(Transformer(len(examples.vocabulary), width=64, layers=1).llama, examples.vocabulary)


@pytest.fixture
def piece() -> Piece:
    """Return four bars in C that go home."""
    quarters = tuple(Note(pitch, 24) for pitch in (72, 76, 79, 76))
    away = (Note(74, 48), Note(77, 48))
    home = (Note(76, 24), Note(74, 24), Note(72, 48))
    bars = (Bar(("C", "C"), quarters), Bar(("F", "G7"), away), Bar(("C", "C"), quarters), Bar(("G7", "C"), home))
    return Piece("4/4", "major", "march", bars)
