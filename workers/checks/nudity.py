"""Looks for nudity with NudeNet, where the operator has installed it: `pip install nudenet`.

The package holds its weights and works offline. Its licence is AGPL-3.0, whatever its metadata say, so it is no
dependency of the factory and never installed by it: whoever installs it takes on the duties of that licence.
"""

from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image

from core.errors import SettingsError

EXPOSED = frozenset(
    {"ANUS_EXPOSED", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED", "FEMALE_GENITALIA_EXPOSED", "MALE_GENITALIA_EXPOSED"}
)
# Below this the detector sees something in many harmless pictures; a doubt is a refusal, a guess is not.
LEAST_SCORE = 0.4


class NudityChecker:
    """Finds exposed parts of bodies. Raises SettingsError when the package is not there, or cannot be loaded."""

    def __init__(self) -> None:
        try:
            self._detector: Any = import_module("nudenet").NudeDetector()
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"FACTORY_IMAGE_SAFETY_CHECKER is nudenet, and the module {error.name} is not installed. The licence of"
                " nudenet is AGPL-3.0: read it, then `pip install nudenet`, or set FACTORY_IMAGE_SAFETY_CHECKER=none"
            ) from error
        except Exception as error:
            # A package that is there and broken raises whatever its own libraries raise.
            raise SettingsError(f"FACTORY_IMAGE_SAFETY_CHECKER: nudenet cannot be loaded: {error}") from error

    def unsafe(self, image: Image.Image) -> str:
        """Return what is exposed; a subject with alpha is looked at on white."""
        ground = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
        # The detector takes blue before red.
        found = self._detector.detect(np.ascontiguousarray(np.asarray(flat)[..., ::-1]))
        exposed = {one["class"] for one in found if one["class"] in EXPOSED and one["score"] >= LEAST_SCORE}
        return ", ".join(sorted(name.lower().replace("_", " ") for name in exposed))
