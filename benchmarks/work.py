"""The work that is measured: a language model with random weights that says passable headlines, and jobs for it.

A random model of real size costs what a trained one costs. So that its lines pass the real checks, its vocabulary holds
only words that every line may use, and nothing its products say has to come back in a line.
"""

from collections.abc import Iterator
from itertools import count as count_from
from pathlib import Path
from typing import Any

from producer import campaigns
from schemas.buckets import Bucket, model_name
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, Kind, Product
from schemas.jobs import Brief, Job

STARTER = "starter"
EXAMPLES = Path(__file__).parents[1] / "examples"
CHANNEL = "google_search.headline"
WORDS = (
    *("Home", "House", "Kitchen", "Table", "Room", "Road", "Dinner", "Lunch", "Breakfast", "Birthday", "Cup", "Bowl"),
    *("Desk", "Door", "Stairs", "Seat", "Pocket", "Keys", "List", "Luck", "Moment", "Neighbor", "Friend", "Family"),
    *("Kids", "City", "Clock", "Commute", "Dress", "Floor", "Hand", "Hair", "Idea", "Inbox", "Walk", "Share", "Plan"),
    *("Play", "Rest", "Start", "Story", "Sun", "Visit", "Window", "Work", "Step", "Stack", "Spot"),
)
# A line ends where one of these is drawn: a quarter of the vocabulary, so a line has about three words.
LINE_ENDS = 16
# Jobs of one product share its brief, as variants do.
VARIANTS = 4
BRAND = Brand(name="Kitchen Table")
AUDIENCE = Audience(id="commuters", description="people who need breakfast before work")


def build_random_model(folder: Path) -> Path:
    """Write a Llama of 22 million parameters with random weights."""
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415 - the parent process loads no torch
    from torch import manual_seed  # noqa: PLC0415
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: PLC0415

    special = ["<unk>", "<s>", "</s>", *("\n" * count for count in range(1, LINE_ENDS + 1))]
    vocabulary = {token: number for number, token in enumerate([*special, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    special_tokens = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    make_tokenizer: Any = PreTrainedTokenizerFast
    tokenizer = make_tokenizer(tokenizer_object=words, **special_tokens)
    manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=640,
        intermediate_size=1728,
        num_hidden_layers=5,
        num_attention_heads=10,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def campaign(name: str) -> Campaign:
    """Return a campaign for jobs that come from elsewhere; its one product stands for all."""
    return Campaign(
        name=name,
        brand=BRAND,
        products=(product(0),),
        audiences=(AUDIENCE,),
        deliverables=(CopyDeliverable(kind=Kind.COPY, channel=CHANNEL, variants=1),),
    )


def jobs(campaign_id: str, count: int, model: str, adapter: str | None) -> Iterator[Job]:
    """Yield jobs of a campaign; the same ones, but for the campaign, every time."""
    bucket = str(Bucket(Kind.COPY, model_name(model, adapter), "short"))
    briefs = _example_briefs() if model == STARTER else _random_briefs()
    for index, brief in zip(range(count), briefs, strict=False):
        yield Job(
            id=f"{campaign_id}-{index:06d}",
            campaign_id=campaign_id,
            kind=Kind.COPY,
            bucket=bucket,
            brief=brief,
            variant=index % VARIANTS,
            seed=index,
        )


def _random_briefs() -> Iterator[Brief]:
    for index in count_from():
        yield Brief(brand=BRAND, product=product(index // VARIANTS), audience=AUDIENCE, channel=CHANNEL)


def _example_briefs() -> Iterator[Brief]:
    """Yield briefs of the examples' products, for a trained model: over and over, under another sku each time."""
    sources = [campaigns.read(path) for path in (EXAMPLES / name / "campaign.yaml" for name in ("feed", "northbeam"))]
    for turn in count_from():
        for source in sources:
            for one in source.products():
                again = one.model_copy(update={"sku": f"{one.sku}-{turn}"})
                for _ in range(VARIANTS):
                    yield Brief(
                        brand=source.campaign.brand,
                        product=again,
                        audience=source.campaign.audiences[0],
                        channel=CHANNEL,
                    )


def product(number: int) -> Product:
    """Return one of as many products as wanted."""
    # Each product tells its words in another order, so that no two share a prompt.
    turned = WORDS[number % len(WORDS) :] + WORDS[: number % len(WORDS)]
    return Product(sku=f"KT-{number:06d}", name=" ".join(turned[:2]), description=" ".join(turned[:24]))
