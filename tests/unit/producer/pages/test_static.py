"""What pages load: whole, recorded with where it comes from, and in the addresses by what it holds."""

import hashlib
import json
from pathlib import Path

import pytest

from producer.pages.render import STATIC, static_files

ROOT = Path(__file__).parents[4]
VENDORED = (STATIC, ROOT / "tests" / "support" / "vendored")


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: folder.name)
def test_every_file_of_others_is_the_one_that_its_record_says_and_its_licence_lies_beside_it(folder: Path):
    records = json.loads((folder / "vendored.json").read_text(encoding="utf-8"))

    for record in records:
        data = (folder / record["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == record["sha256"]
        assert (folder / f"{record['file'].partition('.')[0]}-LICENSE.txt").is_file()

    assert {one["file"] for one in records} == {path.name for path in folder.iterdir() if ".min." in path.name}


def test_an_address_changes_with_what_the_file_holds():
    names = set(static_files())

    assert names == {"htmx.min.js", "pico.min.css", "pages.js", "pages.css", "icon.svg"}
    for name, version in static_files().items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest().startswith(version)
