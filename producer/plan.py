"""From a campaign to jobs, and what they will take: pure functions, no clock, no network."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil

from core.errors import ImpossibleWorkError, Problem
from producer.campaigns import CampaignSource
from producer.music import order_of, shape_of
from producer.problems import problem_at
from schemas import rates as known
from schemas.buckets import ANY_SHAPE, Bucket
from schemas.campaigns import (
    AUTO,
    Audience,
    CopyDeliverable,
    CreativeDeliverable,
    Deliverable,
    ImageDeliverable,
    Kind,
    MusicDeliverable,
    Product,
    StylesAsked,
    voice_of,
)
from schemas.channels import Shape, channels
from schemas.frozen import Frozen
from schemas.jobs import Brief, CreativeOrder, Input, Job, PictureOrder
from schemas.pictures import picture_channels
from schemas.rates import Rates
from schemas.styles import Style

# The model that makes each kind.
Models = Mapping[Kind, str]

# The number in a job's id has six digits.
MAX_JOBS = 1_000_000
MOST_PROMPT_CHARACTERS = 2000
# Of so many headlines, and so many pictures, an advertisement takes the first that is made.
MOST_CHOICES = 4
# Long texts were taught in two styles.
_LONG_STYLES = (Style.BENEFIT, Style.MOMENT)


class Plan(Frozen):
    """What a campaign will make and take. Seconds and money are missing where the model's speed is not known."""

    campaign_id: str
    models: dict[Kind, str]
    device: str
    workers: int
    products: int
    jobs: int
    jobs_by_channel: dict[str, int]
    batches_by_bucket: dict[str, int]
    device_seconds: float | None
    wall_seconds: float | None
    cost: float | None
    # False where a number was not measured by this factory: the table's, of another machine or nobody's.
    is_measured: bool
    # How many jobs the budget pays for: all of them, or where it will stop.
    jobs_in_budget: int
    # Why the campaign must not be submitted as it stands, if so.
    over_budget: str | None


def jobs(source: CampaignSource, models: Models) -> Iterator[Job]:
    """Yield every job in the order of their ids: those of the brand, then those of each product.

    Jobs of one product and audience, which share a prompt, come together.
    """
    brand = source.campaign.brand
    first_number = 0
    for is_music, products in ((True, iter((voice_of(brand),))), (False, source.products())):
        for product in products:
            for audience in source.campaign.audiences:
                slots = _slots(source, first_number, is_music=is_music)
                for slot in slots:
                    yield _job(source, models, product, audience, slot, slots)
                first_number += len(slots)


def plan(
    source: CampaignSource,
    models: Models,
    rates: Rates,
    batch_size: int,
    workers: int = 1,
    device: str = "cpu",
    price_per_device_hour: float | None = None,
) -> Plan:
    """Return what a campaign will take; raises ImpossibleWorkError for what a model or the factory cannot do."""
    _check_locales(source, models, rates)
    counts = [(deliverable, _count(source, deliverable)) for deliverable in source.campaign.deliverables]
    total = sum(count for _, count in counts)
    _check_size(source, total)
    by_bucket: Counter[str] = Counter()
    for deliverable, count in counts:
        by_bucket[_bucket(deliverable, models)] += count
    batches = {bucket: ceil(count / batch_size) for bucket, count in by_bucket.items()}
    seconds = _device_seconds(by_bucket, rates, device)
    return Plan(
        campaign_id=source.id,
        models={kind: models[kind] for kind in Kind if any(deliverable.kind == kind for deliverable, _ in counts)},
        device=device,
        workers=workers,
        products=source.product_count,
        jobs=total,
        jobs_by_channel={_title(deliverable): count for deliverable, count in counts},
        batches_by_bucket=batches,
        device_seconds=seconds,
        # A batch is the smallest thing that workers share out.
        wall_seconds=None if seconds is None else seconds / min(workers, sum(batches.values())),
        cost=None if seconds is None or price_per_device_hour is None else seconds / 3600 * price_per_device_hour,
        is_measured=all(rates.is_measured(bucket) for bucket in by_bucket),
        jobs_in_budget=_jobs_in_budget(source, total, seconds),
        over_budget=_over_budget(source, total),
    )


@dataclass(frozen=True)
class _Slot:
    """A job to be planned for one product and audience: its number, and what makes it another one than the others."""

    number: int
    deliverable: Deliverable
    locale: str
    variant: int


def _slots(source: CampaignSource, first_number: int, *, is_music: bool) -> list[_Slot]:
    places = [
        (deliverable, locale, variant)
        for locale in source.campaign.locales
        for deliverable in source.campaign.deliverables
        if locale in source.campaign.locales_of(deliverable) and is_music == isinstance(deliverable, MusicDeliverable)
        for variant in range(deliverable.variants)
    ]
    return [_Slot(number, *place) for number, place in enumerate(places, start=first_number)]


def _job(
    source: CampaignSource, models: Models, product: Product, audience: Audience, slot: _Slot, slots: Sequence[_Slot]
) -> Job:
    campaign, deliverable = source.campaign, slot.deliverable
    styles = _styles(deliverable, models)
    # All of it was checked when the campaign was read; checking it again for each job takes ten times as long.
    brief = Brief.model_construct(
        brand=campaign.brand,
        product=product,
        audience=audience,
        channel=deliverable.channel,
        locale=slot.locale,
        style=styles[slot.variant % len(styles)],
        picture=_picture(deliverable, product),
        creative=_creative(source, deliverable),
        music=order_of(deliverable) if isinstance(deliverable, MusicDeliverable) else None,
    )
    kind = () if deliverable.kind == Kind.COPY else (deliverable.kind,)
    topic = (product.sku, audience.id, slot.locale, *kind, deliverable.channel, str(slot.variant))
    return Job.model_construct(
        id=_id(source, slot),
        campaign_id=source.id,
        kind=deliverable.kind,
        bucket=_bucket(deliverable, models),
        brief=brief,
        variant=slot.variant,
        seed=_seed(str(campaign.seed), *topic),
        inputs=_inputs(source, slot, slots) if isinstance(deliverable, CreativeDeliverable) else (),
        open_styles=styles if _is_open(deliverable) and len(styles) > 1 else (),
    )


def _id(source: CampaignSource, slot: _Slot) -> str:
    return f"{source.id}-{slot.number:06d}"


def _inputs(source: CampaignSource, slot: _Slot, slots: Sequence[_Slot]) -> tuple[Input, ...]:
    """Return the headlines and the pictures that an advertisement may take, its own ones first."""
    creative = slot.deliverable
    assert isinstance(creative, CreativeDeliverable)
    images = [other for other in slots if other.deliverable.kind == Kind.IMAGE]
    channel = creative.image or images[0].deliverable.channel
    images = [other for other in images if other.deliverable.channel == channel]
    headlines = [
        other
        for other in slots
        if (other.deliverable.kind, other.deliverable.channel) == (Kind.COPY, creative.headline)
        and other.locale == slot.locale
    ]
    return tuple(
        Input.model_construct(role=role, job_id=_id(source, other))
        for role, others in {"headline": headlines, "image": images}.items()
        for other in _own_first(others, slot.variant, creative.variants)
    )


def _own_first(parts: Sequence[_Slot], variant: int, variants: int) -> list[_Slot]:
    """Return the part of a variant, and those that take its place when it fails: first what no other variant uses.

    The variants of an advertisement walk through those of its parts.
    """
    own, spare = parts[variant % len(parts)], parts[variants:]
    others = [*_from(spare, variant), *(one for one in _from(parts[:variants], variant) if one is not own)]
    return [own, *others][:MOST_CHOICES]


def _from(parts: Sequence[_Slot], start: int) -> list[_Slot]:
    start = start % len(parts) if parts else 0
    return [*parts[start:], *parts[:start]]


def _picture(deliverable: Deliverable, product: Product) -> PictureOrder | None:
    if not isinstance(deliverable, ImageDeliverable):
        return None
    # Only these two names stand for something; other braces are the author's own.
    prompt = deliverable.prompt.replace("{product}", product.name).replace("{description}", product.description)
    return PictureOrder.model_construct(
        look=deliverable.look,
        prompt=prompt[:MOST_PROMPT_CHARACTERS],
        negative=deliverable.negative,
        steps=deliverable.steps,
        guidance=deliverable.guidance,
    )


def _creative(source: CampaignSource, deliverable: Deliverable) -> CreativeOrder | None:
    if not isinstance(deliverable, CreativeDeliverable):
        return None
    return CreativeOrder.model_construct(
        layout=deliverable.layout or "",
        call_to_action=deliverable.call_to_action,
        logo=source.logo.key if source.logo else "",
    )


def _styles(deliverable: Deliverable, models: Models) -> tuple[Style, ...]:
    """Return the styles that variants walk through; what is no line has none, and says the usual one."""
    if not isinstance(deliverable, CopyDeliverable):
        return (Style.BENEFIT,)
    return styles_of(models[Kind.COPY], deliverable.channel, deliverable.styles)


def _is_open(deliverable: Deliverable) -> bool:
    """Tell whether ratings choose the style of a line when its job is claimed; till then it has one of the walk."""
    return isinstance(deliverable, CopyDeliverable) and deliverable.styles == AUTO


def styles_of(model: str, channel: str, asked: StylesAsked = None) -> tuple[Style, ...]:
    """Return the styles that were asked for, or those that a model writes well enough for a channel, plain first."""
    if asked is not None and asked != AUTO:
        return asked
    styles = known.rates().styles(model)
    if channels()[channel].shape is Shape.LONG:
        return tuple(style for style in styles if style in _LONG_STYLES) or _LONG_STYLES
    return styles


def _bucket(deliverable: Deliverable, models: Models) -> str:
    return str(Bucket(deliverable.kind, models[deliverable.kind], _shape(deliverable)))


def _shape(deliverable: Deliverable) -> str:
    if deliverable.kind == Kind.COPY:
        return channels()[deliverable.channel].shape
    if deliverable.kind == Kind.IMAGE:
        channel = picture_channels()[deliverable.channel]
        return f"{channel.width}x{channel.height}"
    if isinstance(deliverable, MusicDeliverable):
        return shape_of(order_of(deliverable))
    return ANY_SHAPE


def _title(deliverable: Deliverable) -> str:
    """Return how a deliverable is listed: by its channel, and where kinds share channels with its kind."""
    is_told = deliverable.kind in {Kind.IMAGE, Kind.CREATIVE}
    return f"{deliverable.channel} ({deliverable.kind})" if is_told else deliverable.channel


def _seed(*parts: str) -> int:
    """Return 63 bits that follow from what the job is about, not from its place in the campaign."""
    digest = blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _count(source: CampaignSource, deliverable: Deliverable) -> int:
    locales = source.campaign.locales_of(deliverable)
    products = source.campaign.products_of(deliverable, source.product_count)
    return products * len(source.campaign.audiences) * len(locales) * deliverable.variants


def _device_seconds(by_bucket: Counter[str], rates: Rates, device: str) -> float | None:
    """Return the device seconds of all jobs, or nothing when a rate is not known."""
    total = 0.0
    for bucket, count in by_bucket.items():
        seconds = rates.device_seconds(bucket, device)
        if seconds is None:
            return None
        total += count * seconds
    return total


def _jobs_in_budget(source: CampaignSource, total: int, seconds: float | None) -> int:
    """Return how many jobs are done before a limit of the budget stops the campaign."""
    budget = source.campaign.budget
    allowed = total if budget.jobs is None else min(total, budget.jobs)
    if budget.device_seconds is None or not seconds:
        return allowed
    return min(allowed, int(total * budget.device_seconds / seconds))


def budget_problem(source: CampaignSource, total: int) -> Problem | None:
    """Return why so many jobs are more than the budget of a campaign allows, if they are."""
    allowed = source.campaign.budget.jobs
    if allowed is None or total <= allowed:
        return None
    message = f"the campaign makes {total} jobs and may make {allowed}; raise the budget, or ask for fewer variants"
    return problem_at(source.document, ("budget", "jobs"), message)


def _over_budget(source: CampaignSource, total: int) -> str | None:
    problem = budget_problem(source, total)
    return str(problem) if problem else None


def _check_locales(source: CampaignSource, models: Models, rates: Rates) -> None:
    if all(deliverable.kind != Kind.COPY for deliverable in source.campaign.deliverables):
        return
    model = models[Kind.COPY]
    problems = [
        problem_at(
            source.document, ("locales", i), f"the model '{model}' does not write '{locale}'; name another copy model"
        )
        for i, locale in enumerate(source.campaign.locales)
        if not rates.writes(model, locale)
    ]
    if problems:
        raise ImpossibleWorkError.of(*problems)


def _check_size(source: CampaignSource, total: int) -> None:
    if total > MAX_JOBS:
        message = f"the campaign makes {total} jobs; a campaign has at most {MAX_JOBS}: split its products"
        raise ImpossibleWorkError.of(problem_at(source.document, ("deliverables",), message))
