"""The image family: any text-to-image pipeline of diffusers paints one picture a job, as a lossless PNG.

A pass, which is one call of the pipeline, always has the same number of pictures: a short one is filled up with empty
prompts. So a picture is the same bit for bit whatever its neighbours are; measured on the CPU with Stable Diffusion 1,
XL and 3, FLUX and PixArt in float32, and with the starter in bfloat16. Passes of another size change values by at most
1 of 255 in float32 and 9 in bfloat16. Pipelines that pad prompts to the longest of a pass are as close as that.
Out of memory in a pass of several pictures halves the passes from then on; in a pass of one it is raised.
"""

import inspect
import io
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from schemas.jobs import Job, PictureOrder
from schemas.pictures import PictureChannel, picture_channels
from workers.models.decode import mixed_seed
from workers.models.image_pipelines import ImageOptions, LoadedPipeline, denoiser_of, load_pipeline
from workers.models.image_prompts import negative_of, prompt_of
from workers.models.miniature.flow import GUIDANCE, STEPS
from workers.models.protocol import NO_PARTS, Parts, Sample

__all__ = ["Canvas", "ImageModel", "ImageOptions", "canvas_of", "load"]

CONTENT_TYPE = "image/png"
# How a product looks when a brief does not say; a model that paints subjects has a look of its own.
HOUSE_LOOK = "product photograph, soft studio light"
# Longer pictures repeat their subject, since networks learn on nearly square ones: a strip is cut out of this.
MOST_ASPECT = 2.0
# Where a configuration does not say what the network was made for.
USUAL_SIDE = 1024
# Every pipeline takes sizes of this many pixels.
LEAST_CELL = 8
# Pictures in one call of the pipeline; a single job pays for a whole one. The starter takes 0.62 s of a CPU for one of
# 8 steps alone, 0.36 s in fours and 0.32 s in eights.
PASS_SIZE = 4
# A graphics card waits for its next order, not for its arithmetic, where pictures are small: four of the starter took
# 0.8 s of an H200 and 16 MB of it.
SMALL_SIDE, SMALL_PASS_SIZE = 256, 32
# The scale of guidance that needs a negative prompt, be it empty, to do anything.
TRUE_SCALE = "true_cfg_scale"
UNSAFE = "the safety checker of the model blanked this picture"
OVERFLOWN = "the numbers ran over: use dtype bfloat16 or float32"

# Steps, guidance, width, height, and whether there is a negative prompt.
Group = tuple[int, float, int, int, bool]


@dataclass(frozen=True)
class Canvas:
    """What a pipeline paints on: a square of `side` pixels or another shape of that area, in whole cells.

    A subject stands before transparency, and is always square: where it stands is decided later.
    """

    side: int
    cell: int
    is_subject: bool

    def size(self, channel: PictureChannel) -> tuple[int, int]:
        """Return width and height for a channel: its aspect as far as it goes, never its pixels."""
        if self.is_subject:
            return self.side, self.side
        aspect = min(max(channel.width / channel.height, 1 / MOST_ASPECT), MOST_ASPECT)
        width, height = self.side * math.sqrt(aspect), self.side / math.sqrt(aspect)
        return self._whole(width), self._whole(height)

    def _whole(self, pixels: float) -> int:
        return max(round(pixels / self.cell), 1) * self.cell


@dataclass(frozen=True)
class _Order:
    """One picture to be painted."""

    prompt: str
    negative: str
    seed: int
    steps: int
    guidance: float
    width: int
    height: int

    @property
    def group(self) -> Group:
        """Return what pictures of one pass have in common."""
        return self.steps, self.guidance, self.width, self.height, self.negative != ""


@dataclass(frozen=True)
class _Picture:
    """A painted picture (height, width, 3 or 4), how many its pass had, and what is wrong with it, if anything."""

    pixels: npt.NDArray[np.uint8]
    pass_size: int
    refused: str


class ImageModel:
    """A loaded pipeline that paints. One call at a time."""

    def __init__(self, loaded: LoadedPipeline, options: ImageOptions) -> None:
        self.version = loaded.version
        self.device = loaded.device
        self._dtype = loaded.dtype
        self._pipe = loaded.pipe
        self._canvas = canvas_of(loaded.pipe)
        self._takes = inspect.signature(loaded.pipe.__call__).parameters
        self._guidance_name = _guidance_name(self._takes)
        self._steps, self._guidance = self._habits(options)
        self._pass_size = options.pass_size or usual_pass_size(self.device, self._canvas)

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return one candidate for each job, in their order; a picture that cannot be used says why in `refused`."""
        orders = [self._order(job, attempt) for job in jobs]
        groups: defaultdict[Group, list[int]] = defaultdict(list)
        for place, order in enumerate(orders):
            groups[order.group].append(place)
        pictures: dict[int, _Picture] = {}
        for places in groups.values():
            pictures |= zip(places, self._paint_all([orders[place] for place in places]), strict=True)
        return [
            [self._sample(job, order, attempt, pictures[place])]
            for place, (job, order) in enumerate(zip(jobs, orders, strict=True))
        ]

    def _habits(self, options: ImageOptions) -> tuple[int, float]:
        """Return steps and guidance for briefs that give none."""
        steps, guidance = self._takes["num_inference_steps"].default, 0.0
        if self._guidance_name:
            guidance = self._takes[self._guidance_name].default
        if self._canvas.is_subject:
            steps, guidance = STEPS, GUIDANCE
        return (
            steps if options.steps is None else options.steps,
            guidance if options.guidance is None else options.guidance,
        )

    def _order(self, job: Job, attempt: int) -> _Order:
        asked = job.brief.picture or PictureOrder()
        width, height = self._canvas.size(picture_channels()[job.brief.channel])
        guidance = self._guidance if asked.guidance is None else asked.guidance
        return _Order(
            prompt=prompt_of(job.brief, "" if self._canvas.is_subject else HOUSE_LOOK),
            # Without guidance there is nothing that could lead away from it.
            negative=negative_of(job.brief, tells_revision=not self._canvas.is_subject)
            if self._takes_negative and guidance > 1
            else "",
            seed=mixed_seed(job.seed, attempt),
            steps=self._steps if asked.steps is None else asked.steps,
            guidance=guidance if self._guidance_name else 0.0,
            width=width,
            height=height,
        )

    @property
    def _takes_negative(self) -> bool:
        """Tell whether the pipeline's guidance leads away from a negative prompt; that of FLUX does not."""
        return "negative_prompt" in self._takes and (TRUE_SCALE not in self._takes or self._guidance_name == TRUE_SCALE)

    def _paint_all(self, orders: Sequence[_Order]) -> list[_Picture]:
        pictures: list[_Picture] = []
        while len(pictures) < len(orders):
            rest = orders[len(pictures) :]
            pictures += self._paint_or_shrink(rest[: self._pass_size])
        return pictures

    def _paint_or_shrink(self, orders: Sequence[_Order]) -> list[_Picture]:
        """Return the pictures of one pass; none if the memory did not suffice and smaller passes may do."""
        try:
            return self._paint(orders)
        except torch.OutOfMemoryError:
            # Where weights wait in the memory of the host, they go back there.
            self._pipe.maybe_free_model_hooks()
            if self._pass_size == 1:
                raise
        # Here the error and the frames it held are gone, and with them the tensors that filled the device.
        self._pass_size //= 2
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return []

    def _paint(self, orders: Sequence[_Order]) -> list[_Picture]:
        first = orders[0]
        filling = replace(first, prompt="", negative="", seed=0)
        full = [*orders, *[filling] * (self._pass_size - len(orders))]
        wanted = {
            "prompt": [order.prompt for order in full],
            # Noise comes from the CPU, so that a seed means the same on every device.
            "generator": [torch.Generator().manual_seed(order.seed) for order in full],
            "num_inference_steps": first.steps,
            "width": first.width,
            "height": first.height,
            "max_sequence_length": sequence_length(self._pipe),
            # Else PixArt and its like would paint another size and cut ours out of it.
            "use_resolution_binning": False,
            "output_type": "np",
        }
        # Without any, some networks want nothing at all in its place, which is not the same as an empty text.
        if first.negative or self._guidance_name == TRUE_SCALE:
            wanted["negative_prompt"] = [order.negative for order in full]
        if self._guidance_name:
            wanted[self._guidance_name] = first.guidance
        output = self._pipe(
            **{name: value for name, value in wanted.items() if name in self._takes and value is not None}
        )
        flags = getattr(output, "nsfw_content_detected", None) or [False] * len(full)
        made = [_picture(values, flag, len(full)) for values, flag in zip(output.images, flags, strict=True)]
        # The starter says so when it does not know what it was asked for.
        refused = getattr(output, "refused", None) or [""] * len(full)
        made = [replace(one, refused=one.refused or why) for one, why in zip(made, refused, strict=True)]
        return made[: len(orders)]

    def _sample(self, job: Job, order: _Order, attempt: int, picture: _Picture) -> Sample:
        file = io.BytesIO()
        Image.fromarray(picture.pixels).save(file, "PNG")
        return Sample(
            data=file.getvalue(),
            content_type=CONTENT_TYPE,
            score=0.0,
            recipe={
                "prompt": order.prompt,
                "negative": order.negative,
                "seed": job.seed,
                "attempt": attempt,
                "steps": order.steps,
                "guidance": order.guidance,
                "width": order.width,
                "height": order.height,
                "scheduler": type(self._pipe.scheduler).__name__,
                "dtype": self._dtype,
                "pipeline": type(self._pipe).__name__,
                "pass_size": picture.pass_size,
            },
            refused=picture.refused,
        )


def load(
    reference: str,
    adapter: str | None,
    device: str,
    dtype: str,
    cache: Path,
    threads: int,
    options: ImageOptions | None = None,
) -> ImageModel:
    """Load a pipeline: `starter`, a local folder or a hub id, with a LoRA adapter (a folder or a hub id) or none.

    Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
    """
    if threads:
        torch.set_num_threads(threads)
    options = options or ImageOptions()
    return ImageModel(load_pipeline(reference, adapter, device, dtype, cache, options), options)


def canvas_of(pipe: Any) -> Canvas:
    """Return what a pipeline was made to paint on, from the configuration of its networks."""
    scale = int(pipe.vae_scale_factor)
    network = denoiser_of(pipe).config
    sample = getattr(pipe, "default_sample_size", None) or getattr(network, "sample_size", None) or USUAL_SIDE // scale
    side = round(math.sqrt(math.prod(sample))) if isinstance(sample, list | tuple) else int(sample)
    blocks = getattr(network, "block_out_channels", None)
    # A network that shrinks its picture shall do so evenly; the others read it in patches, at least two wide.
    step = 2 ** (len(blocks) - 1) if blocks else max(int(getattr(network, "patch_size", None) or 1), 2)
    is_subject = getattr(pipe.vae.config, "out_channels", None) == len("RGBA")
    return Canvas(side * scale, max(scale * step, LEAST_CELL), is_subject)


def usual_pass_size(device: str, canvas: Canvas) -> int:
    """Return how many pictures one call of a pipeline paints on a device."""
    return PASS_SIZE if device == "cpu" or canvas.side > SMALL_SIDE else SMALL_PASS_SIZE


def sequence_length(pipe: Any) -> int | None:
    """Return how many tokens of a prompt the longest reader of a pipeline takes, if that can be chosen."""
    limit = inspect.signature(pipe.__call__).parameters.get("max_sequence_length")
    if limit is None or limit.default is None:
        return None
    # The longest reader is the last one; it may take less than the pipeline would give it.
    for name in ("tokenizer_3", "tokenizer_2", "tokenizer"):
        if tokenizer := getattr(pipe, name, None):
            return min(int(limit.default), int(tokenizer.model_max_length))
    return int(limit.default)


def _guidance_name(takes: Any) -> str:
    """Return the parameter that leads a pipeline to its prompt: some have two names, of which one is in use."""
    names = [name for name in ("guidance_scale", TRUE_SCALE) if name in takes and takes[name].default is not None]
    return names[0] if names else ""


def _picture(values: Any, is_unsafe: bool | None, pass_size: int) -> _Picture:  # noqa: FBT001 - as pipelines say it
    is_finite = bool(np.isfinite(values).all())
    refused = UNSAFE if is_unsafe else "" if is_finite else OVERFLOWN
    pixels = (np.nan_to_num(values, nan=0.0) * 255).round().clip(0, 255).astype(np.uint8)
    return _Picture(pixels, pass_size, refused)
