"""One line a log record: time, level, process, message. Secrets never reach it, since settings hide them."""

import logging

from core.settings import Settings

FORMAT = "%(asctime)s %(levelname)-7s %(processName)s %(name)s: %(message)s"
# Libraries that tell of every request.
NOISY = ("botocore", "urllib3", "boto3", "s3transfer", "amqp", "kombu", "sqlalchemy", "filelock", "httpx")


def configure_logs(settings: Settings) -> None:
    """Send every record of this process to its standard error."""
    logging.basicConfig(level=settings.log_level.upper(), format=FORMAT, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
