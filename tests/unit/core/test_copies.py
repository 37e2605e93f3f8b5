"""How the rows of a ledger are cut into pages."""

from core.ledger.copies import cut


def test_a_page_ends_before_it_is_more_than_memory_holds():
    rows = [{"key": f"a{number}", "value": "x" * 3_000_000} for number in range(5)]
    pages = list(cut(iter(rows)))

    assert [len(page) for page in pages] == [3, 2]
    assert [row for page in pages for row in page] == rows
