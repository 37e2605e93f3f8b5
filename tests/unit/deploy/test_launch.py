import subprocess
import sys
from pathlib import Path

from deploy.programs import LAUNCH

from support.waiting import wait_until

SAYS = "import sys; print('out', flush=True); print('err', file=sys.stderr)"


def test_a_process_appends_both_of_its_outputs_to_its_log(tmp_path: Path):
    log = tmp_path / "one.log"
    log.write_text("of before\n")

    ended = subprocess.run((*LAUNCH, str(log), sys.executable, "-c", SAYS), capture_output=True, check=True)

    assert log.read_text() == "of before\nout\nerr\n"
    assert (ended.stdout, ended.stderr) == (b"", b"")


def test_why_a_process_does_not_start_is_in_its_log(tmp_path: Path):
    log = tmp_path / "one.log"

    ended = subprocess.run((*LAUNCH, str(log), str(tmp_path / "missing")), check=False)

    assert ended.returncode != 0
    assert "FileNotFoundError" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_process_is_the_one_that_was_started_and_outlives_whoever_read_it(tmp_path: Path):
    log = tmp_path / "one.log"
    waits = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read(); print('on', flush=True)"

    with subprocess.Popen(
        (*LAUNCH, str(log), sys.executable, "-c", waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        assert started.stdout
        wait_until(lambda: log.exists() and log.read_text(), 30, "its first line")
        started.stdout.close()

    assert started.returncode == 0
    assert log.read_text() == f"{started.pid}\non\n"
