"""The API as its own process: it keeps strangers out, stops with a stream open, and a broken pipe harms nobody."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from producer.api.opened import STREAMS_AT_ONCE
from schemas.access import Role

from support.collector import collecting
from support.waiting import free_port, wait_until
from support.writer import CAMPAIGN

SECONDS = 30

Start = Callable[..., tuple[subprocess.Popen[bytes], int]]


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Start `factory api` on a free port; what it says is in `api.log`."""
    started: list[subprocess.Popen[bytes]] = []

    def command(*arguments: str, **changes: object) -> tuple[subprocess.Popen[bytes], int]:
        port = free_port()
        with (tmp_path / "api.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "producer", "api", f"--port={port}", *arguments],
                env=settings.model_copy(update=changes).environment() | {"FACTORY_LOG_LEVEL": "debug"},
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process, port

    yield command
    for process in started:
        process.kill()
        process.wait(10)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_serves_this_machine_and_no_other_address(start: Start):
    _, port = start()
    wait_until(lambda: answers(port), SECONDS)

    status, body = ask(port, "POST", "/v1/campaigns", CAMPAIGN, **{"Content-Type": "application/yaml"})

    assert (status, json.loads(body)["campaign"]["waiting"]) == (201, 16)
    # Every address of 127/8 is this machine, but only one of them is listened on.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), 1)


def test_it_does_not_start_for_others_while_nobody_has_a_key(start: Start, tmp_path: Path):
    process, _ = start("--host=0.0.0.0")

    assert process.wait(SECONDS) == 1
    told = (tmp_path / "api.log").read_text()
    assert "does not start on 0.0.0.0 while nobody has a key: `factory keys create NAME --role admin`" in told
    assert "Traceback" not in told


def test_for_others_it_starts_with_a_key_and_no_log_holds_it(start: Start, settings: Settings, tmp_path: Path):
    ledger = Ledger(settings)
    _, key = ledger.keys.create("ops", "ann", Role.ADMIN, "test")
    ledger.close()
    _, port = start("--host=0.0.0.0")
    wait_until(lambda: answers(port), SECONDS)

    statuses = [
        ask(port, "GET", "/v1/me")[0],
        ask(port, "GET", "/v1/me", Authorization=f"Bearer {key}")[0],
        ask(port, "POST", "/v1/jobs", "{", Authorization=f"Bearer {key}")[0],
    ]

    assert statuses == [401, 200, 422]
    assert key.split("_", 2)[2] not in (tmp_path / "api.log").read_text()


def test_it_stops_while_somebody_watches(start: Start):
    process, port = start()
    wait_until(lambda: answers(port), SECONDS)
    _, body = ask(port, "POST", "/v1/campaigns", CAMPAIGN, **{"Content-Type": "application/yaml"})
    campaign = json.loads(body)["campaign"]["campaign"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", f"/v1/campaigns/{campaign}/watch")
    stream = connection.getresponse()
    first = stream.readline()

    process.send_signal(signal.SIGTERM)

    assert first == b"event: progress\n"
    assert process.wait(10) in {0, -signal.SIGTERM}
    connection.close()


def test_told_to_stop_it_sends_the_spans_that_wait(start: Start):
    with collecting() as collector:
        process, port = start(traces_endpoint=collector.endpoint)
        wait_until(lambda: answers(port), SECONDS)
        ask(port, "POST", "/v1/campaigns", CAMPAIGN, **{"Content-Type": "application/yaml"})

        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)

    assert [one.service for one in collector.named("POST /v1/campaigns")] == ["factory-api"]


def test_watchers_that_leave_give_their_places_back(start: Start, tmp_path: Path):
    _, port = start()
    wait_until(lambda: answers(port), SECONDS)
    _, body = ask(port, "POST", "/v1/campaigns", CAMPAIGN, **{"Content-Type": "application/yaml"})
    campaign = json.loads(body)["campaign"]["campaign"]

    # One after the other, more than there are places.
    for _ in range(STREAMS_AT_ONCE + 5):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", f"/v1/campaigns/{campaign}/watch")
        assert connection.getresponse().readline() == b"event: progress\n"
        connection.close()

    assert ask(port, "GET", "/health")[0] == 200
    assert "Traceback" not in (tmp_path / "api.log").read_text()


HARDLY_HTTP = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"a" * 70_000 + b"\r\n\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET http://evil.example/v1/me HTTP/1.1\r\nHost: evil.example\r\n\r\n",
]


def test_what_is_hardly_http_is_refused_and_the_next_call_served(start: Start, tmp_path: Path):
    _, port = start()
    wait_until(lambda: answers(port), SECONDS)
    told: list[bytes] = []

    for raw in HARDLY_HTTP:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            told.append(line.makefile("rb").readline())

    assert [one for one in told if b" 200 " in one] == []
    assert ask(port, "GET", "/health")[0] == 200
    assert "Traceback" not in (tmp_path / "api.log").read_text()
