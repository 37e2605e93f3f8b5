"""What a process answers to those who watch it."""

import http.client
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from core.errors import SettingsError
from core.probes import Probes, Pulse, probed, serve_probes
from core.settings import Settings

from support.waiting import free_port


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Process:
    """Something that is watched, and how it is."""

    is_alive = True
    is_ready = False

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Process]:
    process = Process(free_port())
    registry = CollectorRegistry()
    Counter("factory_worker_batches", "Batches.", registry=registry).inc(3)
    probes = Probes(lambda: process.is_alive, lambda: process.is_ready, registry)
    with probed(Settings(home=tmp_path, metrics_port=process.port), probes):
        yield process


def test_a_process_that_moves_is_alive_though_it_is_not_ready(watched: Process):
    assert [watched.ask(path) for path in ("/healthz", "/readyz")] == [(200, "ok\n"), (503, "no\n")]


def test_a_process_that_hangs_is_not_alive(watched: Process):
    watched.is_alive, watched.is_ready = False, True

    assert [watched.ask(path)[0] for path in ("/healthz", "/readyz?verbose")] == [503, 200]


def test_counts_and_what_the_process_uses_are_shown(watched: Process):
    status, page = watched.ask("/metrics")

    assert status == 200
    assert "factory_worker_batches_total 3.0\n" in page
    assert "process_resident_memory_bytes" in page


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("GET", "/../etc", 404), ("POST", "/", 501)])
def test_nothing_else_is_answered(watched: Process, method: str, path: str, status: int):
    assert watched.ask(path, method)[0] == status


def test_only_this_machine_is_answered(watched: Process):
    # Every address of 127/8 is this machine, but only one of them is listened on.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", watched.port), 1)


def test_a_port_that_is_taken_is_said_with_the_way_out(watched: Process, tmp_path: Path):
    with pytest.raises(SettingsError, match=r"FACTORY_METRICS_PORT: 127.0.0.1:\d+ .* needs a port of its own, or none"):
        serve_probes(Settings(home=tmp_path, metrics_port=watched.port), Probes())


def test_who_hangs_up_leaves_no_trace_and_the_next_is_answered(watched: Process, capfd: pytest.CaptureFixture[str]):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", watched.port), 5) as line:
            # At the end of the block the connection is reset, whatever is still on its way.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")

    assert watched.ask("/healthz")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_without_a_port_nothing_is_served(tmp_path: Path):
    assert serve_probes(Settings(home=tmp_path), Probes()) is None


def test_a_thread_that_is_busy_for_too_long_with_one_thing_does_not_move():
    clock = Clock()
    pulse = Pulse(60, clock)

    seen = [pulse.moves()]
    with pulse.busy():
        for now in (160.0, 161.0):
            clock.now = now
            seen.append(pulse.moves())
    seen.append(pulse.moves())

    assert seen == [True, True, False, True]


def test_a_thread_that_broke_over_one_thing_goes_on():
    clock = Clock()
    pulse = Pulse(60, clock)

    with pytest.raises(RuntimeError), pulse.busy():
        raise RuntimeError
    clock.now = 1000.0

    assert pulse.moves()
