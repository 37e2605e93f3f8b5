"""The benchmark of many raters must find what was lost or counted twice; else its noughts prove nothing."""

from sqlalchemy import delete, insert, select

from benchmarks.pages import counted
from benchmarks.visits import Heard
from core.ledger import Ledger
from core.tables import ratings

from support.rated import a_rating, make_assets, rate

NOTHING_WRONG = {"ratings": 2, "acknowledged": 2, "lost": 0, "doubled": 0, "untold": 0}


def heard_of(*acknowledged: str) -> Heard:
    return Heard(acknowledged=list(acknowledged))


def test_what_was_told_and_is_there_once_is_right(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, "ada", id="message-first", stars=4), a_rating(0, "bo", id="message-second", stars=2)])

    assert counted(ledger, [heard_of("message-first"), heard_of("message-second")]) == NOTHING_WRONG


def test_a_rating_that_is_not_there_is_lost_and_one_that_nobody_was_told_of_is_untold(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, "ada", id="message-first", stars=4), a_rating(1, "ada", id="message-second", stars=2)])
    with ledger.database.write() as connection:
        connection.execute(delete(ratings).where(ratings.c.message_id == "message-first"))

    found = counted(ledger, [heard_of("message-first")])

    assert found == {"ratings": 1, "acknowledged": 1, "lost": 1, "doubled": 0, "untold": 1}


def test_a_second_row_of_a_person_and_an_asset_is_doubled(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, "ada", id="message-first", stars=4)])
    with ledger.database.write() as connection:
        row = connection.execute(select(ratings)).mappings().one()
        again = {name: value for name, value in row.items() if name != "id"}
        connection.execute(insert(ratings).values(again | {"message_id": "message-again", "is_current": False}))

    assert counted(ledger, [heard_of("message-first")])["doubled"] == 1
