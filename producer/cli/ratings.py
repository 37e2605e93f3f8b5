"""Commands about what people think of assets: rate, regenerate, and ratings import, export, show and others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import Problem
from producer.cli.doors import actor, celery_app, load_settings, opened_ledger, traced
from producer.cli.options import AsJson, CampaignId, JobId
from producer.cli.render import count, emit, moment, note, say, show_table
from producer.cli.scores import emit_scores, show_scores
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from producer.ratings_export import RatingsFormat
    from schemas.ratings import Comparison, Rating

commands = typer.Typer()
files = typer.Typer(
    no_args_is_help=True, help="Take ratings in and out, and see what they add up to: import, export, show and others."
)
PANEL = "Ratings"
SHOWN_REFUSALS = 20

Tenant = Annotated[str, typer.Option(help="Whose assets they are about.")]
RaterName = Annotated[str | None, typer.Option("--rater", metavar="NAME", help="Who rates; you, if not given.")]


@commands.command("rate", rich_help_panel=PANEL)
def rate_command(  # noqa: PLR0913, PLR0917 - each thing that can be said is an option
    job: JobId,
    stars: Annotated[int | None, typer.Option(min=1, max=5, help="1 is bad, 5 is excellent.")] = None,
    approve: Annotated[bool | None, typer.Option("--approve/--disapprove", help="Accept it, or do not.")] = None,
    reject: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do not accept it, and say why: see `factory ratings reasons`.")
    ] = None,
    better_than: Annotated[
        str | None, typer.Option("--better-than", metavar="OTHER", help="It is better than the asset of this job.")
    ] = None,
    as_good_as: Annotated[
        str | None, typer.Option("--as-good-as", metavar="OTHER", help="Neither of the two is better.")
    ] = None,
    comment: Annotated[str, typer.Option(help="In your own words.")] = "",
    rater: RaterName = None,
    as_json: AsJson = False,
) -> None:
    """Say what you think of an asset. A later rating of yours takes the place of the former one."""
    from producer.rate import send

    content = _opinion(job, stars, approve, reject, better_than, as_good_as, comment)
    settings = load_settings()
    with traced(settings, "command"), opened_ledger(settings) as ledger:
        ledger.jobs.status(job)
        sent = send(ledger, celery_app(settings), content, rater or actor())
    if as_json:
        emit(job=job, message=sent.id, sent=sent.is_sent, recorded=sent.is_recorded)
    else:
        say(f"{job}: {'rated' if sent.is_recorded else 'sent' if sent.is_sent else 'kept'}")
    if not sent.is_sent:
        note("the broker does not answer: the rating is safe in the ledger and is recorded when it is back")
    elif not sent.is_recorded:
        note("not recorded yet: a feedback worker does it, `factory status` says whether one runs")


def _opinion(
    job: str,
    stars: int | None,
    approve: bool | None,
    reject: str | None,
    better_than: str | None,
    as_good_as: str | None,
    comment: str,
) -> "Rating | Comparison":
    """Return what the options say, if they say one thing."""
    from producer.rate import comparison_of, rating_of

    other = better_than or as_good_as
    says = stars is not None or approve is not None or reject is not None
    if bool(other) == says or (better_than and as_good_as) or (reject is not None and approve):
        raise typer.BadParameter(
            "give --stars, --approve, --disapprove or --reject, or compare with --better-than or --as-good-as"
        )
    if other:
        return comparison_of(job, other_job_id=other, outcome="better" if better_than else "tie", comment=comment)
    approves = False if reject is not None else approve
    return rating_of(job, stars=stars, approves=approves, reason=reject, comment=comment)


@commands.command("regenerate", rich_help_panel=PANEL)
def regenerate_command(
    job: JobId,
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="Reject it for this first: see `factory ratings reasons`.")
    ] = None,
    rater: RaterName = None,
    as_json: AsJson = False,
) -> None:
    """Make a rejected asset anew, as another job; it and what is nearly like it do not come again."""
    from producer.regenerate import regenerate
    from producer.submit import ring_for

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        made = regenerate(ledger, job, reason, rater or actor())
    if made.is_new and not ring_for(celery_app(settings), 1, settings.batch_size):
        note("the broker does not answer: the job starts when it is back")
    if as_json:
        emit(**vars(made))
        return
    styled = f", style {made.style}" if made.style else ""
    verb = "makes it anew" if made.is_new else f"was asked for before and is {made.state}"
    say(f"{made.replaces}: {made.job_id} {verb}{styled}; reason: {made.reason}")
    if made.made_of_old:
        note(f"made of the old one, and left as they are: {', '.join(made.made_of_old)}")


@files.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file of ratings or of results.")],
    rater: RaterName = None,
    source: Annotated[str, typer.Option(help="Where results are from, where the file does not say.")] = "import",
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Take ratings or results (impressions, clicks, conversions) out of a CSV file. The same file twice counts once.

    A line that is wrong is named, and the others are taken; exit code 1 says that there was one.
    """
    import time

    from producer.ratings_import import Origin, import_file

    def tell(problem: Problem) -> None:
        if as_json:
            from producer.cli.render import as_json as json_of

            note(json_of({"error": str(problem), "problems": [vars(problem)]}))
        else:
            note(str(problem))

    with opened_ledger(load_settings()) as ledger:
        imported = import_file(file, ledger, Origin(tenant, rater or actor(), source, time.time()), tell)
    if as_json:
        emit(file=file, **vars(imported))
    else:
        things = "result" if imported.has_results else "rating"
        known = f", {imported.known} were known" if imported.known else ""
        say(f"{file}: {count(imported.recorded, things)} recorded{known}")
        if imported.ignored_columns:
            note(f"not looked at: the columns {', '.join(imported.ignored_columns)}")
    if imported.wrong:
        if not as_json:
            note(f"{count(imported.wrong, 'line')} left out, see above")
        raise typer.Exit(1)


@files.command("export")
def export_command(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to; its ending is the format.")],
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="Of this campaign only.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="csv or jsonl, if the ending does not say.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Former ratings, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a former export.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the ratings that count to a file; `ratings import` reads it again."""
    from producer.ratings_export import export_ratings, format_of

    chosen = _format(form) if form else format_of(to)
    with opened_ledger(load_settings()) as ledger:
        found = ledger.campaigns.find(campaign) if campaign else None
        exported = export_ratings(ledger, to, chosen, found, with_history=history, force=force)
    if as_json:
        emit(**vars(exported))
    else:
        say(f"{exported.path}: {count(exported.ratings, 'rating')} as {exported.format}")


def _format(name: str) -> "RatingsFormat":
    from producer.ratings_export import RatingsFormat

    if name not in set(RatingsFormat):
        raise typer.BadParameter(f"'{name}' is not one of {', '.join(RatingsFormat)}", param_hint="--format")
    return RatingsFormat(name)


@files.command("show")
def show_command(
    campaign: CampaignId,
    assets: Annotated[int, typer.Option(min=0, max=1000, help="List so many assets of each kind.")] = 0,
    worst: Annotated[bool, typer.Option("--worst", help="With --assets: the worst first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what the ratings of a campaign add up to, by kind, channel, audience and style, and how sure that is."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.campaigns.find(campaign)
        groups, reasons = ledger.scores.groups(found), ledger.scores.reasons(found)
        listed = ledger.scores.of_assets(found, assets, worst=worst) if assets else []
    if as_json:
        emit_scores(groups, reasons, listed)
    elif groups:
        show_scores(groups, reasons, listed)
    else:
        note(f"nobody has rated anything of {found} yet: `factory rate JOB --stars 4`")


@files.command("report")
def report_command(
    campaigns: Annotated[
        list[str] | None, typer.Argument(metavar="[CAMPAIGN...]", help="Of these campaigns; of all, if none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show whether any audience, locale, channel or product group is accepted or fails more or less than the rest."""
    from producer.cli.bias import emit_report, show_report

    with opened_ledger(load_settings()) as ledger:
        found = ledger.bias.report([ledger.campaigns.find(one) for one in campaigns or ()])
    if as_json:
        emit_report(found)
    elif found:
        show_report(found)
    else:
        note("no job has ended yet: `factory watch ID` shows how a campaign goes")


@files.command("reasons")
def reasons_command(
    kind: Annotated[Kind | None, typer.Argument(help="Only those for this kind.")] = None, as_json: AsJson = False
) -> None:
    """List what an asset can be rejected for."""
    from schemas.reasons import reasons, reasons_for

    found = (reasons_for(kind) if kind else reasons()).values()
    if as_json:
        for one in found:
            emit(reason=one.id, title=one.title, kinds=one.kinds)
    else:
        show_table(("reason", "kinds", "what it says"), [(one.id, ", ".join(one.kinds), one.title) for one in found])


@files.command("refused")
def refused_command(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = SHOWN_REFUSALS, as_json: AsJson = False
) -> None:
    """List feedback that could not be recorded, with the reason, the newest first."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.intake.refusals(limit)
    if as_json:
        for one in found:
            emit(**vars(one))
    elif found:
        show_table(("at", "reason", "message"), [(moment(one.at), one.reason, one.message) for one in found])
    else:
        note("nothing was refused")


@files.command("forget")
def forget_command(
    rater: Annotated[str, typer.Argument(metavar="NAME", help="The person, as ratings name them.")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Delete all that a person said: ratings, comparisons and comments. It cannot be undone."""
    with opened_ledger(load_settings()) as ledger:
        deleted = ledger.intake.forget(tenant, rater, actor())
    if as_json:
        emit(deleted=deleted)
    else:
        say(f"{count(deleted, 'rating')} deleted")
