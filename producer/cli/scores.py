"""How scores look: a table by kind, channel, audience and style, the reasons, and single assets."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from producer.cli.render import emit, say, show_table

if TYPE_CHECKING:
    from core.estimates import Estimate
    from core.ledger.scores import AssetScore, GroupScore, Score

COLUMNS = ("assets", "ratings", "stars", "approved", "rejected", "approval", "compared", "clicks")


def show_scores(groups: "Sequence[GroupScore]", reasons: Mapping[str, int], assets: "Sequence[AssetScore]") -> None:
    """Show them to a person."""
    rows = [(one.kind, "all" if one.by == "kind" else f"{one.by} {one.name}", *_cells(one.score)) for one in groups]
    show_table(("kind", "of", *COLUMNS), rows, numbers=COLUMNS)
    if reasons:
        say("")
        show_table(("rejected for", "times"), list(reasons.items()), numbers=("times",))
    if assets:
        say("")
        listed = [(one.job_id, one.channel, one.standing, *_cells(one.score)[1:], one.preview) for one in assets]
        show_table(("job", "channel", "standing", *COLUMNS[1:], "asset"), listed, numbers=COLUMNS)
    say("")
    say("95 % of true values lie between the two numbers in brackets; few ratings are drawn towards the mean of all.")


def emit_scores(groups: "Sequence[GroupScore]", reasons: Mapping[str, int], assets: "Sequence[AssetScore]") -> None:
    """Write them for a program, an object a line."""
    for group in groups:
        emit(by=group.by, kind=group.kind, name=group.name, **_record(group.score))
    for reason, times in reasons.items():
        emit(by="reason", name=reason, times=times)
    for one in assets:
        known = {"job": one.job_id, "kind": one.kind, "channel": one.channel, "standing": one.standing}
        emit(by="asset", **known, preview=one.preview, **_record(one.score))


def _record(score: "Score") -> dict[str, object]:
    estimates = {"stars": score.stars, "approval": score.approval, "click_rate": score.click_rate}
    return {"counts": dict(score.counts), **estimates}


def _cells(score: "Score") -> tuple[object, ...]:
    counts = score.counts
    compared = [counts[name] for name in ("wins", "ties", "losses")]
    return (
        counts.get("assets", 1),
        counts["ratings"],
        _stars(score.stars),
        counts["approvals"],
        counts["rejections"],
        _percent(score.approval, 0),
        "-".join(map(str, compared)) if any(compared) else "",
        _percent(score.click_rate, 2),
    )


def _stars(found: "Estimate | None") -> str:
    return f"{found.value:.2f} ({found.low:.1f}-{found.high:.1f})" if found else ""


def _percent(found: "Estimate | None", digits: int) -> str:
    if found is None:
        return ""
    value, low, high = (f"{share * 100:.{digits}f}" for share in (found.value, found.low, found.high))
    return f"{value} % ({low}-{high})"
