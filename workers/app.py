"""The Celery app of every worker: `celery -A workers.app worker -Q generate.copy`, `-Q housekeeping` or `-Q feedback`.

Importing it loads no model library; a worker that serves a kind does, beside its own start.
"""

import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import celery.apps.worker
import celery.worker.state
from celery import signals
from celery.exceptions import Reject

from core import traces
from core.broker import (
    FEEDBACK,
    FEEDBACK_QUEUE,
    GENERATE,
    JUDGE_CANARIES,
    SWEEP,
    TIDY,
    TRAIN,
    TRAIN_QUEUE,
    check_queues,
    make_app,
    queue_of,
)
from core.errors import BrokerError, FactoryError, OutdatedError, SettingsError, TransientError
from core.ledger import Ledger
from core.logs import configure_logs, take_over
from core.probes import Probes, serve_probes
from core.settings import Settings
from core.transports import queue_arguments
from schemas.campaigns import Kind
from workers import measures
from workers.canaries import judge_canaries
from workers.feedback import record_patiently
from workers.keeper import release_dead, worker_id
from workers.learning.triggers import Watch
from workers.revoke import cancel_on_revoke
from workers.sweep import sweep
from workers.traced import answered

if TYPE_CHECKING:
    from workers.generate import Generator

logger = logging.getLogger(__name__)

# To whoever starts workers: this one and the ledger are of two versions, and so will the next one be.
EX_OUTDATED = 3

settings = Settings.load()
app = make_app(settings)
# CUDA cannot start again in a forked child, so workers run threads: one computes, one claims, one publishes.
app.conf.update(worker_pool="threads", worker_concurrency=3)

stopping = threading.Event()
_opening, _starting = threading.Lock(), threading.Lock()
_warming: list[threading.Thread] = []
_started: list["Generator"] = []
_nodes: list[str] = []


@cache
def _open_ledger() -> Ledger:
    return Ledger(settings)


def open_ledger() -> Ledger:
    """Return the ledger of this process, opened by the first call."""
    with _opening:
        return _open_ledger()


@cache
def _start_generator(nodename: str) -> "Generator":
    # transformers cannot be imported by two threads at once: one of them finds it half there.
    for thread in _warming:
        thread.join()
    from workers.generate import Generator  # noqa: PLC0415 - loads torch

    _started.append(Generator(settings, app, open_ledger(), nodename, stopping))
    return _started[-1]


@contextmanager
def _retiring() -> Iterator[None]:
    """End this worker when the ledger is of another version: what it held is taken up by others after its lease."""
    try:
        yield
    except OutdatedError as error:
        if not stopping.is_set():
            logger.critical("this worker ends: %s", error)
        stopping.set()
        celery.worker.state.should_stop = EX_OUTDATED  # type: ignore[assignment]


def _kind_of(ticket: tuple[object, ...], named: dict[str, object]) -> Kind | None:
    """Return the kind that a ticket is about; None, and a line in the log, for one of another version's form."""
    match ticket:
        case (str(kind), *_) if kind in set(Kind) and not named:
            return Kind(kind)
    _tell_passed_over()
    return None


def _training_of(ticket: tuple[object, ...], named: dict[str, object]) -> tuple[Kind, str] | None:
    """Return the kind and the model that a ticket of a training is about, likewise."""
    match ticket:
        case (str(kind), str(model), *_) if kind in set(Kind) and not named:
            return Kind(kind), model
    _tell_passed_over()
    return None


def _sent_by(task: Any) -> object:
    """Return what a message says of the span that sent it; anybody may have sent it."""
    return getattr(task.request, traces.TRACEPARENT, None)


def _tell_passed_over() -> None:
    logger.warning(
        "a ticket of another version is passed over: what it rings for waits in the ledger for a worker that knows it"
    )


# Newer tickets may say more; what is rung for stands in the ledger.
@app.task(name=GENERATE, bind=True)
def generate(self: Any, /, *ticket: object, **named: object) -> None:
    """Answer a ticket: there is work of this kind."""
    kind = _kind_of(ticket, named)
    if kind is None:
        return
    with _retiring():
        with _starting:
            generator = _start_generator(self.request.hostname)
        with answered(queue_of(kind), _sent_by(self)):
            generator.serve(kind)


# Every few seconds for ever: in Flower it would bury the jobs.
@app.task(name=SWEEP, send_events=False)
def sweep_task() -> None:
    """Mend what was lost."""
    try:
        with _retiring():
            sweep(app, open_ledger())
            measures.note_sweep()
            _watch().look(app)
    except TransientError as error:
        logger.warning("nothing swept: %s", error)


@app.task(name=JUDGE_CANARIES, send_events=False)
def judge_canaries_task() -> None:
    """End the canaries that people have decided."""
    try:
        with _retiring():
            judge_canaries(open_ledger(), settings)
    except TransientError as error:
        logger.warning("no canary judged: %s", error)


@app.task(name=TIDY, send_events=False)
def tidy_task() -> None:
    """Delete what need not be kept any longer, beside other tasks: the sweep must not wait for it."""
    if not any(thread.name == TIDY for thread in threading.enumerate()):
        threading.Thread(target=_tidy, name=TIDY, daemon=True).start()


def _tidy() -> None:
    # Once an hour: the sweep needs no store, and starts without its library.
    from core.storage import Storage  # noqa: PLC0415
    from core.tidying import tidy  # noqa: PLC0415

    try:
        with _retiring(), traces.span("tidy"):
            for one in tidy(open_ledger(), Storage(settings), settings):
                if one.found:
                    logger.info("deleted %d %s, older than %g days", one.found, one.what, one.days)
    except FactoryError as error:
        logger.warning("not tidied to the end: %s", error)


@cache
def _watch() -> Watch:
    return Watch(settings, open_ledger())


# Unlike a ticket, feedback exists nowhere else until it is recorded: so it is acknowledged last.
@app.task(name=FEEDBACK, bind=True, acks_late=True, send_events=False)
def feedback_task(self: Any, /, *messages: object, **named: object) -> None:
    """Record feedback; whatever the message looks like, it ends in the ledger."""
    body = messages[0] if len(messages) == 1 and not named else {"arguments": messages, "named": named}
    is_recorded = False
    sender = _sent_by(self)
    # Of an import of thousands none says who sent it, and none is traced.
    with _retiring(), answered(FEEDBACK_QUEUE, sender) if sender else nullcontext():
        is_recorded = record_patiently(open_ledger, body, stopping)
    if not is_recorded:
        raise Reject("the worker stops", requeue=True)


@app.task(name=TRAIN, bind=True)
def train_task(self: Any, /, *ticket: object, **named: object) -> None:
    """Answer a ticket: a model shall learn from its ratings."""
    training = _training_of(ticket, named)
    if training is None:
        return
    from workers.learning.train import make_teacher  # noqa: PLC0415 - only a worker of trainings pays for it

    take_over()
    with _retiring():
        teacher = make_teacher(settings, open_ledger(), worker_id(self.request.hostname), stopping)
        with answered(TRAIN_QUEUE, _sent_by(self)) as span:
            if outcome := teacher.serve(*training):
                span.note({"factory.kind": training[0].value, "factory.training.state": outcome.state.value})


@signals.celeryd_init.connect
def _name(sender: str, **_: Any) -> None:
    """Take the name of the node, without its host, for that of this process."""
    _nodes.append(sender.partition("@")[0])
    _configure_logs()


# The second is sent by beat and Flower too: before their own log is set up, or in its place.
@signals.setup_logging.connect
@signals.import_modules.connect
def _configure_logs(**_: Any) -> None:
    command = next((word for word in ("beat", "flower") if word in sys.argv), "worker")
    configure_logs(settings, _nodes[-1] if _nodes else command)
    if settings.log_format == "json":
        # It is told that it stops in bare text, past all logs.
        celery.apps.worker.safe_say = lambda *_: None  # type: ignore[attr-defined]


@signals.worker_init.connect
def _warm_up(sender: Any, **_: Any) -> None:
    """Begin the imports of the first ticket now: they take longer than all else that this process starts with."""
    _begin_traces()
    _serve_probes()
    _check_queues()
    queues = sender.app.amqp.queues.consume_from.keys()
    if queue_of(Kind.IMAGE) in queues:
        _open_safety_checker()
    if not queues.isdisjoint(map(queue_of, Kind)):
        _warming.append(threading.Thread(target=_import_models, name="warm-up", daemon=True))
        _warming[-1].start()


def _refuse(error: SettingsError) -> NoReturn:
    logger.critical("this worker does not start: %s", error)
    sys.exit(1)


def _begin_traces() -> None:
    try:
        traces.begin(settings, "worker")
    except SettingsError as error:
        _refuse(error)


def _serve_probes() -> None:
    probes = Probes(is_alive=lambda: all(one.moves for one in _started), is_ready=_is_ready, registry=measures.REGISTRY)
    try:
        serve_probes(settings, probes)
    except SettingsError as error:
        _refuse(error)


def _check_queues() -> None:
    if queue_arguments(settings) is None:
        return
    try:
        check_queues(app)
    except BrokerError:
        # Celery itself waits for the broker, and the doctor says more.
        return
    except SettingsError as error:
        _refuse(error)


def _is_ready() -> bool:
    """Return whether a ticket would be answered at once; a worker that loads no model always would."""
    if any(thread.is_alive() for thread in _warming):
        return False
    # An import that failed is taken back.
    has_libraries = not _warming or "workers.generate" in sys.modules
    return has_libraries and all(one.is_ready for one in _started)


def _open_safety_checker() -> None:
    """End the process when pictures cannot be checked as they should be: else every job would wait and none say why."""
    if settings.image_safety_checker == "none":
        return
    from workers.checks.safety import safety_checker  # noqa: PLC0415 - loads NumPy and Pillow

    try:
        safety_checker(settings.image_safety_checker)
    except SettingsError as error:
        _refuse(error)


def _import_models() -> None:
    try:
        importlib.import_module("workers.generate")
        importlib.import_module("workers.models.copy")
        take_over()
    except ImportError as error:
        logger.warning("no model can be loaded: %s", error)


@signals.worker_ready.connect
def _release(sender: Any, **_: Any) -> None:
    try:
        with _retiring():
            release_dead(open_ledger().leases, sender.hostname)
    except TransientError as error:
        logger.warning("former leases of %s end by themselves: %s", sender.hostname, error)


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()


@signals.worker_shutdown.connect
def _end_traces(**_: Any) -> None:
    traces.end()


cancel_on_revoke(open_ledger)
