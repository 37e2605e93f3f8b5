"""The list of concepts and the captions that are made of it."""

import re

from workers.models.miniature.colours import NAMED
from workers.models.miniature.concepts import captions, concepts, held_out_captions, with_article, without_colours
from workers.models.miniature.sample import ad_prompts

BY_NAME = {concept.name: concept for concept in concepts()}


def test_every_concept_has_a_name_and_a_picture_of_its_own_and_other_words():
    assert len(BY_NAME) == len({concept.code for concept in concepts()}) == len(concepts())
    assert all(concept.words and all(concept.words) for concept in concepts())


def test_captions_say_what_is_in_the_picture():
    coffee = BY_NAME["cup of coffee"]

    made = captions(coffee)

    assert {"a cup of coffee", "espresso", "cup of coffee on white"} <= set(made)
    assert all(any(word in caption for word in coffee.every_word) for caption in made)
    assert len(set(made)) == len(made) >= 10


def test_captions_of_a_recoloured_picture_all_name_the_colour():
    assert all("teal" in caption for caption in captions(BY_NAME["sneaker"], "teal"))


def test_no_caption_names_two_colours():
    for concept in concepts():
        if concept.may_be_recoloured:
            found = [set(NAMED).intersection(re.findall(r"\w+", caption)) for caption in captions(concept, "teal")]
            assert all(colours == {"teal"} for colours in found)


def test_held_out_captions_are_never_trained_on():
    for concept in concepts():
        assert not set(held_out_captions(concept)) & set(captions(concept))


def test_things_with_writing_are_not_mirrored():
    assert not BY_NAME["newspaper"].may_be_mirrored
    assert BY_NAME["sneaker"].may_be_mirrored


def test_a_name_gets_the_article_that_people_would_use():
    assert [with_article(name) for name in ("umbrella", "car", "socks", "dress")] == [
        "an umbrella",
        "a car",
        "socks",
        "a dress",
    ]


def test_words_for_colours_are_left_out_unless_there_are_no_others():
    assert without_colours(["purple", "rocket"]) == ("rocket",)
    assert without_colours(["purple"]) == ("purple",)


def test_every_ad_prompt_is_for_a_concept_of_the_list():
    assert len(ad_prompts()) == 40
    assert {name for _, name in ad_prompts()} <= set(BY_NAME)
