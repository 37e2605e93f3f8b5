"""Words: a piece becomes words and the same piece again."""

from core.music.pieces import Bar, Note, Piece
from workers.models.music.examples import Examples
from workers.models.music.tokens import (
    PROMPT_WORDS,
    Conditions,
    conditions_of,
    ids_of,
    piece_of,
    tokenizer_of,
    words_of,
)


def test_a_piece_is_spelt_bar_by_bar_with_its_chords_first(piece: Piece):
    words = words_of(piece)

    assert words[:PROMPT_WORDS] == ["<bos>", "MODE_major", "METER_4/4", "STYLE_march", "LEN_4", "ENERGY_1"]
    assert words[PROMPT_WORDS : PROMPT_WORDS + 4] == ["BAR_4", "CH_C", "CH_C", "P72:24"]
    assert words[-1] == "<eos>"


def test_words_spell_the_same_piece_again(piece: Piece):
    held = Bar(("C", "C"), (Note(72, 48, is_held=True), Note(None, 48)))
    longer = Piece("4/4", "major", "march", (*piece.bars, held))

    assert piece_of(words_of(longer)[PROMPT_WORDS:-1], conditions_of(longer)) == longer


def test_what_is_left_open_is_any():
    assert Conditions("3/4", 8).words == ["<bos>", "MODE_any", "METER_3/4", "STYLE_any", "LEN_8", "ENERGY_any"]


def test_the_tokenizer_gives_words_the_numbers_of_the_vocabulary(examples: Examples):
    tokenizer = tokenizer_of(examples.vocabulary)
    words = ["<bos>", "MODE_major", "BAR_3", "CH_G7", "R:24"]

    assert tokenizer(" ".join(words), add_special_tokens=False)["input_ids"] == ids_of(words, examples.vocabulary)


def test_a_word_that_is_not_known_has_no_numbers(examples: Examples):
    assert ids_of(["<bos>", "P1:1"], examples.vocabulary) is None
