"""How likely a composer finds a piece: what it says of it while it writes it."""

from pathlib import Path

import pytest
import torch

from core.errors import ImpossibleWorkError
from workers.models.music.compose import Order, composer
from workers.models.music.likelihood import WrittenPiece, fluencies, mean_log_p, piece_of_recipe, row_of

from support.tiny_composer import write_composer
from support.tiny_pieces import pieces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_composer(tmp_path_factory.mktemp("composer"))


def test_a_piece_is_found_as_likely_as_it_was_while_it_was_written(folder: Path):
    loaded = composer(folder, torch.device("cpu"))
    conditions = [piece_of_recipe(one.recipe).conditions for one, _ in pieces(folder, 6)]
    drafts = loaded.write([Order(one, seed) for seed, one in enumerate(conditions)])
    written = [WrittenPiece(one, draft.words) for one, draft in zip(conditions, drafts, strict=True)]

    found = fluencies(loaded.network, [row_of(one, loaded.vocabulary) for one in written])

    assert found == pytest.approx([draft.mean_log_p * len(draft.words) ** 0.5 for draft in drafts], abs=1e-3)


def test_a_piece_gets_the_same_number_whatever_stands_beside_it(folder: Path):
    loaded = composer(folder, torch.device("cpu"))
    rows = [row_of(piece_of_recipe(one.recipe), loaded.vocabulary) for one, _ in pieces(folder, 5)]

    together, alone = fluencies(loaded.network, rows), [fluencies(loaded.network, [row])[0] for row in rows]

    assert together == pytest.approx(alone, abs=1e-4)


def test_words_that_a_vocabulary_does_not_have_are_unlikely_and_no_error(folder: Path):
    loaded = composer(folder, torch.device("cpu"))
    (one, _), *_ = pieces(folder, 1)
    strange = one.recipe | {"words": str(one.recipe["words"]).replace("P", "X", 1)}

    row = row_of(piece_of_recipe(strange), loaded.vocabulary)

    assert fluencies(loaded.network, [row])[0] > -1000


def test_tunes_are_judged_without_their_conditions(folder: Path):
    loaded = composer(folder, torch.device("cpu"))
    row = row_of(piece_of_recipe(pieces(folder, 1)[0][0].recipe), loaded.vocabulary)

    found = mean_log_p(loaded.network, [row.ids])

    # Nothing is forbidden here, so a network that knows nothing spreads over all words.
    assert found < fluencies(loaded.network, [row])[0] / row.words**0.5


@pytest.mark.parametrize("lost", ["words", "written_bars", "meter", "energy"])
def test_a_manifest_that_does_not_hold_the_piece_is_refused(folder: Path, lost: str):
    recipe = {name: value for name, value in pieces(folder, 1)[0][0].recipe.items() if name != lost}

    with pytest.raises(ImpossibleWorkError, match="does not hold its words"):
        piece_of_recipe(recipe)
