"""Answers that are held back until all of them is there, and then sent changed."""

from abc import ABC, abstractmethod

from starlette.types import Message, Send


class HeldAnswer(ABC):
    """One answer. What is not to be held goes through as it comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    @abstractmethod
    def holds(self, start: Message) -> bool:
        """Tell whether an answer that starts like this is held back."""

    @abstractmethod
    def changed(self, start: Message, body: bytes) -> bytes:
        """Return the body to be sent instead, and change status and headers in place."""

    async def send(self, message: Message) -> None:
        """Take a message of the answer."""
        if message["type"] == "http.response.start" and self.holds(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                body = self.changed(self._start, self._body)
                await self._send(self._start)
                await self._send({"type": "http.response.body", "body": body})
