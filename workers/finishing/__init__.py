"""Finishing, by kind: from what a model made to what is delivered, and the checks on it. No device, no store."""

from collections.abc import Mapping

from core.settings import Settings
from schemas.campaigns import Kind
from workers.finishing.copy import CopyFinisher
from workers.finishing.pictures import CreativeFinisher, ImageFinisher
from workers.finishing.protocol import Finisher


def finishers(settings: Settings) -> Mapping[Kind, Finisher]:
    """Return the finisher of each kind."""
    return {
        Kind.COPY: CopyFinisher(),
        Kind.IMAGE: ImageFinisher(settings),
        Kind.CREATIVE: CreativeFinisher(settings),
    }
