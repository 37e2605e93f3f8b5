"""Work for a tiny real model: a Llama with random weights that knows a few lines, and campaigns that it can serve."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from torch import manual_seed
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from schemas.buckets import Bucket
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief, Job

LINES = tuple(
    f"{taste} {thing}"
    for taste in (
        "Dark",
        "Bright",
        "Smoky",
        "Sweet",
        "Fresh",
        "Warm",
        "Round",
        "Soft",
        "Deep",
        "Light",
        "Rich",
        "Clear",
    )
    for thing in ("Cocoa", "Honey", "Citrus", "Maple", "Walnut", "Cherry", "Toffee", "Caramel", "Almond", "Vanilla")
)


def build_line_model(folder: Path, lines: Sequence[str] = LINES) -> Path:
    """Write the model. Each of its tokens is a line or a line's end, so half of what it writes is one line."""
    ends = ["\n" * count for count in range(1, len(lines) + 1)]
    vocabulary = {token: number for number, token in enumerate(["<unk>", "<s>", "</s>", *ends, *lines])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        # Decided enough that products differ: else all share the twenty likeliest lines, and the last find none.
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def line_campaign(name: str, products: int, variants: int, **changes: object) -> Campaign:
    """Return a campaign that the line model can serve: every product's description holds all of its lines."""
    fields: dict[str, object] = {
        "name": name,
        "brand": Brand(name="Northbeam"),
        "products": tuple(
            Product(sku=f"NB-{number:04d}", name=f"Blend {number}", description=". ".join(LINES))
            for number in range(products)
        ),
        "audiences": (Audience(id="commuters", description="people who need coffee before eight"),),
        "deliverables": (CopyDeliverable(kind=Kind.COPY, channel="google_search.headline", variants=variants),),
    }
    return Campaign(**fields | changes)


def line_jobs(campaign_id: str, campaign: Campaign, model: Path | str) -> Iterator[Job]:
    """Yield the jobs of such a campaign."""
    assert isinstance(campaign.products, tuple)
    index = 0
    for product in campaign.products:
        for deliverable in campaign.deliverables:
            for variant in range(deliverable.variants):
                brief = Brief(
                    brand=campaign.brand,
                    product=product,
                    audience=campaign.audiences[0],
                    channel=deliverable.channel,
                )
                yield Job(
                    id=f"{campaign_id}-{index:06d}",
                    campaign_id=campaign_id,
                    kind=Kind.COPY,
                    bucket=str(Bucket(Kind.COPY, str(model), "short")),
                    brief=brief,
                    variant=variant,
                    seed=index,
                )
                index += 1
