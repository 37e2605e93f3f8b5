"""A tiny language model that writes lines of two words, made and taught in seconds: a world to try the learning in."""

from pathlib import Path

from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job
from schemas.styles import Style

TASTES = ("Dark", "Bright", "Smoky", "Sweet", "Fresh", "Warm", "Round", "Soft", "Deep", "Light", "Rich", "Clear")
THINGS = ("Cocoa", "Honey", "Citrus", "Maple", "Walnut", "Cherry", "Toffee", "Caramel", "Almond", "Vanilla")
LINES = tuple(f"{taste} {thing}" for taste in TASTES for thing in THINGS)
CHANNEL = "google_search.headline"
STEPS, RATE = 120, 5e-3


def build_writer(folder: Path) -> Path:
    """Write the folder of a model that writes each of the lines about as often, for any brief."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 - the parent process loads no torch
    from torch import manual_seed  # noqa: PLC0415
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: PLC0415

    words = ["<unk>", "<s>", "</s>", "\n", *TASTES, *THINGS]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    _teach(model, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach(model: object, tokenizer: object) -> None:
    """Teach it the form of a line, and no taste."""
    import random  # noqa: PLC0415

    import torch  # noqa: PLC0415

    from workers.models.tuning.trees import Line, log_probabilities, pack  # noqa: PLC0415

    assert isinstance(model, torch.nn.Module)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    dice = random.Random(0)
    for step in range(STEPS):
        brief = brief_of(step % 50)
        packed = pack(tokenizer, [Line(brief, text) for text in dice.sample(LINES, 15)])
        loss = -log_probabilities(model, packed).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def brief_of(product: int) -> Brief:
    """Return the brief of a product whose description allows every line."""
    return Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku=f"NB-{product:04d}", name=f"Blend {product}", description=". ".join(LINES)),
        audience=Audience(id="commuters", description="people who need coffee before eight"),
        channel=CHANNEL,
        # Two words ask no question and invite nobody.
        style=(Style.BENEFIT, Style.DETAIL)[product % 2],
    )


def jobs_of(products: int, variants: int, model: Path | str, campaign: str = "spring") -> list[Job]:
    """Return the jobs of a campaign of so many products."""
    return [
        Job(
            id=f"{campaign}-{product * variants + variant:06d}",
            campaign_id=campaign,
            kind=Kind.COPY,
            bucket=f"{Kind.COPY}/{model}/short",
            brief=brief_of(product),
            variant=variant,
            seed=product * variants + variant,
        )
        for product in range(products)
        for variant in range(variants)
    ]
