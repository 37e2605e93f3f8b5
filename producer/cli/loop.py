"""The command `factory demo-loop`: the whole loop from ratings to a better version and back, shown as one story."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import StateError
from producer.cli.doors import actor, celery_app, has_ledger, load_settings, open_storage, opened_ledger, traced
from producer.cli.learning import follow_training, show_verdict
from producer.cli.render import count, duration, note, say, show_table
from producer.cli.showing import made
from producer.cli.stack import PANEL
from producer.cli.versions import show_history
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.ledger.promotions import Serving
    from core.ledger.trainings import Training
    from core.settings import Settings
    from producer.campaigns import CampaignSource
    from producer.loop.people import Length, LengthTaste
    from producer.loop.steps import Compared, Line, Rated

# A half of the jobs, so that few ratings decide; and a look at it every few seconds, so that nobody waits for it.
CANARY_SHARE, CANARY_SECONDS = 0.5, 10.0
# Housekeeping of a stack that ran before looks once a minute.
DECISION_SECONDS = 90.0
POLL_SECONDS = 0.5
RATERS_OF_A_LINE = 3
SHOWN_PAIRS = 10
# Where ratings leave it open, a person would not promote what is rather worse.
EVEN = 0.5
WHY_BACK = "demo-loop: shows the way back"

commands = typer.Typer()


@commands.command("demo-loop", rich_help_panel=PANEL)
def demo_loop_command(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A campaign of copy to learn from; the example without it.")
    ] = None,
    taste: Annotated[str, typer.Option(help="What the simulated people like: long lines or short ones.")] = "short",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the factory running at the end.")] = False,
) -> None:
    """Let a model learn from simulated people, and show each step: ratings, training, gate, canary, way back.

    Exit code 1 says that it did not come to a better version, and why: too few ratings, the gate, or the canary.
    """
    from deploy import stack
    from deploy.supervision import State
    from producer.loop.people import Length

    if taste not in set(Length):
        raise typer.BadParameter(f"'{taste}' is not one of {', '.join(Length)}", param_hint="--taste")
    loaded = load_settings()
    was_up = any(process.state == State.RUNNING for process in stack.status(loaded))
    _require_fit(loaded, was_up=was_up, keep=keep)
    # Simulated people are nobody's referees; and what a model learnt shows in what it writes itself.
    changed = {
        "canary_share": CANARY_SHARE,
        "canary_seconds": CANARY_SECONDS,
        "referees": None,
        "copy_own_words": "off",
    }
    settings = loaded.model_copy(update=changed)
    started = stack.up(settings, say)
    try:
        with traced(started.settings, "command"), opened_ledger(started.settings, may_create=True) as ledger:
            Story(started.settings, ledger, file, Length(taste)).tell()
    finally:
        if keep or was_up:
            note("the factory keeps running: `factory down` stops it")
        else:
            stack.down(settings, say)


def _require_fit(settings: "Settings", *, was_up: bool, keep: bool) -> None:
    """Raise StateError where the demo would do harm, before anything is started."""
    from producer.loop.steps import require_nobody_else

    if settings.referees and was_up:
        raise StateError(
            "FACTORY_REFEREES is set, and the factory that runs here would hear none of the simulated people: "
            "`factory down` first"
        )
    if settings.referees and keep:
        raise StateError(
            "FACTORY_REFEREES is set, and simulated people are no referees: the factory that --keep leaves running "
            "would let everybody judge. Leave out --keep; `factory up` starts it with its referees afterwards"
        )
    if has_ledger(settings):
        with opened_ledger(settings) as ledger:
            require_nobody_else(ledger)


class Story:
    """One walk through the loop."""

    def __init__(self, settings: "Settings", ledger: "Ledger", file: Path | None, wanted: "Length") -> None:
        from producer.loop.files import Files
        from producer.submit import models_of

        self._settings, self._ledger, self._wanted = settings, ledger, wanted
        self._files = Files.of(file, ledger, settings.home / "demo-loop")
        self._model = models_of(settings)[Kind.COPY]
        if challenger := ledger.promotions.serving(Kind.COPY, self._model).challenger:
            raise StateError(f"{challenger} is being tried: `factory models canary --stop {self._model}` first")
        self._seconds: dict[str, float] = {}
        self._campaigns: list[str] = []
        self._found: dict[str, str] = {}

    def tell(self) -> None:
        """Walk, prove that all is sound, and add up; raises StateError when it came to no better version."""
        say("")
        say(f"PEOPLE ARE SIMULATED here: three raters share a taste for lines that are {self._wanted} for their")
        say("channel, and slip once in ten. Nobody tells the model: it hears yes and no. All else is as in real work.")
        why_not = self._walk()
        self._prove()
        self._add_up()
        if why_not:
            raise StateError(why_not)

    def _walk(self) -> str:
        """Return why there is no better version; empty when there is one."""
        first, taste = self._first()
        training = self._learn()
        version = training.version
        if version is None or not version.verdict.is_passed:
            return f"nothing was promoted: the training was {training.state}: {training.message}"
        from producer.loop.steps import held_out_of

        held_out = held_out_of(open_storage(self._settings), training)
        self._try(version.id, held_out, taste)
        if not self._decide(version.id):
            return (
                f"nothing was promoted: the canary of {version.id} was stopped, since its lines were rather liked less"
            )
        self._compare(first, held_out, taste)
        self._go_back()
        return ""

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        say("")
        say(f"== {len(self._seconds) + 1}. {name}")
        began = time.monotonic()
        yield
        self._seconds[name] = time.monotonic() - began

    def _first(self) -> "tuple[list[Line], LengthTaste]":
        from producer.loop.people import LengthTaste

        with self._step("make a campaign"):
            lines = self._made(self._files.first())
        taste = LengthTaste.of(self._wanted, ((line.brief.channel, line.text) for line in lines))
        with self._step("rate it"):
            rated = self._rate(lines, taste)
        self._found["ratings to learn from"] = str(rated.ratings)
        self._found["lines that the taste likes, before"] = _share(rated.liked, rated.lines)
        return lines, taste

    def _learn(self) -> "Training":
        with self._step("train, and ask the gate"):
            training = follow_training(self._settings, self._ledger, Kind.COPY, self._model)
            say(f"{training.state}: {training.message}")
            if training.version:
                show_verdict(training.version)
                verdict = training.version.verdict
                self._found["held-out pairs ordered as people do, before"] = f"{verdict.champion_agrees:.0%}"
                self._found["held-out pairs ordered as people do, after"] = f"{verdict.challenger_agrees:.0%}"
                if verdict.strength != 1:
                    self._found["strength at which the gate let it through"] = f"{verdict.strength:g}"
        return training

    def _try(self, version: str, held_out: set[str], taste: "LengthTaste") -> None:
        from core.ledger.promotions import Order

        promotions = self._ledger.promotions
        with self._step("try the version on half of a second campaign"):
            seen = promotions.serving(Kind.COPY, self._model)
            if seen.challenger != version:
                promotions.start_canary(version, CANARY_SHARE, seen, Order(actor(), "demo-loop: passed its gate"))
            lines = self._made(self._files.trial(held_out))
            rated = self._rate(lines, taste)
        self._found["ratings of the canary"] = str(rated.ratings)

    def _decide(self, version: str) -> bool:
        """Return whether the version is champion now: by its ratings, or by hand where they do not say."""
        promotions = self._ledger.promotions
        with self._step("let the ratings decide"):
            seen = promotions.serving(Kind.COPY, self._model)
            # Housekeeping may have been faster.
            if seen.challenger == version:
                self._judge(version, seen)
            is_champion = promotions.serving(Kind.COPY, self._model).champion == version
            say(f"{version} {'serves all jobs' if is_champion else 'was stopped'}")
        return is_champion

    def _judge(self, version: str, seen: "Serving") -> None:
        """Wait for housekeeping where the ratings decide; else do what a person would who sees the same figures."""
        from core.canary import Outcome, Rules, judge
        from core.ledger.promotions import Order

        settings, promotions = self._settings, self._ledger.promotions
        rules = Rules(settings.canary_least_ratings, settings.canary_sureness, float("inf"))
        judgement = judge(*self._ledger.canaries.answers(seen), 0.0, rules)
        say(judgement.why)
        if judgement.outcome != Outcome.GO_ON:
            self._wait_for_decision(version)
            return
        chance = judgement.chance
        known = "too few to say" if chance is None else f"it is better with a probability of {chance:.2f}"
        if chance is not None and chance < EVEN:
            promotions.stop_canary(seen, Order(actor(), f"demo-loop: {known}"))
            say(f"not decided: stopped by hand, {known}")
        else:
            promotions.promote(version, seen, Order(actor(), f"demo-loop: passed its gate; {known}"))
            say(f"not decided: promoted by hand, as a person may; {known}")

    def _wait_for_decision(self, version: str) -> None:
        pause, ends_at = threading.Event(), time.monotonic() + DECISION_SECONDS
        while self._ledger.promotions.serving(Kind.COPY, self._model).challenger == version:
            if time.monotonic() > ends_at:
                raise StateError("nobody judges the canary: `factory status` says whether housekeeping runs")
            pause.wait(POLL_SECONDS)

    def _compare(self, first: "list[Line]", held_out: set[str], taste: "LengthTaste") -> None:
        from producer.loop.steps import compare, win_rate

        with self._step("write lines of products that were not learnt from once more"):
            found = compare(first, self._made(self._files.again(held_out)), taste)
            show_pairs(found)
        self._found["lines that the taste prefers, new against old"] = f"{win_rate(found):.0%} of {len(found)}"

    def _go_back(self) -> None:
        from core.ledger.promotions import Order

        promotions = self._ledger.promotions
        with self._step("go back, as anybody can"):
            promotions.rollback(promotions.serving(Kind.COPY, self._model), Order(actor(), WHY_BACK))
            show_history([(Kind.COPY, self._model, one) for one in promotions.history(Kind.COPY, self._model)[::-1]])

    def _made(self, source: "CampaignSource") -> "list[Line]":
        from producer.loop.steps import lines_of
        from producer.submit import submit

        submitted = submit(source, self._settings, self._ledger, celery_app(self._settings))
        self._campaigns.append(submitted.id)
        say(f"{submitted.id}: {count(submitted.jobs, 'job')} of {count(source.product_count, 'product')}")
        made(self._ledger, submitted.id)
        lines = lines_of(self._ledger, submitted.id)
        by_version = Counter(line.model for line in lines)
        say(", ".join(f"{count(number, 'line')} by {model}" for model, number in sorted(by_version.items())))
        return lines

    def _rate(self, lines: "list[Line]", taste: "LengthTaste") -> "Rated":
        from producer.loop.steps import rate

        rated = rate(self._ledger, celery_app(self._settings), lines, taste, RATERS_OF_A_LINE)
        say(f"{count(rated.ratings, 'rating')} by simulated people, {RATERS_OF_A_LINE} a line, recorded")
        return rated

    def _prove(self) -> None:
        from producer.verify import verify

        with self._step("check every byte"):
            for campaign in self._campaigns:
                verdict = verify(self._ledger, open_storage(self._settings), campaign)
                say(f"{campaign}: {count(verdict.assets, 'asset')}, {'sound' if verdict.is_sound else 'NOT SOUND'}")
                if not verdict.is_sound:
                    raise StateError(f"the ledger and S3 disagree: `factory verify {campaign}` says where")

    def _add_up(self) -> None:
        say("")
        show_table(("step", "took"), [(name, duration(seconds)) for name, seconds in self._seconds.items()], ("took",))
        say("")
        rows = [*self._found.items(), ("all steps together", duration(sum(self._seconds.values())))]
        show_table(("found", "figure"), rows, ("figure",))
        say("people were simulated: figures of real ones will differ")


def show_pairs(found: "list[Compared]") -> None:
    """Show old lines beside new ones of the same briefs, those of several products first."""
    from producer.loop.steps import win_rate

    chosen = sorted(found, key=lambda one: (one.new.variant, one.new.brief.channel))[:SHOWN_PAIRS]
    rows = [
        (
            *(one.new.brief.product.name, one.new.brief.channel, one.old.text, one.new.text),
            {1.0: "new", 0.0: "old"}.get(one.win, "neither"),
        )
        for one in chosen
    ]
    show_table(("product", "channel", "before", "after", "the taste prefers"), rows)
    rate = f"{win_rate(found):.0%}"
    say(f"{count(len(found), 'pair')} of the same brief and seed; the taste prefers the new line in {rate}")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%} of {whole}"
