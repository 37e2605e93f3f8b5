"""One HTTP POST to an address that was judged: no redirects, no proxies, little time, little of the answer read."""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

from producer.webhooks.addresses import addresses_of

CONNECT_SECONDS = 5.0
MOST_ADDRESSES = 3
# For all of it: Standard Webhooks advises 15 to 30 s.
TOTAL_SECONDS = 15.0
MOST_ANSWER_BYTES = 2048


@dataclass(frozen=True)
class Answer:
    """What a receiver said; without a status it said nothing, and the error says why."""

    status: int | None
    error: str = ""


def post(url: SplitResult, headers: Mapping[str, str], body: bytes, *, allow_private: bool) -> Answer:
    """Send the body once and return what came of it."""
    is_tls = url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    try:
        host = url.hostname or ""
        connected = _connected(addresses_of(host, port, allow_private=allow_private), port)
    except (OSError, UnicodeError) as error:
        return Answer(None, f"cannot be reached: {error}")
    # A receiver that sends a byte now and then would keep us for ever: the line is cut.
    watch = threading.Timer(TOTAL_SECONDS, _cut, [connected])
    watch.daemon = True
    watch.start()
    try:
        line = ssl.create_default_context().wrap_socket(connected, server_hostname=host) if is_tls else connected
        return _exchange(url, line, headers, body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Answer(None, f"no answer within {TOTAL_SECONDS:g} s, or a broken one: {type(error).__name__}: {error}")
    finally:
        watch.cancel()
        connected.close()


def _connected(addresses: list[str], port: int) -> socket.socket:
    """Return a connection to the first address that answers: these were judged, so no name is looked up again."""
    failed: OSError = OSError("it has no address")
    for address in addresses[:MOST_ADDRESSES]:
        try:
            return socket.create_connection((address, port), CONNECT_SECONDS)
        except OSError as error:
            failed = error
    raise failed


def _exchange(url: SplitResult, line: socket.socket, headers: Mapping[str, str], body: bytes) -> Answer:
    line.settimeout(TOTAL_SECONDS)
    connection = http.client.HTTPConnection(url.hostname or "", url.port)
    connection.sock = line
    try:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
        sent = {"Host": url.netloc, "Content-Length": str(len(body)), "Connection": "close", **headers}
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        response.read(MOST_ANSWER_BYTES)
        return Answer(response.status, "" if response.status // 100 == 2 else f"answered {response.status}")
    finally:
        connection.close()


def _cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It ended by itself at the same moment.
        return
