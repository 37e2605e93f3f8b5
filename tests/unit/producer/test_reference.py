import json
from pathlib import Path

import pytest

from producer import reference


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_a_reference_page_says_what_the_code_says(name: str):
    assert (Path("docs/reference") / name).read_text() == reference.pages()[name]


def test_the_schema_names_every_channel_and_layout():
    schema = json.loads(reference.pages()["campaign.schema.json"])

    assert "spotlight" in schema["$defs"]["CreativeDeliverable"]["properties"]["layout"]["anyOf"][0]["enum"]
    assert "email.subject" in schema["$defs"]["CopyDeliverable"]["properties"]["channel"]["enum"]


def test_pages_are_written_into_a_folder_that_is_not_there_yet(tmp_path: Path):
    reference.write(tmp_path / "docs")

    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(reference.pages())
