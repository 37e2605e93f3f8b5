"""A pipeline of pictures with random weights, built like Stable Diffusion: it costs what its size costs.

It paints with alpha, as the starter does, so coarsely and so strongly that the checks take it for a picture.
"""

import json
from pathlib import Path
from typing import Any

# (side of the latents) x (what the VAE enlarges) = 128 pixels, as the starter's.
LATENT_SIDE = 32
WIDTH = 32
CONTRAST = 30
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def build_random_pipeline(folder: Path) -> Path:
    """Write the pipeline; return its folder."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline  # noqa: PLC0415 - the parent process loads no torch
    from torch import manual_seed  # noqa: PLC0415

    manual_seed(0)
    folder.mkdir(parents=True)
    tokenizer = _tokenizer(folder)
    pipe = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(len(tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **NOISE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def _tokenizer(folder: Path) -> Any:
    """Return a tokenizer that knows single characters."""
    from transformers import CLIPTokenizer  # noqa: PLC0415

    plain = [chr(code) for code in range(33, 127)]
    words = [*plain, *(f"{one}</w>" for one in plain), "<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)


def _text_encoder(size: int) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel  # noqa: PLC0415

    config = CLIPTextConfig(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
    )
    return CLIPTextModel(config).eval()


def _vae() -> Any:
    from diffusers import AutoencoderKL  # noqa: PLC0415

    vae = AutoencoderKL(
        in_channels=4,
        out_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(8, 16, 16),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=4 * LATENT_SIDE,
    )
    # What an untrained network paints is a grey haze else.
    for values in vae.decoder.conv_out.parameters():
        values.data *= CONTRAST
    return vae


def _unet() -> Any:
    from diffusers import UNet2DConditionModel  # noqa: PLC0415

    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(WIDTH, 2 * WIDTH),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    )
