"""A music model that nobody trained: the network of the starter, a few dozen times smaller, in a folder that loads."""

from pathlib import Path

import torch

from workers.models.music.examples import examples_of
from workers.models.music.networks import Transformer
from workers.models.music.tunes import tunes
from workers.models.music.weights import save_folder


def write_composer(folder: Path) -> Path:
    """Write the weights and words into a folder and return it; it writes what the grammar allows, at random."""
    torch.manual_seed(0)
    vocabulary = examples_of(tunes()[::50], held_out=8).vocabulary
    save_folder(Transformer(len(vocabulary), width=64, layers=1), vocabulary, folder)
    return folder
