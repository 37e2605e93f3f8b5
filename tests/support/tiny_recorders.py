"""Models of sound with random weights: the architectures of MusicGen and ACE-Step, a few thousand times smaller."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    EncodecConfig,
    EncodecFeatureExtractor,
    MusicgenConfig,
    MusicgenForConditionalGeneration,
    MusicgenProcessor,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    T5Config,
)
from transformers.models.musicgen.configuration_musicgen import MusicgenDecoderConfig

WIDTH = 32
WORDS = 300
BOOK = 64


def write_recorder(name: str, folder: Path) -> Path:
    """Write the model of this name (a key of BUILDERS) below a folder; return its own folder."""
    torch.manual_seed(0)
    place = folder / name
    BUILDERS[name](place)
    return place


def _tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that reads bytes."""
    words = ["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE(vocab={word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", model_input_names=names
    )


def _musicgen(place: Path) -> None:
    text = T5Config(
        vocab_size=WORDS, d_model=WIDTH, d_kv=8, d_ff=64, num_layers=1, num_heads=4, decoder_start_token_id=0
    )
    sound = EncodecConfig(
        sampling_rate=32_000,
        audio_channels=1,
        normalize=False,
        hidden_size=WIDTH,
        num_filters=4,
        num_residual_layers=1,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=BOOK,
        codebook_dim=WIDTH,
        num_lstm_layers=1,
        target_bandwidths=[2.2],
        use_causal_conv=False,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=BOOK,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        ffn_dim=64,
        num_attention_heads=4,
        num_codebooks=4,
        audio_channels=1,
        pad_token_id=BOOK,
        bos_token_id=BOOK,
        max_position_embeddings=512,
    )
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=sound.to_dict(), decoder=decoder.to_dict())
    network: Any = MusicgenForConditionalGeneration(config).eval()
    # New codebooks hold nothing but zeros, and every sound would be the same.
    for name, values in network.audio_encoder.named_buffers():
        if name.endswith("codebook.embed"):
            torch.nn.init.normal_(values)
    network.generation_config.update(
        guidance_scale=3.0, max_length=1500, pad_token_id=BOOK, bos_token_id=BOOK, decoder_start_token_id=BOOK
    )
    network.save_pretrained(place)
    MusicgenProcessor(EncodecFeatureExtractor(feature_size=1, sampling_rate=32_000), _tokenizer()).save_pretrained(
        place
    )


def _ace_step(place: Path) -> None:
    sizes: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "sliding_window": 16,
    }
    transformer = AceStepTransformer1DModel(
        num_hidden_layers=2,
        in_channels=24,
        audio_acoustic_hidden_dim=8,
        patch_size=2,
        is_turbo=True,
        model_version="turbo",
        **sizes,
    )
    conditions = AceStepConditionEncoder(
        text_hidden_dim=WIDTH,
        timbre_hidden_dim=8,
        num_lyric_encoder_hidden_layers=1,
        num_timbre_encoder_hidden_layers=1,
        **sizes,
    )
    sound = AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[2, 4, 4, 6, 10],
        channel_multiples=[1, 1, 2, 2, 2],
        decoder_channels=8,
        decoder_input_channels=8,
        audio_channels=2,
        sampling_rate=48_000,
    )
    sizes.pop("sliding_window")
    text = Qwen3Model(Qwen3Config(vocab_size=WORDS, num_hidden_layers=1, **sizes)).eval()
    AceStepPipeline(
        vae=sound,
        text_encoder=text,
        tokenizer=_tokenizer(),
        transformer=transformer,
        condition_encoder=conditions,
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    ).save_pretrained(place)


BUILDERS: dict[str, Callable[[Path], None]] = {"musicgen": _musicgen, "ace-step": _ace_step}
