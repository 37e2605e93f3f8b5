"""ACE-Step 1.5, by a folder or hub id of diffusers: a diffusion model of sound, 48 kHz stereo, told tempo and key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AceStepPipeline

from core.music.moods import MusicBrief, mood_of
from workers.models.music.recorder import Sound, Wish

NO_SINGING = "[instrumental]"


class AceStep:
    """A loaded ACE-Step pipeline."""

    licence_warning = ""

    def __init__(self, folder: Path, version: str, device: torch.device, dtype: torch.dtype) -> None:
        self.version = version
        self.device = str(device)
        pipe: Any = AceStepPipeline.from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, local_files_only=True
        )
        pipe.set_progress_bar_config(disable=True)
        self._pipe = pipe.to(device)
        self.rate = int(pipe.sample_rate)

    def wish_of(self, brief: MusicBrief, seconds: float) -> Wish:
        """Return length, tempo, key and meter, which a whole pass has in common."""
        mood = mood_of(brief)
        key = f"{brief.key} {mood.mode}" if brief.key and " " not in brief.key.strip() else brief.key
        return Wish(seconds, mood.bpm, key, mood.meter)

    def record(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        """Return the sound of each prompt."""
        output = self._pipe(
            prompt=list(prompts),
            lyrics=[NO_SINGING] * len(prompts),
            audio_duration=wish.seconds,
            bpm=wish.bpm,
            keyscale=wish.key,
            timesignature=wish.meter.partition("/")[0] if wish.meter else None,
            # Noise comes from the CPU, so that a seed means the same on every device.
            generator=[torch.Generator().manual_seed(seed % 2**63) for seed in seeds],
        )
        return [np.ascontiguousarray(wave.T) for wave in output.audios.float().cpu().numpy()]
