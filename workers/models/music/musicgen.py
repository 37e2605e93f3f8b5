"""MusicGen and its kin, by a folder or hub id of transformers: a language model of sound, 32 kHz."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoProcessor, LogitsProcessor, MusicgenForConditionalGeneration

from core.errors import ImpossibleWorkError
from core.music.moods import MusicBrief
from workers.models.decode import gumbel_noise, mixed_seed
from workers.models.music.recorder import Sound, Wish

LICENCE = (
    "the published weights of MusicGen are licensed CC-BY-NC 4.0: what they make must not be used in advertisements"
)
# Prompts of one length need no other shape beside longer ones.
PROMPT_TOKENS = 64
LIKELIEST = 250


class _Sampler(LogitsProcessor):
    """Adds noise that is a hash of row, step and word to the likeliest words, so that the largest is a fair draw."""

    def __init__(self, seeds: torch.Tensor) -> None:
        self._seeds = seeds

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores (B x codebooks, words) with noise."""
        least = scores.topk(min(LIKELIEST, scores.shape[-1])).values[:, -1:]
        words = torch.arange(scores.shape[-1], device=scores.device).expand_as(scores)
        steps = torch.full_like(self._seeds, input_ids.shape[-1])
        noisy = scores.float().log_softmax(-1).double() + gumbel_noise(self._seeds, steps, words)
        return noisy.masked_fill(scores < least, -torch.inf)


class _Seeded(MusicgenForConditionalGeneration):
    """Samples by seeds: transformers has one source of chance for a whole batch."""

    sampler: _Sampler

    def _get_logits_processor(self, *given: Any, **named: Any) -> Any:
        # Guidance is added behind the processors of a caller, and has to come before the draw.
        processors = super()._get_logits_processor(*given, **named)
        processors.append(self.sampler)
        return processors


class MusicGen:
    """A loaded MusicGen."""

    licence_warning = LICENCE

    def __init__(self, folder: Path, version: str, device: torch.device, dtype: torch.dtype) -> None:
        self.version = version
        self.device = str(device)
        network: Any = _Seeded.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
        self._network = network.to(device).eval()
        processor: Any = AutoProcessor
        self._processor = processor.from_pretrained(folder, local_files_only=True)
        config = network.config
        self.rate = int(config.audio_encoder.sampling_rate)
        self._frames_a_second = float(config.audio_encoder.frame_rate)
        self._codebooks = int(config.decoder.num_codebooks)
        self._delays = self._codebooks // int(config.decoder.audio_channels)
        self._most_seconds = (config.decoder.max_position_embeddings - self._delays) / self._frames_a_second

    def wish_of(self, brief: MusicBrief, seconds: float) -> Wish:
        """Return the length alone: all else stands in the prompt."""
        del brief
        if seconds > self._most_seconds:
            raise ImpossibleWorkError(
                f"this model makes at most {self._most_seconds:.0f} s of music, not {seconds:g}: "
                "ask for less, or set FACTORY_MUSIC_MODEL to another model"
            )
        return Wish(seconds)

    @torch.inference_mode()
    def record(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        """Return the sound of each prompt."""
        given = self._processor(
            text=list(prompts), padding="max_length", max_length=PROMPT_TOKENS, truncation=True, return_tensors="pt"
        )
        rows = [mixed_seed(seed, book) for seed in seeds for book in range(self._codebooks)]
        self._network.sampler = _Sampler(torch.tensor(rows, device=self.device))
        # Codebooks are written one step behind the other.
        steps = math.ceil(wish.seconds * self._frames_a_second) + self._delays - 1
        waves = self._network.generate(
            input_ids=given["input_ids"].to(self.device),
            attention_mask=given["attention_mask"].to(self.device),
            do_sample=False,
            max_new_tokens=steps,
        )
        return [np.ascontiguousarray(wave.T) for wave in waves.float().cpu().numpy()]
