"""A tiny language model with random weights, made here: what every test of the copy family loads."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job
from schemas.styles import Style

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|assistant|>"
TEXT = [
    "Brand: Northbeam Coffee\nProduct: Ember Espresso\nAbout: Dark roast, cocoa and smoke.\nWrite one headline.",
    "Cocoa and smoke in a small cup. Coffee before eight? Grind some Ember Espresso and take your time with it.",
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama of two layers with a chat template."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|pad|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<|pad|>", eos_token="<|end|>")
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        # Wide weights make a random model decided enough to show a wrong mask.
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def job_of() -> Callable[..., Job]:
    """Return a maker of jobs that differ in what a test names."""

    def make(seed: int, channel: str = "google_search.headline", product: str = "Ember Espresso") -> Job:
        brief = Brief(
            brand=Brand(name="Northbeam Coffee", voice="warm, dry"),
            product=Product(sku="NB-1", name=product, description="Dark roast. Notes of cocoa and smoke."),
            audience=Audience(id="commuters", description="people who need coffee before eight"),
            channel=channel,
            style=list(Style)[seed % len(Style)],
        )
        return Job(
            id=f"job-{seed}",
            campaign_id="spring",
            kind=Kind.COPY,
            bucket="copy/tiny/short",
            brief=brief,
            variant=seed,
            seed=seed,
        )

    return make
