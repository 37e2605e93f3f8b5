"""Versions as people see them: where each stands, and what serves a model; for the command line and the HTTP API."""

from collections.abc import Sequence
from enum import StrEnum

from core.errors import UnknownIdError
from core.ledger import Ledger
from core.ledger.promotions import Change, Serving
from core.ledger.versions import Version
from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.versions import SHIPPED, Verdict, VersionFile


class VersionState(StrEnum):
    """Where a version stands. It follows from the gate's verdict and from what serves; nobody sets it."""

    CHAMPION = "champion"
    # A canary tries it.
    CHALLENGER = "challenger"
    # A worker could not load it.
    BROKEN = "broken"
    # The gate did not let it through: it never serves.
    REFUSED = "refused"
    # It was champion once.
    FORMER = "former"
    READY = "ready"


class VersionRecord(Frozen):
    """A version that a training made."""

    version: str
    kind: Kind
    model: str
    state: VersionState
    parent: str
    created_at: float
    verdict: Verdict
    metrics: dict[str, float]
    files: tuple[VersionFile, ...]
    snapshot_key: str
    snapshot_sha256: str
    code: str
    fault: str


def version_records(ledger: Ledger, model: str) -> list[VersionRecord]:
    """Return the versions of a model, of each kind that it makes, oldest first."""
    records = []
    for kind in kinds_of(ledger, model):
        serving, history = ledger.promotions.serving(kind, model), ledger.promotions.history(kind, model)
        records += [_record(one, serving, history) for one in ledger.versions.of_model(kind, model)]
    return records


def kinds_of(ledger: Ledger, model: str) -> list[Kind]:
    """Return the kinds of which a model has versions."""
    return [kind for kind, name in ledger.versions.models() if name == model]


def require_kinds(ledger: Ledger, model: str) -> list[Kind]:
    """Return the kinds of which a model has versions; raises UnknownIdError where there is none."""
    if kinds := kinds_of(ledger, model):
        return kinds
    raise UnknownIdError(f"model '{model}' has no version: `factory models list` shows all models")


def serving_of(ledger: Ledger, model: str, kind: Kind | None = None) -> Serving:
    """Return what serves a model that has versions; raises UnknownIdError where it has none, or of several kinds."""
    kinds = [one for one in require_kinds(ledger, model) if kind in {None, one}]
    if not kinds:
        raise UnknownIdError(f"model '{model}' has no version of kind {kind}")
    if len(kinds) > 1:
        raise UnknownIdError(f"model '{model}' has versions of several kinds: name one of {', '.join(kinds)}")
    return ledger.promotions.serving(kinds[0], model)


def serving_for(ledger: Ledger, version_id: str) -> Serving:
    """Return what serves the model of a version."""
    described = ledger.versions.get(version_id).described
    return ledger.promotions.serving(described.kind, described.model)


def _record(version: Version, serving: Serving, history: Sequence[Change]) -> VersionRecord:
    described = version.described
    plain = described.model_dump(exclude={"id", "prefix"})
    return VersionRecord(version=described.id, state=_state(version, serving, history), fault=version.fault, **plain)


def _state(version: Version, serving: Serving, history: Sequence[Change]) -> VersionState:
    version_id = version.described.id
    facts = {
        VersionState.CHAMPION: serving.champion == version_id,
        VersionState.CHALLENGER: serving.challenger == version_id,
        VersionState.BROKEN: bool(version.fault),
        VersionState.REFUSED: not version.described.verdict.is_passed,
        VersionState.FORMER: any(change.champion == version_id for change in history),
    }
    return next((state for state, is_so in facts.items() if is_so), VersionState.READY)


def shown(version_id: str) -> str:
    """Return a version as people read it."""
    return version_id if version_id != SHIPPED else "shipped"
