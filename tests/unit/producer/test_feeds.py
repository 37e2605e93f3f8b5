import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import CampaignFileError
from producer import feeds
from producer.problems import Problems

HEADER = b"sku,name,description,price,offer,url\n"


def write(folder: Path, content: bytes, name: str = "products.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def check(path: Path) -> feeds.Feed:
    problems = Problems()
    feed = feeds.check(path, problems)
    if problems:
        raise problems.error()
    return feed


def report(path: Path) -> list[str]:
    """Return what is wrong with a feed, without the folder."""
    with pytest.raises(CampaignFileError) as caught:
        check(path)
    return [line.replace(f"{path.parent}{os.sep}", "") for line in str(caught.value).splitlines()]


def names(path: Path) -> list[str]:
    return [product.name for product in feeds.stream(check(path))]


def test_a_csv_feed_gives_its_products_and_empty_cells_are_absent(tmp_path: Path):
    path = write(tmp_path, HEADER + b'NB-1,"Ember, dark",, 14.90 EUR ,,\n')

    (product,) = feeds.stream(check(path))

    assert (product.sku, product.name, product.description) == ("NB-1", "Ember, dark", "")
    assert (product.price, product.offer, product.url) == ("14.90 EUR", None, None)


def test_a_jsonl_feed_gives_its_products_and_null_is_absent(tmp_path: Path):
    path = write(tmp_path, b'{"sku": "NB-1", "name": "Ember", "price": null}\n\n{"sku":"2","name":"X"}', "p.jsonl")

    first, second = feeds.stream(check(path))

    assert (first.sku, first.price, second.sku) == ("NB-1", None, "2")


@pytest.mark.parametrize(
    "content",
    [
        b"name,sku\nEmber,1\nAmber,2\n",
        b"\xef\xbb\xbfsku,name\n1,Ember\n2,Amber",
        b"sku,name\r\n1,Ember\r\n\r\n2,Amber\r\n,\r\n",
        b'\n sku , name \n1,Ember\n"2","Amber"\n',
    ],
)
def test_order_of_columns_marks_line_ends_and_blank_lines_do_not_matter(tmp_path: Path, content: bytes):
    assert names(write(tmp_path, content)) == ["Ember", "Amber"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ["1:1: is empty; its first line names the columns: sku,name,description,price,offer,url,subject"]),
        (b"\n\n", ["1:1: is empty; its first line names the columns: sku,name,description,price,offer,url,subject"]),
        (b"sku,name\n", ["1:1: has no products"]),
        (b"sku;name\n1;a\n", ["1:1: columns are separated by ';'; this feed needs commas"]),
        (b"sku\tname\n1\ta\n", ["1:1: columns are separated by tabs; this feed needs commas"]),
        (b"sku\n1\n", ["1:1: the column 'name' is missing; the first line names the columns"]),
        (b"sku,name,sku\n1,a,1\n", ["1:10: the column 'sku' is there twice"]),
        (b"SKU,name\n1,a\n", ["1:1: unknown column 'SKU'; did you mean 'sku'?", "1:1: the column 'sku' is missing; "]),
        (b"sku,name,prize\n1,a,2\n", ["1:10: unknown column 'prize'; did you mean 'price'?"]),
        (b"sku,name,colour\n", ["1:10: unknown column 'colour'; known: sku, name, description, price, offer, url"]),
        (b'sku,"name"x\n1,a\n', ["1:1: a quoted text goes on after its closing quote"]),
        (b"sku,name\n1,a,b,c\n2\n3,c\n", ["2:5: has 4 cells where the header has 2; put", "3:1: has 1 cell where"]),
        (b'sku,name\n1,"a\nb",x\n', ["3:4: has 3 cells where the header has 2; put a text that has a comma"]),
        (b'sku,name\n1,5" pan,x\n', ["2:10: has 3 cells where the header has 2"]),
        (b'sku,name\n1,"5"" pan, x",x\n', ["2:16: has 3 cells where the header has 2"]),
        (b"sku,name\n,a\n1,\n", ["2:1: sku: is missing", "3:1: name: is missing"]),
        (
            b"sku,name\na b,x\n",
            ["2:1: sku: 'a b': use letters, digits, '.', '_' and '-' (at most 64), such as 'NB-001'"],
        ),
        (b"sku,name,url\n1,a,b\n", ["2:5: url: 'b': write a whole address, such as 'https://example.com/coffee'"]),
        (b"sku,name\n1," + b"x" * 201 + b"\n", ["2:3: name: has 201 characters; at most 200"]),
        (b"sku,name\n1,a\n2,b\n1,c\n", ["4:1: sku: '1' stands on line 2 already"]),
        (b"name,sku\na,1\nb,1\n", ["3:3: sku: '1' stands on line 2 already"]),
        (b"sku,name\n1,a\x00b\n", ["2:3: has the character U+0000, which is not text; remove it"]),
        (b"sku,name\n1,caf\xe9\n2,\n", ["2:6: is not UTF-8 from here on; save it as UTF-8 (in Excel: 'CSV UTF-8')"]),
        (b'sku,name\n1,"caf\xe9\n', ["2:7: is not UTF-8 from here on; save it as UTF-8 (in Excel: 'CSV UTF-8')"]),
        (b'sku,name\n1,"a\n2,b\n', ["2:1: a quote is opened in this row and not closed"]),
        (b'sku,name\n1,"a"b\n2,\n', ["2:1: a quoted text goes on after its closing quote", "3:1: name: is missing"]),
        (b"sku,name\r1,a\r2,b\r", ["1:1: has lines that end with a bare carriage return"]),
        (b"sku,name\n1," + b"x" * 300_000, ["2:1: has more than 262144 bytes in one line; is this a product feed?"]),
        (b'sku,name\n1,"' + b"x\n" * 100_000, ["2:1: a quote is opened in this row and not closed"]),
    ],
)
def test_a_mistake_in_csv_is_named_with_its_place_and_the_way_out(tmp_path: Path, content: bytes, expected: list[str]):
    problems = report(write(tmp_path, content))

    assert len(problems) == len(expected), problems
    for problem, begins in zip(problems, expected, strict=True):
        assert problem.startswith(f"products.csv:{begins}")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"sku": "1", "name": "a"', "2:25: is not valid JSON: expecting ',' delimiter"),
        (b'{"sku": "1"}', "2:1: name: is missing"),
        (b'{"sku": 1, "name": "a"}', '2:9: sku: needs text; put it in quotes: "1"'),
        (b'{"sku": "1", "name": "a", "prize": "2"}', "2:27: prize: unknown key; did you mean 'price'?"),
        (b'{"sku": "1", "sku": "2", "name": "a"}', "2:14: the key 'sku' stands on line 2 already"),
        (b'{"sku": "0", "name": "a"}', "2:9: sku: '0' stands on line 1 already"),
        (b'{"sku": "1", "name": "a\\u0000"}', "2:22: has the character U+0000, which is not text; remove it"),
        (b'{"sku": "1", "name": "\\ud800"}', "2:22: has the character U+D800, which is not text; remove it"),
        (b'["1", "a"]', "2:1: needs keys with values, such as 'name: ...'"),
        (b"null", "2:1: needs keys with values, such as 'name: ...'"),
        (b"[" * 100_000, "2:1: values are nested more than 16 deep"),
    ],
)
def test_a_mistake_in_jsonl_is_named_with_its_place_and_the_way_out(tmp_path: Path, line: bytes, expected: str):
    problems = report(write(tmp_path, b'{"sku": "0", "name": "z"}\n' + line + b"\n", "products.jsonl"))

    assert problems == [f"products.jsonl:{expected}"]


def test_the_feed_of_the_guide_gives_its_report(tmp_path: Path):
    content = b"sku,name,price\nNB-001,Ember Espresso,14.90 EUR\nNB-002,Harbour Filter, light,13.50 EUR\n"
    content += b"NB 003,Slow Tide Decaf,15.20 EUR\nNB-001,Lighthouse Cold Brew,\nNB-005,,89 EUR\n"

    problems = report(write(tmp_path, content))

    assert "\n".join(problems) in Path("docs/campaigns.md").read_text()


def test_an_empty_jsonl_feed_has_no_products(tmp_path: Path):
    assert report(write(tmp_path, b"\n", "products.jsonl")) == ["products.jsonl:1:1: has no products"]


def test_the_report_goes_on_to_the_end_and_counts_what_it_does_not_show(tmp_path: Path):
    problems = report(write(tmp_path, b"sku,name\n" + b"1\n" * 1000))

    assert len(problems) == 51
    assert problems[-1] == "products.csv:51:1: and 950 more problems after this one are not shown"


def test_a_feed_has_no_more_products_than_a_campaign_may_have_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "MAX_PRODUCTS", 2)

    problems = report(write(tmp_path, b"sku,name\n1,a\n2,b\n3,c\n4,d\n"))

    assert check(write(tmp_path, b"sku,name\n1,a\n2,b\n")).products == 2
    assert problems == ["products.csv:4:1: has more than 2 products; split the feed"]


def test_a_feed_that_changes_after_the_check_is_noticed(tmp_path: Path):
    path = write(tmp_path, b"sku,name\n1,a\n2,b\n")
    feed = check(path)

    path.write_bytes(b"sku,name\n1,a\n2,c\n")
    with pytest.raises(CampaignFileError, match="changed while it was read; run the command again"):
        list(feeds.stream(feed))
    path.unlink()
    with pytest.raises(CampaignFileError, match="cannot be read: No such file"):
        list(feeds.stream(feed))


def test_a_feed_is_streamed_however_long_it_is(tmp_path: Path):
    rows = b"".join(b"SKU-%06d,Product,%s,,,\n" % (i, b"x" * 200) for i in range(20_000))
    feed = check(write(tmp_path, HEADER + rows))

    tracemalloc.start()
    count = sum(1 for _ in feeds.stream(feed))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == feed.products == 20_000
    assert peak_bytes < 1_000_000


CELLS = st.text(alphabet=st.sampled_from('ab",\n\r;\0 é1'), max_size=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=100).map(lambda content: b"sku,name\n" + content),
        st.lists(CELLS, max_size=8).map(lambda cells: ("sku,name\n" + ",".join(cells)).encode()),
        st.lists(CELLS, max_size=8).map(lambda cells: ('{"sku": "1", ' + ",".join(cells)).encode()),
    )
)
@pytest.mark.parametrize("name", ["products.csv", "products.jsonl"])
def test_any_bytes_are_products_or_a_report(tmp_path: Path, name: str, content: bytes):
    path = write(tmp_path, content, name)

    try:
        feed = check(path)
        found = "products" if sum(1 for _ in feeds.stream(feed)) == feed.products else "a row was lost"
    except CampaignFileError as error:
        found = str(error)

    assert found.encode()
    assert found != "a row was lost"
