"""The starter image model at work: the pipeline of Stable Diffusion, started from the picture nearest to the prompt.

So small a network draws much better what it need not invent. A prompt finds its concept in the library; the latents of
that concept are noised to `STRENGTH` and painted anew, led by the prompt. A prompt that nothing in the library is near
to is refused: what came out would show something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from diffusers import StableDiffusionPipeline

from workers.models.miniature import library
from workers.models.miniature.flow import GUIDANCE, STEPS, STRENGTH, paint
from workers.models.miniature.library import Library
from workers.models.miniature.starter import LIBRARY
from workers.models.miniature.text import TextEncoder


@dataclass(frozen=True)
class MiniatureOutput:
    """Pictures (B, H, W, 4) with values in 0..1, and for each why it is not what was asked for, if so."""

    images: npt.NDArray[np.float32]
    refused: list[str]


class MiniaturePipeline(StableDiffusionPipeline):
    """Paints from the nearest concept of its library."""

    library: Library
    # What the base class sets, without saying so.
    tokenizer: Any
    text_encoder: Any
    unet: Any
    vae: Any
    _execution_device: Any
    maybe_free_model_hooks: Any
    set_progress_bar_config: Any

    @torch.no_grad()
    def __call__(
        self,
        prompt: Sequence[str],
        negative_prompt: Sequence[str] | None = None,
        num_inference_steps: int = STEPS,
        guidance_scale: float = GUIDANCE,
        generator: Sequence[torch.Generator] = (),
        **_others: Any,
    ) -> MiniatureOutput:
        """Return one picture for each prompt and generator; the empty prompt fills up a pass and shows anything."""
        encoder = TextEncoder(self.tokenizer, self.text_encoder)
        matches = self.library.nearest(prompt, encoder)
        states, _ = encoder.read(prompt)
        away, _ = encoder.read(list(negative_prompt or [""] * len(prompt)))
        shape = self.library.latents.shape[1:]
        noise = torch.stack([torch.randn(shape, generator=one) for one in generator])
        place = {"device": self._execution_device, "dtype": self.unet.dtype}
        latents = paint(
            self.unet,
            states.to(**place),
            away.to(**place),
            noise.to(**place),
            reference=self.library.latents[[match.concept for match in matches]].to(**place),
            strength=STRENGTH,
            steps=num_inference_steps,
            guidance=guidance_scale,
        )
        decoded = self.vae.decode(latents.to(self.vae.dtype)).sample
        pixels = ((decoded.float() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).cpu().numpy()
        self.maybe_free_model_hooks()
        refused = [
            "" if match.fits or not text else f"the starter image model knows nothing like '{text}'"
            for text, match in zip(prompt, matches, strict=True)
        ]
        return MiniatureOutput(pixels, refused)


def load(folder: Path, dtype: torch.dtype) -> MiniaturePipeline:
    """Load the pipeline from the folder that `starter_folder` returns."""
    pipe: MiniaturePipeline = MiniaturePipeline.from_pretrained(folder, dtype=dtype, local_files_only=True)
    pipe.library = library.load(folder / LIBRARY)
    pipe.set_progress_bar_config(disable=True)
    return pipe
