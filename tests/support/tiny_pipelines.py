"""Pipelines of diffusers with random weights: the architectures of the real ones, a few thousand times smaller.

A picture has 2 x 2 pixels a cell of its latents (4 x 4 of `bold`); the networks were 'made' for squares of 32 pixels
(64 of `bold`).
"""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PixArtSigmaPipeline,
    PixArtTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

SIDE = 32
WIDTH = 32
T5_TOKENS = 16
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def write_pipeline(name: str, folder: Path) -> Path:
    """Write the pipeline of this name (a key of BUILDERS) below a folder; return its own folder."""
    torch.manual_seed(0)
    place = folder / name
    BUILDERS[name](folder).save_pretrained(place)
    return place


def write_adapter(pipe: Any, folder: Path) -> Path:
    """Write a LoRA with random weights for the denoiser of a pipeline; return its folder."""
    torch.manual_seed(1)
    is_unet = hasattr(pipe, "unet")
    denoiser = pipe.unet if is_unet else pipe.transformer
    layers = ["to_q", "to_k", "to_v", "to_out.0"]
    denoiser.add_adapter(LoraConfig(r=4, init_lora_weights=False, target_modules=layers))
    weights = get_peft_model_state_dict(denoiser)
    named = (
        {"unet_lora_layers": convert_state_dict_to_diffusers(weights)}
        if is_unet
        else {"transformer_lora_layers": weights}
    )
    type(pipe).save_lora_weights(folder, **named)
    return folder


def _clip_tokenizer(folder: Path) -> CLIPTokenizer:
    """Return a tokenizer that knows single characters."""
    plain = [chr(code) for code in range(33, 127)]
    words = [*plain, *(f"{one}</w>" for one in plain), "<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)


def _clip(tokenizer: CLIPTokenizer, kind: type = CLIPTextModel) -> Any:
    size = len(tokenizer)
    config = CLIPTextConfig(
        vocab_size=size,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
        projection_dim=WIDTH,
    )
    return kind(config).eval()


def _t5_tokenizer() -> T5TokenizerFast:
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    letters = [(one, -3.0) for one in string.ascii_letters + string.digits + string.punctuation]
    tokenizer = Tokenizer(models.Unigram([*marks, *letters], unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0, model_max_length=T5_TOKENS)


def _t5(width: int = WIDTH) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=128, d_model=width, d_kv=8, d_ff=32, num_layers=1, num_heads=4, feed_forward_proj="gated-gelu"
        )
    ).eval()


def _vae(channels: int = 3, blocks: int = 2, **more: Any) -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=(*(8,) * (blocks - 1), 16),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIDE,
        **more,
    )


def _flow_vae() -> AutoencoderKL:
    return _vae(shift_factor=0.06, scaling_factor=1.5, use_quant_conv=False, use_post_quant_conv=False)


def _unet(context: int = WIDTH, **more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIDE // 2,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=context,
        attention_head_dim=8,
        norm_num_groups=4,
        **more,
    )


def _sd(folder: Path, channels: int = 3, checker: Any = None, blocks: int = 2) -> StableDiffusionPipeline:
    tokenizer = _clip_tokenizer(folder)
    return StableDiffusionPipeline(
        vae=_vae(channels, blocks),
        text_encoder=_clip(tokenizer),
        tokenizer=tokenizer,
        unet=_unet(),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1, **NOISE),
        safety_checker=checker,
        feature_extractor=CLIPImageProcessor(size=SIDE, crop_size=SIDE) if checker else None,
        requires_safety_checker=checker is not None,
    )


def _subject(folder: Path) -> StableDiffusionPipeline:
    """Return a pipeline that paints with alpha."""
    return _sd(folder, channels=4)


def _bold(folder: Path) -> StableDiffusionPipeline:
    """Return a pipeline that paints with alpha, so coarsely and so strongly that every check takes it for a picture."""
    pipe = _sd(folder, channels=4, blocks=3)
    # What an untrained network paints is a grey haze else.
    for values in pipe.vae.decoder.conv_out.parameters():
        values.data *= 30
    return pipe


def _censored(folder: Path) -> StableDiffusionPipeline:
    """Return a pipeline whose safety checker blanks every picture."""
    small = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 4}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(vision_config={**small, "image_size": SIDE, "patch_size": 8}, projection_dim=WIDTH)
    )
    # Any picture is nearer to a concept than this.
    checker.concept_embeds_weights.data.fill_(-2.0)
    return _sd(folder, checker=checker)


def _sdxl(folder: Path) -> StableDiffusionXLPipeline:
    tokenizer = _clip_tokenizer(folder)
    conditions = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 8 * 6 + WIDTH,
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
    }
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(tokenizer),
        text_encoder_2=_clip(tokenizer, CLIPTextModelWithProjection),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(2 * WIDTH, **conditions),
        scheduler=EulerDiscreteScheduler(timestep_spacing="trailing", **NOISE),
    )


def _sd3(folder: Path) -> StableDiffusion3Pipeline:
    tokenizer = _clip_tokenizer(folder)
    return StableDiffusion3Pipeline(
        vae=_flow_vae(),
        text_encoder=_clip(tokenizer, CLIPTextModelWithProjection),
        tokenizer=tokenizer,
        text_encoder_2=_clip(tokenizer, CLIPTextModelWithProjection),
        tokenizer_2=tokenizer,
        text_encoder_3=_t5(2 * WIDTH),
        tokenizer_3=_t5_tokenizer(),
        transformer=SD3Transformer2DModel(
            sample_size=SIDE // 2,
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=WIDTH,
            pooled_projection_dim=2 * WIDTH,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def _flux(folder: Path) -> FluxPipeline:
    tokenizer = _clip_tokenizer(folder)
    return FluxPipeline(
        vae=_flow_vae(),
        text_encoder=_clip(tokenizer),
        tokenizer=tokenizer,
        text_encoder_2=_t5(),
        tokenizer_2=_t5_tokenizer(),
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=[4, 4, 8],
            guidance_embeds=False,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )


def _pixart(_folder: Path) -> PixArtSigmaPipeline:
    return PixArtSigmaPipeline(
        vae=_vae(),
        text_encoder=_t5(),
        tokenizer=_t5_tokenizer(),
        transformer=PixArtTransformer2DModel(
            sample_size=SIDE // 2,
            num_layers=2,
            patch_size=2,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_channels=WIDTH,
            in_channels=4,
            out_channels=8,
            cross_attention_dim=WIDTH,
            use_additional_conditions=False,
        ),
        scheduler=DPMSolverMultistepScheduler(),
    )


BUILDERS: dict[str, Callable[[Path], Any]] = {
    "sd": _sd,
    "subject": _subject,
    "bold": _bold,
    "censored": _censored,
    "sdxl": _sdxl,
    "sd3": _sd3,
    "flux": _flux,
    "pixart": _pixart,
}
