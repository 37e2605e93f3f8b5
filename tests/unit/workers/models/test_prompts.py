"""What a language model is told."""

from collections.abc import Callable
from pathlib import Path

from transformers import AutoTokenizer

from schemas.jobs import Job, Revision
from workers.models.prompts import prompt_of, revision_text

REVISION = Revision(
    replaces="spring-000001-r1", round=2, reasons=("awkward-wording", "gone"), rejected=("Cup the coffee", "Dark roast")
)


def test_a_model_is_told_which_lines_were_rejected_and_why():
    assert revision_text(REVISION) == (
        '"Cup the coffee" was rejected because it reads badly. "Dark roast" was rejected because it was not liked.'
        " Write something different."
    )


def test_only_the_ask_changes_so_that_jobs_of_a_brief_still_share_its_beginning(
    tiny_model: Path, job_of: Callable[..., Job]
):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    plain = job_of(1).brief
    revised = plain.model_copy(update={"revision": REVISION})

    told, untold = prompt_of(tokenizer, revised), prompt_of(tokenizer, revised, tells_revision=False)

    assert told.prefix == untold.prefix == prompt_of(tokenizer, plain).prefix
    assert "Cup the coffee" in tokenizer.decode(told.suffix)
    assert untold == prompt_of(tokenizer, plain)
