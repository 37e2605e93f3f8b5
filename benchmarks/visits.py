"""People with browsers who rate: each opens the rating page, says something, looks at gallery and progress at times.

A thread a person, over one connection, with the cookies and headers of a browser; pictures and styles are not loaded.
"""

import random
import re
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import parse_qs, urlencode, urlsplit

ANSWER_SECONDS = 60.0
GALLERY, PAGE, RATING, PROGRESS = "gallery", "rating page", "rating", "progress"
STEPS = (GALLERY, PAGE, RATING, PROGRESS)
SAYINGS = (*(f"stars:{number}" for number in range(1, 6)), "approve", "reject")
# Of so many ratings one is followed by a look at the gallery, and one at how the campaign goes.
EVERY_GALLERY, EVERY_PROGRESS = 5, 3
_JOB = re.compile(r'name="job" value="([a-z0-9-]+)"')


@dataclass
class Heard:
    """What one person experienced."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    # The ids of ratings that the factory said it has.
    acknowledged: list[str] = field(default_factory=list)


class VisitError(Exception):
    """A page that was not answered as it should be. Never leaves this module."""


class Visit(threading.Thread):
    """Somebody who rates until the time is over."""

    def __init__(self, port: int, campaign: str, key: str, ends_at: float, think_seconds: float, seed: int) -> None:
        super().__init__(daemon=True)
        self.heard = Heard()
        self._connection = HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self._headers = {"Origin": f"http://127.0.0.1:{port}", "Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
        self._path = f"/campaigns/{campaign}"
        self._key = key
        self._ends_at = ends_at
        self._think_seconds = think_seconds
        self._chance = random.Random(seed)
        self._pause = threading.Event()

    def run(self) -> None:
        """Sign in, then rate one asset after the other."""
        self._think()
        answer, _ = self._ask("POST", "/sign-in", key=self._key)
        self._headers["Cookie"] = str(answer.getheader("Set-Cookie")).partition(";")[0]
        address, rated = f"{self._path}/rate", 0
        while time.monotonic() < self._ends_at:
            try:
                address = self._rate(address)
                rated += 1
                if rated % EVERY_GALLERY == 0:
                    self._timed(GALLERY, "GET", f"{self._path}/gallery")
                if rated % EVERY_PROGRESS == 0:
                    self._timed(PROGRESS, "GET", self._path)
            except (VisitError, OSError, HTTPException) as error:
                self.heard.errors.append(f"{type(error).__name__}: {error}")
                self._connection.close()
                address = f"{self._path}/rate"

    def _rate(self, address: str) -> str:
        """Open the rating page, think, and say something; return where that leads."""
        _, text = self._timed(PAGE, "GET", address)
        shown = _JOB.search(text)
        if shown is None:
            raise VisitError("nothing is left to rate: give the campaign more assets")
        self._think()
        answer, _ = self._timed(RATING, "POST", f"{self._path}/rate", job=shown[1], say=self._chance.choice(SAYINGS))
        following = str(answer.getheader("Location"))
        (trail,) = parse_qs(urlsplit(following).query)["trail"]
        self.heard.acknowledged.append(trail.rpartition("~")[2])
        # A trail grows, as it does for people who never leave the page; here each rating stands alone.
        return following.partition("&trail=")[0]

    def _think(self) -> None:
        self._pause.wait(self._think_seconds * self._chance.uniform(0.5, 1.5))

    def _timed(self, step: str, method: str, path: str, **fields: str) -> tuple[HTTPResponse, str]:
        began_at = time.perf_counter()
        answer, text = self._ask(method, path, **fields)
        self.heard.seconds[step].append(time.perf_counter() - began_at)
        return answer, text

    def _ask(self, method: str, path: str, **fields: str) -> tuple[HTTPResponse, str]:
        form = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        self._connection.request(method, path, urlencode(fields) or None, self._headers | form)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != (303 if fields else 200):
            raise VisitError(f"{method} {path.partition('?')[0]} was answered with {answer.status}")
        return answer, text
