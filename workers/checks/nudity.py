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


class NudityClassifier:
    """Finds exposed parts of bodies. Raises SettingsError when the package is not installed."""

    def __init__(self) -> None:
        try:
            detector = import_module("nudenet")
        except ModuleNotFoundError as error:
            raise SettingsError(
                "the check for nudity needs the package nudenet, whose licence is AGPL-3.0: "
                "read it, then `pip install nudenet`, or do without the check"
            ) from error
        self._detector: Any = detector.NudeDetector()

    def unsafe(self, image: Image.Image) -> str:
        """Return what is exposed; a subject with alpha is looked at on white."""
        ground = Image.new("RGBA", image.size, "white")
        flat = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
        # The detector takes blue before red.
        found = self._detector.detect(np.ascontiguousarray(np.asarray(flat)[..., ::-1]))
        exposed = {one["class"] for one in found if one["class"] in EXPOSED and one["score"] >= LEAST_SCORE}
        return ", ".join(sorted(name.lower().replace("_", " ") for name in exposed))
