"""What is learnt: the latents and captions of every concept, built from its picture."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from workers.models.miniature.concepts import concepts
from workers.models.miniature.examples import VIEWS, Examples, built, items
from workers.models.miniature.pictures import Pictures
from workers.models.miniature.vae import new_vae


def plain_pictures(colour: tuple[int, int, int]) -> Pictures:
    codes = tuple(concept.code for concept in concepts())
    picture = torch.tensor([*colour, 255], dtype=torch.uint8).view(1, 4, 1, 1)
    return Pictures(codes=codes, pixels=picture.expand(len(codes), 4, 128, 128))


def test_things_of_one_hue_are_learnt_in_other_hues_where_their_section_allows_it():
    made = list(items(concepts(), plain_pictures((220, 40, 40))))

    by_concept = {
        concept.name: [item for item in made if concepts()[item.concept] == concept] for concept in concepts()
    }
    assert len(by_concept["banana"]) == 1
    original, *others = by_concept["sneaker"]
    assert original.angle == 0
    assert any("red" in caption for caption in original.captions)
    assert len(others) == 3
    assert not any("red" in caption.split() for item in others for caption in item.captions)


def test_built_examples_can_be_kept_and_begin_with_the_concept_as_it_is(tmp_path: Path):
    art = plain_pictures((220, 40, 40))
    made = list(items(concepts(), art))
    first = next(number for number, item in enumerate(made) if item.angle)
    few = [made[0], *made[first - 1 : first + 1]]
    torch.manual_seed(0)

    save_file(built(few, art, new_vae().eval()), tmp_path / "examples.safetensors")

    kept = Examples(**load_file(tmp_path / "examples.safetensors"))
    assert kept.latents.shape == (3, VIEWS, 8, 16, 16)
    assert kept.originals.tolist() == [0, 1]
    assert len(kept.states) == len(kept.vectors) == sum(len(item.captions) for item in few) + 1
