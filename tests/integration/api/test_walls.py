"""What is refused before anybody asks who calls: foreign hosts and sites, bodies too large, too deep, too slow."""

import asyncio
import json
import time
from typing import Any

import pytest

from core.settings import Settings
from producer.api.bodies import MOST_BYTES, MOST_CAMPAIGN_BYTES, Bodies
from producer.api.problems import problem
from schemas.access import Role

from support.calls import YAML, Api, serving
from support.writer import CAMPAIGN


def test_every_answer_says_that_nothing_in_it_may_run_be_framed_or_be_kept(api: Api):
    for answer in (api.call("GET", "/v1/campaigns"), api.call("GET", "/nothing"), api.client.get("/v1/me")):
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] in {"no-store", "private, no-cache"}
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:5580", "", "[::1", "a@127.0.0.1@b"]
)
def test_a_name_that_was_bent_to_this_machine_reaches_nothing(api: Api, host: str):
    answer = api.client.get("/v1/me", headers={"host": host})

    assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:5580", "LOCALHOST", "[::1]:5580"])
def test_the_names_of_this_machine_reach_it(api: Api, host: str):
    assert api.client.get("/v1/me", headers={"host": host}).status_code == 200


def test_two_hosts_in_one_call_reach_nothing(api: Api):
    assert api.client.get("/v1/me", headers=[("host", "127.0.0.1"), ("host", "evil.example")]).status_code == 421


def test_a_factory_for_others_answers_to_the_names_that_are_set(settings: Settings):
    with serving(settings.model_copy(update={"api_host": "0.0.0.0", "api_hosts": "factory.example"})) as api:
        key = api.key(Role.VIEWER)

        assert api.client.get("/v1/me", headers=key | {"host": "factory.example"}).status_code == 200
        assert api.client.get("/v1/me", headers=key | {"host": "other.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(api: Api, headers: dict[str, str]):
    campaign = api.client.post("/v1/campaigns", content=CAMPAIGN, headers=YAML).json()["campaign"]["campaign"]

    answer = api.client.post(f"/v1/campaigns/{campaign}/cancel", headers=headers)

    assert answer.status_code == 403
    assert api.ledger.campaigns.status(campaign).state == "active"


def test_a_page_of_its_own_may(api: Api):
    answer = api.client.post(
        "/v1/campaigns",
        content=CAMPAIGN,
        headers=YAML | {"origin": "http://127.0.0.1:5580", "sec-fetch-site": "same-origin"},
    )

    assert answer.status_code == 201


def test_no_other_site_is_allowed_to_ask_before_it_calls(api: Api):
    answer = api.client.options(
        "/v1/campaigns", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )

    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("path", "most"), [("/v1/campaigns", MOST_CAMPAIGN_BYTES), ("/v1/jobs", MOST_BYTES)])
def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(api: Api, path: str, most: int):
    def parts() -> Any:
        yield from (b" " * 100_000 for _ in range(most // 100_000 + 2))

    said = api.call("POST", path, content=b" " * (most + 1), headers=YAML)
    unsaid = api.call("POST", path, content=parts(), headers=YAML)

    assert (said.status_code, unsaid.status_code) == (413, 413)


@pytest.mark.parametrize("length", ["-1", "1e9", "٣", "9" * 30, "0x10"])
def test_a_length_that_is_none_is_refused(api: Api, length: str):
    answer = api.call("POST", "/v1/jobs", content=b"{}", headers={"content-length": length.encode()})

    assert answer.status_code == 413


def test_a_packed_body_is_not_unpacked(api: Api):
    assert api.submit(CAMPAIGN, **{"content-encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize("content_type", ["text/plain", "", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_what_a_form_could_send_is_no_campaign(api: Api, content_type: str):
    assert api.submit(CAMPAIGN, **{"content-type": content_type}).status_code == 415


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "more than 1000000 values"),
        ("[" * 100_000, "nested more than 16 deep"),
        ("a: " * 5, "':' too many"),
        ("!!python/object/apply:os.system ['true']", "the tag"),
        ("a: &a\n  b: *a\n", "stands for nothing"),
        ("\x00name: x", "not text"),
        (CAMPAIGN.replace("Northbeam", "\u202eNorth\x1b[31mbeam"), "not text"),
        (CAMPAIGN + "---\n" + CAMPAIGN, "second document"),
        ("", "is empty"),
    ],
)
def test_yaml_that_would_hurt_is_refused_soon_with_the_reason(api: Api, text: str, told: str):
    began = time.monotonic()

    answer = api.submit(text)

    assert answer.status_code == 422
    assert told in answer.text
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 50_000, b'{"seed": ' + b"9" * 5000 + b"}", b'{"brand": NaN}', b'"x"']
)
def test_json_that_would_hurt_is_refused_with_the_reason(api: Api, body: bytes):
    for path in ("/v1/jobs", "/v1/campaigns"):
        answer = api.call("POST", path, content=body, headers={"content-type": "application/json"})

        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "file", ["../../../../etc/passwd.csv", "/etc/passwd.csv", "products.csv", "s3://bucket/x.csv", "..%2f..%2fx.csv"]
)
def test_no_file_of_the_server_is_read_for_a_campaign(api: Api, file: str):
    products = f"products: {{file: {json.dumps(file)}}}\n"
    text = "".join(line for line in CAMPAIGN.splitlines(keepends=True) if "sku" not in line).replace(
        "products:\n", products
    )

    answer = api.submit(text)

    (fault,) = answer.json()["problems"]
    assert (answer.status_code, fault["field"]) == (422, "products.file")
    assert "no files come with a campaign that is sent" in fault["message"]


@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fetc%2fpasswd", "%00", "a%00b", "x" * 500, "%F0%9F%92%A5", "A", "%", "a;b", "a'--", "a%0d%0aX-Evil:1"],
)
def test_what_can_be_no_id_is_nothing_of_anybody(api: Api, name: str):
    for path in (f"/v1/campaigns/{name}", f"/v1/jobs/{name}", f"/v1/campaigns/{name}/export", f"/v1/events/{name}"):
        answer = api.call("GET", path)

        assert answer.status_code in {404, 422}
        assert "x-evil" not in answer.headers


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201, "a\tb"])
def test_an_idempotency_key_that_is_none_is_refused(api: Api, key: str):
    answer = api.submit(CAMPAIGN, **{"idempotency-key": key.encode("latin-1")})

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "Idempotency-Key")


def test_a_method_that_an_address_does_not_know_is_told_which_it_knows(api: Api):
    answer = api.call("DELETE", "/v1/campaigns")

    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
    assert "allow" in answer.headers


async def slow_app(_scope: Any, _receive: Any, send: Any) -> None:
    await asyncio.sleep(0.6)
    await problem("late", 500, "nobody hears this")(_scope, _receive, send)


def answered(app: Bodies, messages: list[dict[str, Any]]) -> list[Any]:
    """Return the status of each answer that an app sends for a call whose body comes as these messages, then stops."""
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        return await asyncio.sleep(60)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(message["status"])

    async def run() -> None:
        scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [], "state": {"request_id": "x"}}
        await app(scope, receive, send)
        await asyncio.sleep(1)

    asyncio.run(run())
    return sent


def test_a_body_that_does_not_end_is_not_waited_for():
    begun = {"type": "http.request", "body": b"{", "more_body": True}

    assert answered(Bodies(slow_app, read_seconds=0.1), [begun]) == [408]


def test_a_call_that_takes_too_long_is_answered_once_and_goes_on():
    whole = {"type": "http.request", "body": b"{}", "more_body": False}

    assert answered(Bodies(slow_app, answer_seconds=0.1), [whole]) == [503]


def test_a_caller_that_leaves_in_the_middle_of_its_body_changes_nothing():
    begun = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    assert answered(Bodies(slow_app), begun) == [400]


def test_an_error_that_nobody_foresaw_is_a_problem_without_a_traceback(api: Api, caplog: pytest.LogCaptureFixture):
    @api.app.get("/v1/broken")
    def broken() -> None:
        raise ZeroDivisionError("inner workings")

    answer = api.client.get("/v1/broken")

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "inner workings" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text


def test_a_key_is_in_no_log_and_no_answer(api: Api, caplog: pytest.LogCaptureFixture):
    caplog.set_level("DEBUG")
    secret = api.key()["authorization"].removeprefix("Bearer ")

    answers = [
        api.submit(CAMPAIGN),
        api.call("GET", f"/v1/{secret}"),
        api.call("GET", "/v1/me"),
        api.call("GET", "/v1/calls"),
    ]

    assert secret not in "".join(answer.text for answer in answers)
    assert secret not in caplog.text.replace(f"/v1/{secret}", "")
