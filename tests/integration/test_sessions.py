"""Sessions in the ledger, on SQLite and PostgreSQL: they stand for a key, end, and are kept as a hash."""

import time

from sqlalchemy import select, update

from core.ledger import Ledger
from core.ledger.keys import Key
from core.tables import sessions
from schemas.access import Role


def a_key(ledger: Ledger) -> Key:
    return ledger.keys.create("laptop", "ann", Role.RATER, "test")[0]


def test_a_session_stands_for_its_key_until_it_is_closed(ledger: Ledger):
    key = a_key(ledger)

    text = ledger.sessions.open(key)
    found = ledger.sessions.find(text)
    ledger.sessions.close(text)

    assert found == key
    assert ledger.sessions.find(text) is None
    ledger.sessions.close(text)


def test_what_is_no_session_finds_nothing(ledger: Ledger):
    ledger.sessions.open(a_key(ledger))

    assert [ledger.sessions.find(text) for text in ("", "x", "' OR 1=1 --", "é\0")] == [None] * 4


def test_no_session_outlives_its_key(ledger: Ledger):
    key = a_key(ledger)
    text = ledger.sessions.open(key)

    ledger.keys.revoke(key.id, "test")

    assert ledger.sessions.find(text) is None


def test_a_session_ends_by_itself_and_is_forgotten_with_the_next_one(ledger: Ledger):
    key = a_key(ledger)
    old = ledger.sessions.open(key)
    with ledger.database.write() as connection:
        connection.execute(update(sessions).values(ends_at=time.time() - 1))

    found = ledger.sessions.find(old)
    ledger.sessions.open(key)

    assert found is None
    with ledger.database.read() as connection:
        assert len(connection.execute(select(sessions)).all()) == 1


def test_the_ledger_does_not_keep_what_the_browser_keeps(ledger: Ledger):
    text = ledger.sessions.open(a_key(ledger))

    with ledger.database.read() as connection:
        (row,) = connection.execute(select(sessions)).all()

    assert text not in str(row)
