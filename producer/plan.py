"""From a campaign to jobs, and what they will take: pure functions, no clock, no network."""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from math import ceil

from core.errors import ImpossibleWorkError, Problem
from producer.campaigns import CampaignSource
from producer.documents import Loc
from producer.problems import field_of
from schemas import rates as known
from schemas.campaigns import Audience, CopyDeliverable, Kind, Product
from schemas.channels import ChannelSpec, Shape, channels
from schemas.frozen import Frozen
from schemas.jobs import Brief, Job, Style
from schemas.rates import Rates

# The number in a job's id has six digits.
MAX_JOBS = 1_000_000
# A question or a call to action does not carry several sentences.
# Long texts were taught in two styles.
_LONG_STYLES = (Style.BENEFIT, Style.MOMENT)


class Plan(Frozen):
    """What a campaign will make and take. Seconds and money are missing where the model's speed is not known."""

    campaign_id: str
    model: str
    device: str
    workers: int
    products: int
    jobs: int
    jobs_by_channel: dict[str, int]
    batches_by_bucket: dict[str, int]
    device_seconds: float | None
    wall_seconds: float | None
    cost: float | None
    # False where a number is an estimate that nobody measured.
    is_measured: bool
    # How many jobs the budget pays for: all of them, or where it will stop.
    jobs_in_budget: int
    # Why the campaign must not be submitted as it stands, if so.
    over_budget: str | None


def jobs(source: CampaignSource, model: str) -> Iterator[Job]:
    """Yield every job in the order of their ids; those of one product and audience, which share a prompt, together."""
    index = 0
    for product in source.products():
        for audience in source.campaign.audiences:
            for locale in source.campaign.locales:
                for deliverable in source.campaign.deliverables:
                    for job in _variants(source, model, product, audience, locale, deliverable, index):
                        yield job
                        index += 1


def plan(
    source: CampaignSource,
    model: str,
    rates: Rates,
    batch_size: int,
    workers: int = 1,
    device: str = "cpu",
    price_per_device_hour: float | None = None,
) -> Plan:
    """Return what a campaign will take; raises ImpossibleWorkError for what the model or the factory cannot do."""
    _check_locales(source, model, rates)
    by_channel = _jobs_by_channel(source)
    total = sum(by_channel.values())
    _check_size(source, total)
    by_bucket = _by_bucket(by_channel, model)
    batches = {bucket: ceil(count / batch_size) for bucket, count in by_bucket.items()}
    seconds = _device_seconds(by_bucket, rates, device)
    return Plan(
        campaign_id=source.id,
        model=model,
        device=device,
        workers=workers,
        products=source.product_count,
        jobs=total,
        jobs_by_channel=by_channel,
        batches_by_bucket=batches,
        device_seconds=seconds,
        # A batch is the smallest thing that workers share out.
        wall_seconds=None if seconds is None else seconds / min(workers, sum(batches.values())),
        cost=None if seconds is None or price_per_device_hour is None else seconds / 3600 * price_per_device_hour,
        is_measured=all(rates.is_measured(bucket, device) for bucket in by_bucket),
        jobs_in_budget=_jobs_in_budget(source, total, seconds),
        over_budget=_over_budget(source, total),
    )


def _variants(
    source: CampaignSource,
    model: str,
    product: Product,
    audience: Audience,
    locale: str,
    deliverable: CopyDeliverable,
    first_index: int,
) -> Iterator[Job]:
    """Yield the jobs of one deliverable for one product, audience and locale."""
    campaign = source.campaign
    spec = channels()[deliverable.channel]
    styles = _styles(spec, model)
    for variant in range(deliverable.variants):
        # All of it was checked when the campaign was read; checking it again for each job takes ten times as long.
        brief = Brief.model_construct(
            brand=campaign.brand,
            product=product,
            audience=audience,
            channel=deliverable.channel,
            locale=locale,
            style=styles[variant % len(styles)],
        )
        yield Job.model_construct(
            id=f"{source.id}-{first_index + variant:06d}",
            campaign_id=source.id,
            kind=deliverable.kind,
            bucket=_bucket(spec, model),
            brief=brief,
            variant=variant,
            seed=_seed(str(campaign.seed), product.sku, audience.id, locale, deliverable.channel, str(variant)),
        )


def _styles(spec: ChannelSpec, model: str) -> tuple[Style, ...]:
    styles = known.rates().styles(model)
    if spec.shape is Shape.LONG:
        return tuple(style for style in styles if style in _LONG_STYLES) or _LONG_STYLES
    return styles


def _bucket(spec: ChannelSpec, model: str) -> str:
    return f"{Kind.COPY}/{model}/{spec.shape}"


def _seed(*parts: str) -> int:
    """Return 63 bits that follow from what the job is about, not from its place in the campaign."""
    digest = blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _jobs_by_channel(source: CampaignSource) -> dict[str, int]:
    briefs = source.product_count * len(source.campaign.audiences) * len(source.campaign.locales)
    return {item.channel: briefs * item.variants for item in source.campaign.deliverables}


def _by_bucket(by_channel: dict[str, int], model: str) -> Counter[str]:
    by_bucket: Counter[str] = Counter()
    for channel, count in by_channel.items():
        by_bucket[_bucket(channels()[channel], model)] += count
    return by_bucket


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


def _over_budget(source: CampaignSource, total: int) -> str | None:
    allowed = source.campaign.budget.jobs
    if allowed is None or total <= allowed:
        return None
    way_out = "raise the budget, or ask for fewer variants"
    return str(
        _problem(source, ("budget", "jobs"), f"the campaign makes {total} jobs and may make {allowed}; {way_out}")
    )


def _check_locales(source: CampaignSource, model: str, rates: Rates) -> None:
    problems = [
        _problem(source, ("locales", i), f"the model '{model}' does not write '{locale}'; name another copy model")
        for i, locale in enumerate(source.campaign.locales)
        if not rates.writes(model, locale)
    ]
    if problems:
        raise ImpossibleWorkError("\n".join(map(str, problems)))


def _check_size(source: CampaignSource, total: int) -> None:
    if total > MAX_JOBS:
        message = f"the campaign makes {total} jobs; a campaign has at most {MAX_JOBS}: split its products"
        raise ImpossibleWorkError(str(_problem(source, ("deliverables",), message)))


def _problem(source: CampaignSource, loc: Loc, message: str) -> Problem:
    return Problem(source.document.file, *source.document.place(loc), field_of(loc), message)
