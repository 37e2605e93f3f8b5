import hmac
from base64 import b64decode, b64encode

from hypothesis import given
from hypothesis import strategies as st

from producer.webhooks.signatures import headers_of, signature

# The example of the specification: its libraries make this of the same id, time and body.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

ids = st.from_regex(r"evt_[0-9a-f]{32}", fullmatch=True)
moments = st.integers(0, 2**40)


def test_the_example_of_the_specification_has_its_signature():
    made = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert made == EXAMPLE


def test_an_attempt_says_id_time_and_signature():
    headers = headers_of(SECRET, "evt_1", 1614265330, b"{}")

    assert headers == {
        "webhook-id": "evt_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signature(SECRET, "evt_1", 1614265330, b"{}"),
    }


@given(st.binary(min_size=24, max_size=64), ids, moments, st.binary(max_size=200), st.integers(0, 2))
def test_a_change_of_id_time_or_body_changes_the_signature(
    secret: bytes, event: str, moment: int, body: bytes, changed: int
):
    text = f"whsec_{b64encode(secret).decode()}"
    others = [(event + "0", moment, body), (event, moment + 1, body), (event, moment, body + b" ")]

    made = signature(text, event, moment, body)

    assert made != signature(text, *others[changed])
    assert b64decode(made.removeprefix("v1,")) == hmac.digest(secret, f"{event}.{moment}.".encode() + body, "sha256")
