"""What a file says about its making: for anybody who holds it, without ledger, store or network."""

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ProvenanceError, SettingsError
from core.settings import Settings

if TYPE_CHECKING:
    from core.provenance import Provenance


def inspect_file(path: Path, settings: Settings) -> "Provenance":
    """Return what a file says about its making, judged by the certificates that these settings trust.

    The manifest of `one.ogg` is looked for in `one.ogg.c2pa`.
    """
    try:
        from core import provenance  # noqa: PLC0415 - a producer may lack what it reads with
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"reading where a file comes from needs the package {error.name}: pip install 'content-factory[provenance]'"
        ) from error
    try:
        beside = path.with_name(f"{path.name}.{provenance.SIDECAR_ENDING}")
        sidecar = beside.read_bytes() if beside.is_file() else b""
        return provenance.read(path.read_bytes(), provenance.trust_anchors(settings), sidecar)
    except OSError as error:
        raise ProvenanceError(f"cannot read {path}: {error.strerror}") from error
    except ProvenanceError as error:
        raise ProvenanceError(f"{path}: {error}") from error
