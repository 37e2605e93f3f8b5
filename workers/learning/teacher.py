"""One training from its claim to its end: snapshot, tuning, gate, registration. Each step can be done again.

Killed at any point, the next one finds the snapshot and the verdict in the ledger and the weights in their checkpoint,
and comes to the same end.
"""

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of_package
from pathlib import Path

from core.errors import OutdatedError, PermanentError, TransientError
from core.ledger import Ledger
from core.ledger.opinions import Person
from core.ledger.trainings import MOST_ATTEMPTS, Training
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.learning import Curriculum, Needs, Recipe, TrainingState
from schemas.versions import NewVersion, Verdict
from workers.learning import gate, snapshot
from workers.learning.examiners import Examiner
from workers.learning.held import Held, StoppedError, alone_in
from workers.learning.materials import Shelf, fetched, lessons_of, still_there
from workers.learning.pairs import Pair, pairs_of, what_is_missing
from workers.learning.registry import Registry
from workers.learning.snapshot import Snapshot
from workers.models.tuning.protocol import Tuner

logger = logging.getLogger(__name__)

TunerOf = Callable[[Kind, str, Recipe], Tuner]
ExaminerOf = Callable[[Kind], Examiner]
ASSETS_FOLDER = "assets"


@dataclass(frozen=True)
class Outcome:
    """How a training ended."""

    state: TrainingState
    message: str = ""
    version: NewVersion | None = None


@dataclass(frozen=True)
class Tools:
    """What a training works with."""

    ledger: Ledger
    storage: Storage
    registry: Registry
    tuner_of: TunerOf
    examiner_of: ExaminerOf
    curriculum: Curriculum
    # Below it each training has a folder of its own until it ends.
    folder: Path
    # By whose ratings alone versions are judged; nobody where everybody judges.
    referees: frozenset[Person] = frozenset()


class Teacher:
    """Does the open training of a model, one at a time."""

    def __init__(self, tools: Tools, worker: str, stopping: threading.Event) -> None:
        self._tools, self._worker, self._stopping = tools, worker, stopping

    def serve(self, kind: Kind, model: str) -> Outcome | None:
        """Do the open training of a model; None when there is none, somebody is at it, or it could not be ended."""
        trainings = self._tools.ledger.trainings
        claim = trainings.claim(kind, model, self._worker)
        if claim is None:
            return None
        training = claim.training
        logger.info("training %s of %s: attempt %d, %s", training.id, model, training.attempts, training.cause)
        try:
            with Held(trainings, claim, self._stopping) as held, alone_in(self._tools.folder / training.id):
                outcome = self._outcome(held)
            if not trainings.finish(claim, outcome.state, outcome.message, outcome.version):
                return None
        except (StoppedError, TransientError) as error:
            logger.warning("training %s goes on later: %s", training.id, error)
            self._give_back(held)
            return None
        shutil.rmtree(self._tools.folder / training.id, ignore_errors=True)
        logger.info("training %s: %s %s", training.id, outcome.state, outcome.message)
        return outcome

    def _give_back(self, held: Held) -> None:
        try:
            self._tools.ledger.trainings.give_back(held.claim)
        except TransientError as error:
            logger.warning("training %s waits until its lease ends: %s", held.claim.training.id, error)

    def _outcome(self, held: Held) -> Outcome:
        if held.claim.training.attempts > MOST_ATTEMPTS:
            return Outcome(TrainingState.FAILED, f"its workers died {MOST_ATTEMPTS} times: is the memory too small?")
        try:
            return self._walk(held)
        except OutdatedError:
            # Nothing is wrong with the training: a newer worker does it.
            raise
        except PermanentError as error:
            return Outcome(TrainingState.FAILED, str(error))
        except (StoppedError, TransientError):
            raise
        except Exception as error:
            # Nobody foresaw this; tried again, it would be the same for ever.
            logger.exception("training %s failed", held.claim.training.id)
            return Outcome(TrainingState.FAILED, f"{type(error).__name__}: {error}"[:2000])

    def _walk(self, held: Held) -> Outcome:
        training, rules = held.claim.training, self._tools.curriculum
        recipe = rules.recipes.get(training.kind)
        if recipe is None:
            return Outcome(
                TrainingState.FAILED, f"the curriculum has no recipe for {training.kind}: add one below `recipes`"
            )
        held.begin("snapshot")
        taken, training = self._snapshot(held, training)
        lessons, judged = (pairs_of(taken, rules.snapshot, held_out=side) for side in (False, True))
        if missing := _missing(taken, lessons, judged, rules.needs):
            return Outcome(TrainingState.SKIPPED, missing)
        version_id = version_id_of(training, recipe)
        if self._tools.ledger.trainings.has_version(version_id):
            return Outcome(TrainingState.SKIPPED, f"nothing is new since {version_id} was trained: rate more assets")
        # Should the gate miss something, that shows now and not when all is trained.
        examiner = self._tools.examiner_of(training.kind)
        started = time.monotonic()
        held.begin("assets")
        home = self._tools.folder / training.id
        shelf = Shelf(self._tools.ledger.assets, self._tools.storage, home / ASSETS_FOLDER)
        known = fetched(training.kind, [*lessons, *judged], shelf, held.end_if_stopped)
        lessons, judged = (still_there(pairs, known) for pairs in (lessons, judged))
        if missing := _missing(taken, lessons, judged, rules.needs):
            return Outcome(TrainingState.SKIPPED, missing)
        held.begin("training")
        tuner = self._tools.tuner_of(training.kind, training.model, recipe)
        parent = self._tools.registry.folder(training.parent)
        # Named after all that decides what comes of it: after an update with another recipe, it begins anew.
        taught = lessons_of(lessons, known)
        folder = home / version_id
        tuner.tune(parent, taught, folder, held.watch, held.end_if_stopped)

        def challenger(strength: float) -> Path:
            held.end_if_stopped()
            return tuner.weakened(folder, strength)

        version = training.version
        if version is None or version.id != version_id:
            held.begin("gate")
            trial = gate.Trial(judged, known, rules.gate_of(training.kind), examiner)
            verdict = gate.judge(tuner, parent, challenger, trial)
            metrics = _metrics(taken, lessons, held.losses, time.monotonic() - started)
            version = _described(training, version_id, metrics, verdict)
            self._keep(self._tools.ledger.trainings.keep_version(held.claim, version))
        held.begin("registration")
        version = self._tools.registry.add(version, challenger(version.verdict.strength))
        passed = version.verdict.is_passed
        return Outcome(TrainingState.PASSED if passed else TrainingState.REFUSED, told(version.verdict), version)

    def _snapshot(self, held: Held, training: Training) -> tuple[Snapshot, Training]:
        """Return the snapshot of the training, taken by its first attempt, and the training with it."""
        tools = self._tools
        if training.snapshot is not None:
            return snapshot.fetch(tools.storage, training.snapshot), training
        heard = tools.ledger.opinions.of_model(training.kind, training.model)
        taken = snapshot.take(heard, training.kind, training.model, tools.curriculum, tools.referees)
        stored = snapshot.store(tools.storage, heard, taken)
        parent = tools.registry.champion(training.kind, training.model)
        self._keep(tools.ledger.trainings.keep_snapshot(held.claim, stored, parent))
        return taken, tools.ledger.trainings.of_id(training.id)

    def _keep(self, is_mine: bool) -> None:  # noqa: FBT001 - what the ledger answered
        if not is_mine:
            raise StoppedError("somebody else has taken the training up")


def version_id_of(training: Training, recipe: Recipe) -> str:
    """Return the id of what comes of a training: its day, and a hash of all that decides what that is."""
    assert training.snapshot is not None, "taken before"
    decides = f"{training.snapshot.sha256} {training.model} {training.parent} {recipe.model_dump_json()}"
    day = time.strftime("%Y%m%d", time.gmtime(training.created_at))
    return f"{training.kind}-{day}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"


def told(verdict: Verdict) -> str:
    """Return a verdict in a sentence."""
    weaker = f"at {verdict.strength:g} of its strength it " if verdict.strength != 1 else ""
    figures = weaker + (
        f"orders {verdict.challenger_agrees:.0%} of {verdict.preferences} held-out pairs as people do, the champion "
        f"{verdict.champion_agrees:.0%} (bound {verdict.bound:+.3f})"
    )
    lost = [f"{one.name} {one.challenger:.3f}, was {one.champion:.3f}" for one in verdict.guardrails if not one.is_kept]
    told = f"{figures}; lost: {', '.join(lost)}" if lost else figures
    if not verdict.others:
        return told
    return f"{told}; refused at {', '.join(f'{one.strength:g}' for one in verdict.others)}"


def _missing(taken: Snapshot, lessons: Sequence[Pair], judged: Sequence[Pair], needs: Needs) -> str:
    """Return what there is too little of to learn from, and the way out; empty when there is enough."""
    opinions = sum(one.weight > 0 for one in taken.opinions)
    return what_is_missing(lessons, judged, opinions, needs, taken.header.referees)


def _described(training: Training, version_id: str, metrics: dict[str, float], verdict: Verdict) -> NewVersion:
    assert training.snapshot is not None, "taken before"
    return NewVersion(
        id=version_id,
        kind=training.kind,
        model=training.model,
        parent=training.parent,
        # Both are known when it is stored.
        prefix="",
        files=(),
        snapshot_key=training.snapshot.key,
        snapshot_sha256=training.snapshot.sha256,
        code=version_of_package("content-factory"),
        metrics=metrics,
        verdict=verdict,
        created_at=training.created_at,
    )


def _metrics(
    taken: Snapshot, pairs: Sequence[Pair], losses: Sequence[dict[str, float]], seconds: float
) -> dict[str, float]:
    last = losses[-1] if losses else {}
    referees = taken.header.referees
    return {
        "ratings": float(taken.header.ratings),
        **({} if referees is None else {"referees": float(referees)}),
        "opinions": float(len(taken.opinions)),
        "pairs": float(len(pairs)),
        "seconds": round(seconds, 1),
        **{name: value for name, value in last.items() if name != "step"},
    }
