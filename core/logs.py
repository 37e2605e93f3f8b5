"""One line a log record, as text or as JSON: time, level, process, message, and the trace that it belongs to.

Secrets never reach it, since settings hide them.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from core import traces
from core.errors import FactoryError
from core.settings import Settings

logger = logging.getLogger(__name__)

FORMAT = "%(asctime)s %(levelname)-7s %(factory_process)s %(name)s: %(message)s"
# Libraries that tell of every request.
NOISY = ("botocore", "urllib3", "boto3", "s3transfer", "amqp", "kombu", "sqlalchemy", "filelock", "httpx")

# They write by a handler of their own as soon as they are imported.
APART = ("transformers", "diffusers")


class TextFormatter(logging.Formatter):
    """Lines for people; one that belongs to a trace ends with its id."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the library
        """Return the line of a record, without its traceback."""
        span = traces.current()
        return super().formatMessage(record) + (f" [trace {span.trace_id:032x}]" if span else "")


class JsonFormatter(logging.Formatter):
    """Lines for programs: one JSON object each, on one line whatever the message holds."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if span := traces.current():
            line |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logs(settings: Settings, process: str) -> None:
    """Send every record of this process to its standard error, under the name that the factory has for it."""
    handler = logging.StreamHandler()
    is_json = settings.log_format == "json"
    text = TextFormatter(FORMAT, defaults={"factory_process": process})
    handler.setFormatter(JsonFormatter(process) if is_json else text)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


@contextmanager
def logged(settings: Settings, process: str) -> Iterator[None]:
    """Have a log from here on; what ends the process is a line of it where programs read it."""
    configure_logs(settings, process)
    try:
        yield
    except FactoryError as error:
        if settings.log_format != "json":
            raise
        logger.critical("%s ends: %s", process, error)
        raise SystemExit(1) from error


def take_over() -> None:
    """Send what libraries write by themselves the same way; those that are imported later need another call."""
    for name in APART:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
