"""The tuner of music: a LoRA on the network that writes the pieces, learning which of two people like better.

What is learnt from are the words of delivered pieces, as their manifests hold them. Who plays them stays as it was.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
from torch import nn

from core.errors import ModelLoadError
from schemas.buckets import reference_and_adapter
from schemas.learning import Recipe
from workers.models.device import device_of
from workers.models.music import references
from workers.models.music.compose import network_and_words
from workers.models.music.examples import HELD_OUT, MOST_TOKENS, held_out_of, pieces_of
from workers.models.music.likelihood import (
    PieceRow,
    WrittenPiece,
    fluencies,
    mean_log_p,
    piece_of_recipe,
    row_of,
    sums_of_pieces,
)
from workers.models.music.model import MusicModel
from workers.models.music.tokens import ids_of, words_of
from workers.models.music.tunes import tunes
from workers.models.protocol import Model
from workers.models.tuning.adapter import AdapterTrainee, Choice, loss_by_fluency, places_of, weights_of
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.lora import LoraShape, add_lora, fill, read_shape, read_weights, write_adapter
from workers.models.tuning.protocol import (
    Contestant,
    EndIfStopped,
    Judged,
    Lesson,
    Place,
    Watch,
    never_stopped,
)
from workers.models.tuning.steps import learn, learnt_before, weakened

# Tunes that the starter was not trained on, of which so many tell how far a version is from it.
NEUTRAL_TUNES = 40


class MusicTrainee(AdapterTrainee):
    """The adapter of a composer, learning from choices between pieces."""

    def __init__(
        self,
        network: nn.Module,
        weights: Mapping[str, nn.Parameter],
        rows: Sequence[PieceRow],
        choices: Sequence[Choice],
        recipe: Recipe,
        member: Member = ALONE,
    ) -> None:
        super().__init__(weights, choices, recipe, member)
        self._network, self._rows = network, rows

    def loss_of(self, choices: Sequence[Choice], _lot: int) -> tuple[torch.Tensor, int]:
        """Return the loss of choices of one product, each with its weight, and how many are ordered right already."""
        rows = [self._rows[place] for place in places_of(choices)]
        found = sums_of_pieces(self._network, rows)
        words = torch.tensor([max(row.words, 1) for row in rows], device=found.device)
        return loss_by_fluency(found, words, choices, self._recipe)


class MusicTuner:
    """Tunes one composer: the starter, or a folder or hub id of its kind."""

    def __init__(self, model: str, cache: Path, recipe: Recipe, place: Place, member: Member = ALONE) -> None:
        self._reference, adapter = reference_and_adapter(model)
        if adapter:
            raise ModelLoadError(f"models of music ship without an adapter, {model!r} has one: leave it away")
        self._cache, self._recipe, self._place, self._member = cache, recipe, place, member

    def tune(
        self,
        parent: Path | None,
        lessons: Sequence[Lesson],
        folder: Path,
        watch: Watch,
        end_if_stopped: EndIfStopped = never_stopped,
    ) -> Path:
        """Train, or go on with what was begun; a version that is there already is returned as it is."""
        if version := learnt_before(folder, self._place.threads):
            return version
        network, vocabulary = network_and_words(references.composer_folder(self._reference, self._cache))
        shape = read_shape(parent) if parent else LoraShape()
        weights = add_lora(network.to(device_of(self._place.device)).eval(), shape, self._recipe.seed)
        if parent:
            fill(weights, read_weights(parent), parent)
        end_if_stopped()
        pieces, choices = pieces_and_choices(lessons)
        rows = [row_of(piece, vocabulary) for piece in pieces]
        trainee = MusicTrainee(network, weights, rows, choices, self._recipe, self._member)
        return learn(
            trainee, weights, folder, watch, lambda draft: write_adapter(draft, weights, shape, self._reference)
        )

    def weakened(self, folder: Path, strength: float) -> Path:
        """Return the version that was trained in a folder, so far on the way that its training went."""
        return weakened(folder, strength)

    def contestant(self, version: Path | None) -> Contestant:
        """Load a version as a worker would."""
        references.composer_folder(self._reference, self._cache)
        place, adapter = self._place, str(version) if version else None
        loaded = references.load(self._reference, place.device, place.dtype, self._cache, place.threads, adapter)
        assert isinstance(loaded, MusicModel), "every other kind was refused before"
        return MusicContestant(loaded)


class MusicContestant:
    """A loaded composer before the gate."""

    def __init__(self, model: MusicModel) -> None:
        self._model = model

    @property
    def model(self) -> Model:
        """Return the model as it serves."""
        return self._model

    def likings(self, assets: Sequence[Judged]) -> list[float]:
        """Return the fluency of each piece."""
        composer = self._model.composer
        rows = [row_of(piece_of_recipe(one.recipe), composer.vocabulary) for one in assets]
        return fluencies(composer.network, rows)

    def neutral(self) -> float:
        """Return the mean log probability of a word of tunes that the starter was not trained on."""
        composer = self._model.composer
        known = [ids_of(words, composer.vocabulary) for words in neutral_tunes()]
        return mean_log_p(composer.network, [ids for ids in known if ids])


@cache
def neutral_tunes() -> tuple[tuple[str, ...], ...]:
    """Return the words of tunes that the starter was not trained on, always the same."""
    every = tunes()
    held_out = [
        words_of(piece) for number in sorted(held_out_of(every, HELD_OUT)) for piece in pieces_of(every[number])
    ]
    short = [tuple(words) for words in held_out if len(words) <= MOST_TOKENS]
    return tuple(short[:: max(1, len(short) // NEUTRAL_TUNES)])


def pieces_and_choices(lessons: Sequence[Lesson]) -> tuple[list[WrittenPiece], list[Choice]]:
    """Return each piece once, and the choices between them."""
    places: dict[WrittenPiece, int] = {}

    def place_of(one: Judged) -> int:
        return places.setdefault(piece_of_recipe(one.recipe), len(places))

    choices = [
        Choice(one.product, place_of(one.better), place_of(one.worse), weight)
        for one, weight in zip(lessons, weights_of(lessons), strict=True)
    ]
    return list(places), choices
