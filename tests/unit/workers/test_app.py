"""What a worker says before it serves."""

import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from core.broker import queue_of
from core.settings import Settings
from schemas.campaigns import Kind

# As where the package is not installed, whatever this machine has.
WITHOUT_NUDENET = "import sys; sys.modules['nudenet'] = None; from celery.__main__ import main; main()"


def test_a_worker_of_pictures_that_cannot_check_them_ends_at_once_and_says_how_to_mend_it(tmp_path: Path):
    broker = SecretStr("redis://127.0.0.1:9/0")
    settings = Settings(home=tmp_path, broker_url=broker, image_safety_checker="nudenet")
    command = [sys.executable, "-c", WITHOUT_NUDENET, "-A", "workers.app", "worker", "-Q", queue_of(Kind.IMAGE)]

    ended = subprocess.run(command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "this worker does not start: FACTORY_IMAGE_SAFETY_CHECKER is nudenet" in ended.stderr
    assert "`pip install nudenet`, or set FACTORY_IMAGE_SAFETY_CHECKER=none" in ended.stderr
