"""Finishing, by kind: from what a model made to what is delivered, and the checks on it. No device, no store."""

from collections.abc import Mapping

from core.settings import Settings
from schemas.campaigns import Kind
from workers.checks.safety import safety_checker
from workers.finishing.copy import CopyFinisher
from workers.finishing.music import MusicFinisher
from workers.finishing.pictures import CreativeFinisher, ImageFinisher
from workers.finishing.protocol import Finisher


def finishers(settings: Settings) -> Mapping[Kind, Finisher]:
    """Return the finisher of each kind; raises SettingsError when the safety checker cannot be opened."""
    return {
        Kind.COPY: CopyFinisher(),
        Kind.IMAGE: ImageFinisher(settings, safety_checker(settings.image_safety_checker)),
        Kind.CREATIVE: CreativeFinisher(settings),
        Kind.MUSIC: MusicFinisher(settings),
    }
