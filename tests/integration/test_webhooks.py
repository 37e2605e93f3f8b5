"""Deliveries to a real receiver: signed, tried again, never redirected, never into a private network."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core import traces
from core.ledger import Ledger
from core.ledger.leases import Failure
from core.ledger.tenants import Admission
from core.logs import FORMAT, TextFormatter
from core.settings import Settings
from producer.webhooks import deliver as delivering
from producer.webhooks import post as posting
from producer.webhooks.deliver import deliver_due, run
from producer.webhooks.post import post
from producer.webhooks.signatures import signature
from schemas.events import EventType

from support.collector import collecting
from support.lines import line_campaign, line_jobs
from support.receiver import Receiver, receiving
from support.waiting import free_port, wait_until


@pytest.fixture
def insider(tmp_path: Path) -> Settings:
    """Settings of a factory that may tell this machine."""
    return Settings(home=tmp_path / "home", webhook_private_addresses=True)


@pytest.fixture
def books(insider: Settings) -> Iterator[Ledger]:
    opened = Ledger(insider)
    yield opened
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as started:
        yield started


def fail_a_campaign(ledger: Ledger, name: str = "spring", jobs: int = 1) -> None:
    campaign = line_campaign(name, products=jobs, variants=1)
    ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, "starter"), Admission("ann", jobs))
    lease = ledger.leases.claim("copy/starter/short", jobs, "w1")
    assert lease
    ledger.leases.finish(lease, failed=[Failure(job.id, "rejected", "no line", True) for job in lease.jobs])


def history(ledger: Ledger) -> tuple[str, list[int | None]]:
    (event,) = ledger.webhooks.page("ann", 10)
    _, [one] = ledger.webhooks.history("ann", event.id)
    return one.state, [attempt.status for attempt in one.attempts]


def test_a_round_of_deliveries_is_told_to_a_collector_and_one_of_nothing_is_not(
    books: Ledger,
    insider: Settings,
    receiver: Receiver,
    pool: ThreadPoolExecutor,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(caplog.handler, "formatter", TextFormatter(FORMAT, defaults={"factory_process": "deliver"}))
    receiver.answer = lambda number: 204 if number == 1 else 500
    for _ in range(2):
        books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    with collecting() as collector:
        traces.begin(insider.model_copy(update={"traces_endpoint": collector.endpoint}), "webhooks")
        for _ in range(2):
            deliver_due(books.webhooks, insider, pool)
        traces.end()

    (told,) = collector.named("deliver webhooks")
    assert told.attributes == {"factory.deliveries": 2, "factory.deliveries.delivered": 1}
    lines = [line for line in caplog.text.splitlines() if "attempt 1: " in line]
    assert [line.endswith(f"[trace {told.trace_id}]") for line in lines] == [True, True]


def test_a_receiver_can_check_what_it_is_sent(
    books: Ledger, insider: Settings, receiver: Receiver, pool: ThreadPoolExecutor
):
    _, secret = books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    assert deliver_due(books.webhooks, insider, pool) == 1

    (sent,) = receiver.sent
    moment = int(sent.headers["webhook-timestamp"])
    assert abs(moment - time.time()) < 60
    assert sent.headers["webhook-signature"] == signature(secret, sent.headers["webhook-id"], moment, sent.body)
    assert (sent.told["type"], sent.told["data"]["campaign"]) == ("campaign.finished", "spring")
    assert sent.told["id"] == sent.headers["webhook-id"]
    assert history(books) == ("delivered", [204])


def test_what_was_not_received_is_sent_again_with_the_same_id_and_bytes(
    books: Ledger, insider: Settings, receiver: Receiver, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivering, "WAITS_SECONDS", (0.0, 0.0, 0.0))
    receiver.answer = lambda number: 500 if number < 3 else 200
    books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    while deliver_due(books.webhooks, insider, pool):
        pass

    assert len({(one.headers["webhook-id"], one.body) for one in receiver.sent}) == 1
    assert history(books) == ("delivered", [500, 500, 200])


def test_a_redirect_is_not_followed(books: Ledger, insider: Settings, receiver: Receiver, pool: ThreadPoolExecutor):
    receiver.answer = lambda _: 307
    books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    deliver_due(books.webhooks, insider, pool)

    assert (len(receiver.sent), history(books)) == (1, ("pending", [307]))


def test_a_receiver_that_is_gone_is_told_nothing_any_more(
    books: Ledger, insider: Settings, receiver: Receiver, pool: ThreadPoolExecutor
):
    receiver.answer = lambda _: 410
    books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    deliver_due(books.webhooks, insider, pool)

    assert history(books) == ("given_up", [410])
    assert [one.disabled_reason for one in books.webhooks.of("ann")] == ["it answered 410 Gone"]


def test_a_private_address_is_sent_nothing_unless_a_setting_allows_it(
    books: Ledger, insider: Settings, receiver: Receiver, pool: ThreadPoolExecutor
):
    books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)

    deliver_due(books.webhooks, insider.model_copy(update={"webhook_private_addresses": False}), pool)

    assert (receiver.sent, history(books)) == ([], ("pending", [None]))


def test_a_name_that_leads_to_this_machine_is_not_even_connected_to():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        url = urlsplit(f"https://localhost:{listener.getsockname()[1]}/")

        answer = post(url, {}, b"{}", allow_private=False)

        assert answer.status is None
        assert "leads to the private address" in answer.error
        with pytest.raises(TimeoutError):
            listener.accept()


def test_nobody_listening_is_an_attempt_that_failed():
    answer = post(urlsplit(f"http://127.0.0.1:{free_port()}/"), {}, b"{}", allow_private=True)

    assert answer.status is None
    assert "cannot be reached" in answer.error


def test_a_receiver_that_answers_a_byte_now_and_then_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(posting, "TOTAL_SECONDS", 0.6)
    stopping = threading.Event()

    def drip(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            while not stopping.wait(0.1):
                try:
                    line.sendall(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        answer = post(urlsplit(f"http://127.0.0.1:{listener.getsockname()[1]}/"), {}, b"{}", allow_private=True)
        took = time.monotonic() - began
        stopping.set()
        thread.join()

    assert answer.status is None
    assert took < 5


def test_an_answer_that_is_no_http_is_kept_as_words_that_harm_nobody(
    books: Ledger, insider: Settings, pool: ThreadPoolExecutor
):
    def babble(listener: socket.socket) -> None:
        line, _ = listener.accept()
        with line:
            line.recv(65536)
            line.sendall(b"\x1b[31m\x00 not\tHTTP\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=babble, args=(listener,))
        thread.start()
        books.webhooks.create("ann", f"http://127.0.0.1:{listener.getsockname()[1]}/", [EventType.CAMPAIGN_FINISHED])
        fail_a_campaign(books)
        deliver_due(books.webhooks, insider, pool)
        thread.join()

    (event,) = books.webhooks.page("ann", 10)
    error = books.webhooks.history("ann", event.id)[1][0].attempts[0].error
    assert "not" in error
    assert error.isprintable()


def test_what_is_not_tls_is_not_taken_for_it():
    with receiving() as plain:
        answer = post(urlsplit(f"https://127.0.0.1:{plain.port}/"), {}, b"{}", allow_private=True)

        assert answer.status is None
        assert "SSL" in answer.error
        assert plain.sent == []


def test_the_loop_ends_the_attempt_in_hand_when_it_is_told_to_stop(
    books: Ledger, insider: Settings, receiver: Receiver
):
    receiver.may_answer.clear()
    books.webhooks.create("ann", receiver.url, [EventType.CAMPAIGN_FINISHED])
    fail_a_campaign(books)
    stopping = threading.Event()
    loop = threading.Thread(target=run, args=(books, insider, stopping))
    loop.start()
    wait_until(lambda: receiver.sent, what="an attempt")

    stopping.set()
    receiver.may_answer.set()
    loop.join(20)

    assert not loop.is_alive()
    assert history(books) == ("delivered", [204])
