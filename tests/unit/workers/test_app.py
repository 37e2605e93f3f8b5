"""What a worker says before it serves."""

import json
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from core.broker import FEEDBACK_QUEUE, queue_of
from core.settings import Settings
from schemas.campaigns import Kind

# As newer versions may send them.
NEWER_TICKETS = """
from workers.app import generate, train_task
for ticket in ((["copy", "image"],), ({"kind": "copy"},), ("poem",), ()):
    generate(*ticket)
    train_task(*ticket)
generate("copy", since=7)
train_task("copy")
train_task("copy", {"name": "starter"})
train_task("copy", "starter", since=7)
"""
# As where the package is not installed, whatever this machine has.
WITHOUT_TRACES = "import sys; sys.modules['opentelemetry.sdk'] = None; from celery.__main__ import main; main()"
WITHOUT_NUDENET = "import sys; sys.modules['nudenet'] = None; from celery.__main__ import main; main()"


def test_a_worker_of_pictures_that_cannot_check_them_ends_at_once_and_says_how_to_mend_it(tmp_path: Path):
    broker = SecretStr("redis://127.0.0.1:9/0")
    settings = Settings(home=tmp_path, broker_url=broker, image_safety_checker="nudenet")
    command = [sys.executable, "-c", WITHOUT_NUDENET, "-A", "workers.app", "worker", "-Q", queue_of(Kind.IMAGE)]

    ended = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "this worker does not start: FACTORY_IMAGE_SAFETY_CHECKER is nudenet" in ended.stderr
    assert "`pip install nudenet`, or set FACTORY_IMAGE_SAFETY_CHECKER=none" in ended.stderr


def test_a_worker_that_shall_send_traces_and_cannot_ends_at_once_and_says_how_to_mend_it(tmp_path: Path):
    broker = SecretStr("redis://127.0.0.1:9/0")
    settings = Settings(home=tmp_path, broker_url=broker, traces_endpoint="http://127.0.0.1:9")
    command = [sys.executable, "-c", WITHOUT_TRACES, "-A", "workers.app", "worker", "-Q", FEEDBACK_QUEUE]

    ended = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "this worker does not start: FACTORY_TRACES_ENDPOINT asks for traces" in ended.stderr
    assert "`pip install 'content-factory[traces]'`, or leave the setting empty" in ended.stderr


def test_why_a_worker_does_not_start_is_an_object_where_programs_read_its_log(tmp_path: Path):
    broker = SecretStr("redis://127.0.0.1:9/0")
    settings = Settings(home=tmp_path, broker_url=broker, traces_endpoint="http://127.0.0.1:9", log_format="json")
    command = [sys.executable, "-c", WITHOUT_TRACES, "-A", "workers.app", "worker", "-Q", FEEDBACK_QUEUE, "-n", "f@h"]

    ended = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False)

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert [(one["level"], one["process"]) for one in lines if "does not start" in one["message"]] == [
        ("critical", "f")
    ]


def test_tickets_of_a_form_that_this_version_does_not_know_are_passed_over_with_a_line_in_the_log(tmp_path: Path):
    settings = Settings(home=tmp_path, broker_url=SecretStr("redis://127.0.0.1:9/0"))
    command = [sys.executable, "-c", NEWER_TICKETS]

    ended = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("a ticket of another version is passed over") == 12
