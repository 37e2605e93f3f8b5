"""The list of reasons."""

from schemas.campaigns import Kind
from schemas.reasons import reason_table, reasons, reasons_for


def test_every_kind_can_be_rejected_for_its_own_reasons_and_for_others():
    assert all({"off-brand", "too-similar", "other"} <= set(reasons_for(kind)) for kind in Kind)
    assert "awkward-wording" in reasons_for(Kind.COPY)
    assert "awkward-wording" not in reasons_for(Kind.MUSIC)
    assert "distorted" in reasons_for(Kind.IMAGE)


def test_reasons_have_ids_of_their_own_that_fit_their_column():
    table = reason_table()

    assert len({one.id for one in table.reasons}) == len(table.reasons)
    assert all(len(name) <= 63 for name in reasons())
    assert table.version >= 1
