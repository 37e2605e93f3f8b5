"""Commands about single jobs: jobs, show, link, retry, dead-letters."""

from collections.abc import Iterable
from itertools import islice
from textwrap import indent
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import CorruptAssetError, SettingsError, StorageError, UnknownIdError
from producer.cli.doors import actor, celery_app, load_settings, open_storage, opened_ledger
from producer.cli.options import AsJson, CampaignId, JobId
from producer.cli.render import count, duration, emit, moment, note, say, show_table
from schemas.jobs import JobState

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.ledger.jobs import JobStatus
    from core.ledger.ratings import KeptRating
    from core.ledger.styles import Choice
    from core.settings import Settings
    from schemas.assets import Asset, Manifest

commands = typer.Typer()
PANEL = "Jobs and assets"
# A list of ids in one statement: databases take no more than some ten thousand.
IDS_AT_ONCE = 500
# Parts of a recipe that are no facts of one word.
LONG = {"prompt", "words"}
LINK_SECONDS = 3600

Seconds = Annotated[int, typer.Option(min=1, max=604_800, help="How long the link works.")]


@commands.command("jobs", rich_help_panel=PANEL)
def jobs_command(
    campaign: CampaignId,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the jobs of a campaign in the order of its plan."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.jobs.of_campaign(ledger.campaigns.find(campaign), (state,) if state else tuple(JobState))
        part = list(islice(found, limit + 1))
    if as_json:
        for status in part[:limit]:
            emit(**record_of(status))
        return
    columns = ("job", "state", "channel", "product", "audience", "variant", "attempts", "what went wrong")
    show_table(columns, map(_row, part[:limit]), numbers=("variant", "attempts"))
    if len(part) > limit:
        note(f"the first {limit} are shown: --limit shows more")


def _row(status: "JobStatus") -> tuple[object, ...]:
    brief = status.job.brief
    error = f"{status.error_code}: {status.error}" if status.error_code else ""
    return (
        *(status.job.id, status.state, brief.channel, brief.product.sku, brief.audience.id),
        *(status.job.variant + 1, status.attempts, error),
    )


def record_of(status: "JobStatus") -> dict[str, Any]:
    """Return a job as JSON has it."""
    return {
        "job": status.job.id,
        "campaign": status.job.campaign_id,
        "state": status.state,
        "bucket": status.job.bucket,
        "variant": status.job.variant + 1,
        "seed": status.job.seed,
        "brief": status.job.brief,
        "attempts": status.attempts,
        "errors": status.errors,
        "losses": status.losses,
        "worker": status.worker,
        "error_code": status.error_code,
        "error": status.error,
        "device_seconds": round(status.device_seconds, 3),
        "created_at": status.created_at,
        "started_at": status.started_at,
        "finished_at": status.finished_at,
    }


@commands.command("show", rich_help_panel=PANEL)
def show_command(job: JobId, as_json: AsJson = False) -> None:
    """Show all there is about one job: brief, state, text, recipe, checks, failures, link."""
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        status = ledger.jobs.status(job)
        failures = ledger.jobs.failures(job)
        history = list(ledger.campaigns.history(job))
        ratings, replacement = ledger.ratings.of_job(job), ledger.replacements.of(job)
        choice = ledger.styles.of_job(job)
        asset = ledger.assets.of_job(job) if status.state == JobState.DONE else None
    stored = _stored(settings, asset) if asset else None
    if as_json:
        keys = ("at", "attempt", "worker", "code", "message")
        emit(
            **record_of(status),
            asset=asset,
            text=stored.text if stored else None,
            manifest=stored.manifest if stored else None,
            link=stored.link if stored else None,
            problem=stored.problem if stored else None,
            failures=[dict(zip(keys, failure, strict=True)) for failure in failures],
            actions=[dict(zip(("at", "actor", "action", "detail"), action, strict=True)) for action in history],
            ratings=ratings,
            replaced_by=replacement,
            style_choice=choice,
        )
    else:
        _show_job(status)
        if choice:
            say(f"style     {_chosen(choice)}")
        if asset and stored:
            _show_asset(asset, stored)
        for rating in ratings:
            say(f"rated     {moment(rating.rated_at)}  {_opinion(rating)}")
        if replacement:
            say(f"anew      {replacement}")
        for at, attempt, worker, code, message in failures:
            say(f"failed    {moment(at)}  attempt {attempt} on {worker}: {code}: {message}")
        for at, who, action, detail in history:
            say(f"action    {moment(at)}  {action} by {who}  {detail}".rstrip())
    if stored and stored.problem:
        raise typer.Exit(1)


class _Stored:
    """What S3 holds of an asset, or why it cannot be read."""

    def __init__(self, asset: "Asset") -> None:
        self.text = asset.preview
        self.manifest: Manifest | None = None
        self.link: str | None = None
        self.problem: str | None = None


def _stored(settings: "Settings", asset: "Asset") -> _Stored:
    from producer.delivered import Objects, manifest_of, text_of

    stored = _Stored(asset)
    storage = open_storage(settings)
    try:
        stored.link = storage.link(asset.location.key, LINK_SECONDS)
        objects = Objects(storage)
        if asset.content_type.startswith("text/"):
            stored.text = text_of(objects.read(asset.location), asset.job_id)
        stored.manifest = manifest_of(objects.read(asset.manifest), asset)
    except (StorageError, CorruptAssetError, SettingsError) as error:
        # What the ledger knows is an answer too.
        stored.problem = str(error)
        note(f"factory: {error}")
    return stored


def _show_job(status: "JobStatus") -> None:
    brief = status.job.brief
    say(f"{status.job.id}  {status.state}")
    say(f"product   {brief.product.sku} {brief.product.name}")
    say(f"facts     {'; '.join(filter(None, (brief.product.description, brief.product.price, brief.product.offer)))}")
    say(f"audience  {brief.audience.id}: {brief.audience.description}")
    say(f"asks for  {brief.channel}, {brief.locale}, style {brief.style}, variant {status.job.variant + 1}")
    if brief.revision:
        say(f"replaces  {brief.revision.replaces}, rejected: {brief.revision.reasons[-1]}")
    spent = duration(status.device_seconds)
    say(f"attempts  {status.attempts}, {count(status.losses, 'lost worker')}, {spent} of device time")
    if status.error_code:
        say(f"error     {status.error_code}: {status.error}")


def _chosen(choice: "Choice") -> str:
    """Return what spoke for the style of a job when it was chosen."""
    parts = (f"{arm.style} {arm.share:.0%} ({arm.answers:.1f} answers)" for arm in choice.known.arms)
    return f"{choice.style}, chosen {moment(choice.chosen_at)} by shares: {', '.join(parts)}"


def _opinion(rating: "KeptRating") -> str:
    """Return what somebody thinks, in words."""
    answer = {True: "approved", False: f"rejected: {rating.reason}" if rating.reason else "rejected", None: ""}
    stars = count(rating.stars, "star") if rating.stars else ""
    said = ", ".join(filter(None, (stars, answer[rating.approves], rating.comment))) or "withdrawn"
    return f"{said} (by {rating.rater}{'' if rating.is_current else ', former'})"


def _show_asset(asset: "Asset", stored: _Stored) -> None:
    say(f"text      {stored.text}")
    say(f"made by   {asset.model}")
    if stored.manifest:
        recipe = {"seed": stored.manifest.job.seed} | stored.manifest.recipe
        say(f"recipe    {', '.join(f'{key} {_short(recipe[key])}' for key in recipe if key not in LONG)}")
        checks = (f"{check.name} {'ok' if check.passed else check.detail}" for check in stored.manifest.checks)
        say(f"checks    {', '.join(checks)}")
    say(f"stored    {_range(asset)}")
    say(f"sha256    {asset.location.sha256}")
    for companion in stored.manifest.companions if stored.manifest else ():
        say(f"beside    {companion.location.key}, {companion.location.length_bytes} bytes")
    if stored.link:
        say(f"link      {stored.link}")
    prompt = stored.manifest.recipe.get("prompt") if stored.manifest else None
    if isinstance(prompt, str):
        say("prompt")
        say(indent(prompt.strip(), "    "))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _range(asset: "Asset") -> str:
    location = asset.location
    return f"{location.key}, {location.length_bytes} bytes from {location.offset_bytes}"


@commands.command("link", rich_help_panel=PANEL)
def link_command(job: JobId, seconds: Seconds = LINK_SECONDS, as_json: AsJson = False) -> None:
    """Give a link to the object that holds a job's asset, for anybody, until it ends."""
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        ledger.jobs.status(job)
        asset = ledger.assets.of_job(job)
    link = open_storage(settings).link(asset.location.key, seconds)
    first, last = asset.location.offset_bytes, asset.location.offset_bytes + asset.location.length_bytes - 1
    if as_json:
        emit(job=job, link=link, seconds=seconds, first_byte=first, last_byte=last)
    else:
        say(link)
        note(
            f"works for {duration(seconds)}; the job's line is bytes {first}-{last} of it: curl -r {first}-{last} LINK"
        )


@commands.command("retry", rich_help_panel=PANEL)
def retry_command(
    campaign: CampaignId,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="JOB", help="Dead letters of it.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All dead letters of the campaign.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let dead letters wait again, with all their attempts."""
    if bool(jobs) == failed:
        raise typer.BadParameter("name jobs, or give --failed for all dead letters of the campaign")
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.find(campaign)
        for job in jobs or ():
            if ledger.jobs.status(job).job.campaign_id != found:
                raise UnknownIdError(f"job {job} is none of campaign {found}")
        wanted = jobs or (status.job.id for status in ledger.jobs.of_campaign(found, (JobState.FAILED,)))
        retried = _retry(ledger, settings, wanted)
    if as_json:
        emit(campaign=found, retried=retried)
    else:
        say(f"{found}: {count(retried, 'job')} wait again" if retried != 1 else f"{found}: 1 job waits again")
    if jobs and retried != len(set(jobs)):
        note(f"{len(set(jobs)) - retried} of them had not failed and stay as they are")
        raise typer.Exit(1)


def _retry(ledger: "Ledger", settings: "Settings", job_ids: Iterable[str]) -> int:
    from producer.submit import ring_for

    retried, left = 0, iter(dict.fromkeys(job_ids))
    while part := list(islice(left, IDS_AT_ONCE)):
        retried += ledger.jobs.retry(part, actor())
    if retried and not ring_for(celery_app(settings), retried, settings.batch_size):
        note("the broker does not answer: the jobs start when it is back")
    return retried


@commands.command("dead-letters", rich_help_panel=PANEL)
def dead_letters_command(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ID|KEY=VALUE", help="A campaign; with --edit: new values.")
    ] = None,
    edit: Annotated[str | None, typer.Option("--edit", metavar="JOB", help="Give this job another brief.")] = None,
    retry: Annotated[bool, typer.Option("--retry", help="After --edit: let it wait again.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs that failed and say why; mend a brief with --edit JOB product.description="..." --retry."""
    assignments = [argument for argument in arguments or () if "=" in argument]
    names = [argument for argument in arguments or () if "=" not in argument]
    if len(names) > 1 or bool(edit) != bool(assignments) or (retry and not edit):
        raise typer.BadParameter("give one campaign at most; KEY=VALUE and --retry belong to --edit JOB")
    settings = load_settings()
    with opened_ledger(settings) as ledger:
        if edit:
            _edit(ledger, settings, edit, assignments, retry=retry, as_json=as_json)
            return
        found = ledger.jobs.dead_letters(ledger.campaigns.find(names[0]) if names else None)
    if as_json:
        for status in found:
            emit(**record_of(status))
        return
    rows = [(s.job.id, s.job.brief.channel, s.job.brief.product.sku, s.error_code, s.error) for s in found]
    if rows:
        show_table(("job", "channel", "product", "code", "what went wrong"), rows)
    else:
        note("no dead letters")


def _edit(
    ledger: "Ledger", settings: "Settings", job: str, assignments: list[str], *, retry: bool, as_json: bool
) -> None:
    from producer.edit import edited
    from schemas.rates import rates

    old = ledger.jobs.status(job).job
    brief = edited(old, assignments, rates())
    ledger.jobs.edit(job, brief, actor())
    retried = bool(retry and _retry(ledger, settings, [job]))
    if as_json:
        emit(job=job, edited=True, retried=retried, brief=brief)
    else:
        say(f"{job}: edited{', waits again' if retried else f'; `factory retry {old.campaign_id} {job}` tries it'}")
