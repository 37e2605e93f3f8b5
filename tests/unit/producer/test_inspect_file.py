import sys
from pathlib import Path

import pytest

from core.errors import ProvenanceError, SettingsError
from core.settings import Settings
from producer.inspect_file import inspect_file

from support.drawings import encoded, scene


def test_a_picture_without_provenance_is_read_without_any_certificate(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(encoded(scene(), "PNG"))

    assert inspect_file(tmp_path / "a.png", Settings(home=tmp_path)).validity == "none"


def test_what_is_no_picture_is_named_with_its_path(tmp_path: Path):
    (tmp_path / "a.csv").write_text("sku\n")

    with pytest.raises(ProvenanceError, match=r"a\.csv: this is no PNG, JPEG, WebP"):
        inspect_file(tmp_path / "a.csv", Settings(home=tmp_path))


def test_a_producer_without_the_package_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "core.provenance", raising=False)
    monkeypatch.delattr("core.provenance", raising=False)
    monkeypatch.setitem(sys.modules, "c2pa", None)

    with pytest.raises(SettingsError, match=r"c2pa: pip install 'content-factory\[provenance\]'"):
        inspect_file(tmp_path / "a.png", Settings(home=tmp_path))
