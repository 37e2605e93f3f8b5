"""Facts of versions that no store holds."""

from schemas.campaigns import Kind
from schemas.versions import SHIPPED, Guardrail, NewVersion, Verdict, VersionFile

MODEL = "starter+house"


def version_id(number: int, kind: Kind = Kind.COPY) -> str:
    return f"{kind}-20261126-{number:08x}"


def a_version(number: int = 1, model: str = MODEL, *, is_passed: bool = True, **changes: object) -> NewVersion:
    """Return the facts of a version that no store holds."""
    kind = Kind(changes.pop("kind", Kind.COPY))
    facts: dict[str, object] = {
        "id": version_id(number, kind),
        "kind": kind,
        "model": model,
        "parent": SHIPPED,
        "prefix": f"versions/{kind}/{version_id(number, kind)}/",
        "files": (VersionFile(name="adapter_model.safetensors", sha256="0" * 64, length_bytes=1),),
        "snapshot_key": "snapshots/1.jsonl",
        "snapshot_sha256": "1" * 64,
        "code": "0.1.0",
        "metrics": {"loss": 0.5},
        "verdict": a_verdict(0.1 if is_passed else -0.1),
        "created_at": 1000.0 + number,
    }
    return NewVersion(**facts | changes)


def a_verdict(bound: float, *guardrails: Guardrail) -> Verdict:
    return Verdict(
        preferences=200, challenger_agrees=0.7, champion_agrees=0.5, bound=bound, guardrails=tuple(guardrails)
    )
