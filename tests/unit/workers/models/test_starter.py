"""The folder that the starter is converted into."""

from pathlib import Path

import pytest

from core.errors import ModelLoadError
from workers.models.starter import draft_of


def test_a_home_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path):
    home = tmp_path / "home"
    home.write_text("a file in the place of the folder", encoding="utf-8")

    with pytest.raises(ModelLoadError, match=rf"cannot keep a model in {home}/models .*FACTORY_HOME"):
        draft_of(home / "models" / "starter")
