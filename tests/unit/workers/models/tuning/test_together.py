"""Which devices a training in several processes asks for, whatever machine it is on."""

from pathlib import Path

import pytest
import torch

from core.errors import ImpossibleWorkError, ModelLoadError
from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.models.tuning.protocol import Place
from workers.models.tuning.together import TogetherTuner, require_cards
from workers.models.tuning.tuners import Workplace


@pytest.mark.parametrize(("device", "cards"), [("cuda", 4), ("cuda", 5), ("cpu", 0)])
def test_each_process_has_a_card_of_its_own_or_a_share_of_the_processor(device: str, cards: int):
    require_cards(torch.device(device), 4, cards)


def test_one_card_is_not_for_several_processes():
    with pytest.raises(ImpossibleWorkError, match=r"FACTORY_DEVICE=cuda:1 .*FACTORY_TRAIN_PROCESSES=2"):
        require_cards(torch.device("cuda:1"), 2, 8)


def test_too_few_cards_are_told_with_as_many_processes_as_there_can_be():
    with pytest.raises(ImpossibleWorkError, match=r"FACTORY_TRAIN_PROCESSES=4 .* 3 are there: .*_PROCESSES=3"):
        require_cards(torch.device("cuda"), 4, 3)


def test_a_card_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path):
    here = Workplace(
        kind=Kind.COPY,
        model=str(tmp_path),
        cache=tmp_path,
        recipe=curriculum().recipes[Kind.COPY],
        place=Place("cuda:99", "float32", 1),
    )

    with pytest.raises(ModelLoadError, match="device 'cuda:99' is not there"):
        TogetherTuner(here, 2).tune(None, [], tmp_path / "work", lambda *_: None)

    assert not (tmp_path / "work").exists()
