"""Buckets: which jobs can share one batch. Written `kind/model/shape`, e.g. `copy/starter+house/short`."""

import re
from dataclasses import dataclass
from typing import Self

from schemas.campaigns import Kind

# A column of 200 characters holds a bucket, with a mark behind it when its job is run alone, or what made an asset: a
# model with a version behind it.
MOST_MODEL_CHARACTERS = 176
# Where every job can share a batch with every other.
ANY_SHAPE = "any"
MOST_PLAIN_CHARACTERS = 100
_UNPLAIN = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True)
class Bucket:
    """The kind, the model (a reference, and an adapter after a plus sign) and the shape of a batch."""

    kind: Kind
    model: str
    shape: str

    def __str__(self) -> str:
        """Return the name that `parse` reads."""
        return f"{self.kind}/{self.model}/{self.shape}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read a name; the model may hold slashes, a folder's path does."""
        kind, _, rest = name.partition("/")
        model, _, shape = rest.rpartition("/")
        return cls(Kind(kind), model, shape.partition("!")[0])


def model_name(reference: str, adapter: str | None) -> str:
    """Return the one name of a model with its adapter."""
    return f"{reference}+{adapter}" if adapter else reference


def reference_and_adapter(model: str) -> tuple[str, str | None]:
    """Return what `model_name` joined."""
    reference, plus, adapter = model.rpartition("+")
    return (reference, adapter) if plus else (adapter, None)


def plain_name(model: str) -> str:
    """Return a model for a list of figures: of folders and addresses the last part, and no unusual character."""
    parts = [_UNPLAIN.sub("_", part.rstrip("/").rpartition("/")[2]) for part in model.split("+")]
    return "+".join(parts)[:MOST_PLAIN_CHARACTERS]
