"""What serves after any orders in any order: against a model of it that fits on a page."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import StateError
from core.ledger import Ledger
from core.ledger.promotions import Order
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.versions import SHIPPED

from support.versions import a_version, version_id

VERSIONS = 4
ORDERS = st.lists(
    st.tuples(st.sampled_from(["promote", "rollback", "start", "stop", "withdraw"]), st.integers(0, VERSIONS - 1)),
    max_size=14,
)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger(Settings(home=tmp_path_factory.mktemp("home")))
    yield opened
    opened.close()


class Expected:
    """A stack of champions, perhaps a challenger, and what is broken."""

    def __init__(self) -> None:
        self.champions = [SHIPPED]
        self.challenger = ""
        self.broken: set[str] = set()

    def do(self, order: str, version: str) -> bool:
        """Do what is ordered; return False when that is not allowed."""
        is_fit = version not in self.broken
        if order == "promote" and (is_fit or version == self.champions[-1]):
            if version != self.champions[-1]:
                self.champions.append(version)
                self.challenger = ""
            return True
        if order == "start" and is_fit and not self.challenger and version != self.champions[-1]:
            self.challenger = version
            return True
        if order == "stop" and self.challenger:
            self.challenger = ""
            return True
        if order == "rollback" and self.champions[-1] != SHIPPED:
            self._back()
            return True
        if order == "withdraw":
            self.broken.add(version)
            if self.challenger == version:
                self.challenger = ""
            elif self.champions[-1] == version:
                self._back()
            return True
        return False

    def _back(self) -> None:
        gone = self.champions[-1]
        while self.champions[-1] in {gone, *self.broken}:
            self.champions.pop()
        self.challenger = ""


@given(ORDERS)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_orders_leave_what_a_stack_of_champions_says(ledger: Ledger, orders: list[tuple[str, int]]):
    model, expected = f"model-{next(_numbers)}", Expected()
    versions = [version_id(next(_numbers)) for _ in range(VERSIONS)]
    for version in versions:
        ledger.versions.register(a_version(model=model, id=version))

    served = []
    for order, number in orders:
        seen = ledger.promotions.serving(Kind.COPY, model)
        is_done = _do(ledger, order, versions[number], model)
        assert is_done == expected.do(order, versions[number]), (order, number)
        now = ledger.promotions.serving(Kind.COPY, model)
        assert (now.champion, now.challenger) == (expected.champions[-1], expected.challenger)
        served.append((seen, now))

    history = ledger.promotions.history(Kind.COPY, model)
    changes = [(now.number, now.champion, now.challenger) for seen, now in served if now != seen]
    assert [(one.number, one.champion, one.challenger) for one in history] == changes
    assert [one.number for one in history] == list(range(1, len(history) + 1))
    assert all(ledger.promotions.champion_at(Kind.COPY, model, one.at) == one.champion for one in history[-1:])


def _do(ledger: Ledger, order: str, version: str, model: str) -> bool:
    seen, by_ada = ledger.promotions.serving(Kind.COPY, model), Order("ada", order)
    orders = {
        "promote": lambda: ledger.promotions.promote(version, seen, by_ada),
        "rollback": lambda: ledger.promotions.rollback(seen, by_ada),
        "start": lambda: ledger.promotions.start_canary(version, 0.5, seen, by_ada),
        "stop": lambda: ledger.promotions.stop_canary(seen, by_ada),
        "withdraw": lambda: ledger.promotions.withdraw(version, seen, by_ada),
    }
    try:
        orders[order]()
    except StateError:
        return False
    return True
