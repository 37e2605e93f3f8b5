import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import CampaignFileError
from producer import campaigns, plan, problems
from schemas.campaigns import Campaign, Kind

EXAMPLES = Path("examples")
GOOD = """\
name: spring
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember, price: 14.90 EUR}
audiences:
  - {id: all, description: everybody}
deliverables:
  - {kind: copy, channel: email.subject, variants: 2}
"""
FEED = "products: {file: products.csv}\n"


def write(folder: Path, text: str | bytes, name: str = "campaign.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def with_feed(text: str) -> str:
    """Return the good campaign with the given lines in place of its products."""
    return GOOD.replace("products:\n  - {sku: NB-1, name: Ember, price: 14.90 EUR}\n", text)


def report(path: Path) -> list[str]:
    """Return what is wrong with a campaign, without the folder."""
    with pytest.raises(CampaignFileError) as caught:
        campaigns.read(path)
    return [line.replace(f"{path.parent}{os.sep}", "") for line in str(caught.value).splitlines()]


def test_a_right_campaign_is_read_whole(tmp_path: Path):
    source = campaigns.read(write(tmp_path, GOOD))

    assert source.campaign.brand.name == "Northbeam"
    assert source.product_count == 1
    assert [product.price for product in source.products()] == ["14.90 EUR"]


def test_a_json_campaign_is_the_same_campaign_as_in_yaml(tmp_path: Path):
    yaml = campaigns.read(write(tmp_path, GOOD))
    text = yaml.campaign.model_dump_json(indent=4, exclude_defaults=True).replace("    ", "\t")

    source = campaigns.read(write(tmp_path, text, "campaign.json"))

    assert source.campaign == yaml.campaign
    assert source.id == yaml.id


@pytest.mark.parametrize(
    ("replaced", "by", "expected"),
    [
        ("name: spring\n", "", "1:1: name: is missing"),
        ("name: Northbeam", "name: ", "2:9: brand.name: is empty; give it a value or remove the line"),
        ("name: Northbeam", "name: '  '", "2:15: brand.name: is empty"),
        ("EUR}", "EUR", "5:10: a comma or a closing bracket is missing before this"),
        ("{name: Northbeam}", "Northbeam", "2:8: brand: needs keys with values, such as 'name: ...'"),
        ("{name: Northbeam}", "{name: N, voise: dry}", "2:18: brand.voise: unknown key; did you mean 'voice'?"),
        ("{name: Northbeam}", "{name: N, x: 1}", "2:18: brand.x: unknown key; known: name, voice, description, colors"),
        (
            "{name: Northbeam}",
            "{name: N, colors: [red]}",
            "2:27: brand.colors[0]: 'red': write a colour as '#' and six",
        ),
        ("name: spring", "name: Spring Roast", "1:7: name: 'Spring Roast': use lowercase letters, digits and hyphens"),
        ("name: spring", "name: spring\nname: autumn", "2:1: the key 'name' stands on line 1 already"),
        ("audiences", "audience", "5:1: audience: unknown key; did you mean 'audiences'?"),
        ("audiences", "audience", "1:1: audiences: is missing"),
        ("14.90 EUR", "14.90", '4:37: products[0].price: needs text; put it in quotes: "14.90"'),
        ("NB-1", "N B", "4:11: products[0].sku: 'N B': use letters, digits, '.', '_' and '-'"),
        ("sku: NB-1, ", "", "4:5: products[0].sku: is missing"),
        ("name: Ember", "name: [Ember]", "4:23: products[0].name: needs text"),
        ("name: Ember", f"name: {'x' * 201}", "4:23: products[0].name: has 201 characters; at most 200"),
        ("name: Ember", "name: Ember, url: x", "4:35: products[0].url: 'x': write a whole address"),
        ("name: Ember", 'name: "a\\0b"', "4:23: has the character U+0000, which is not text; remove it"),
        ("name: Ember", "name: !ember E", "4:23: the tag '!ember' is not known; remove it"),
        ("  - {id", "\t- {id", "6:1: a tab stands here; indent with spaces"),
        (
            "everybody",
            "everybody}\n  - {id: all, description: x",
            "7:10: audiences[1].id: 'all' stands on line 6 already",
        ),
        ("kind: copy", "kind: fax", "8:12: deliverables[0].kind: is 'fax'; known: copy, image, creative"),
        ("kind: copy", "kind: imag", "8:12: deliverables[0].kind: is 'imag'; did you mean 'image'?"),
        ("kind: copy, ", "", "8:5: deliverables[0].kind: is missing"),
        ("kind: copy", "kind: image", "8:28: deliverables[0].channel: unknown channel; known: instagram.square, "),
        (
            "variants: 2}",
            "variants: 2}\n  - {kind: image, channel: instagram.square, look: soft, loook: hard}",
            "9:58: deliverables[1].loook: unknown key; did you mean 'look'?",
        ),
        (
            "variants: 2}",
            "variants: 2}\n  - {kind: creative, channel: meta.feed}",
            "9:5: deliverables[1]: the campaign makes no pictures: add {kind: image, channel: instagram.square}",
        ),
        (
            "variants: 2}",
            "variants: 2}\n  - {kind: creative, channel: meta.feed}",
            "9:5: deliverables[1].headline: the campaign makes no meta.headline: add {kind: copy, channel: meta.headl",
        ),
        (
            "variants: 2}",
            "variants: 2}\n  - {kind: creative, channel: meta.feed, headline: blog.summary}",
            "9:52: deliverables[1].headline: is no headline; known: google_search.headline, meta.headline, email.",
        ),
        ("name: Northbeam", "name: N, logo: logo.gif", "2:24: brand.logo: 'logo.gif': a logo is a .png, .jpg or .webp"),
        ("name: Northbeam", "name: N, logo: logo.png", "2:24: brand.logo: there is no file 'logo.png' beside the camp"),
        (
            "email.subject",
            "email.subjects",
            "8:27: deliverables[0].channel: unknown channel; did you mean 'email.subject'?",
        ),
        (
            "variants: 2}",
            "variants: 2, styles: aut}",
            "8:63: deliverables[0].styles: is 'aut'; write auto, or a list of styles: benefit, question, moment",
        ),
        (
            "variants: 2}",
            "variants: 2, styles: [benefit, detial]}",
            "8:73: deliverables[0].styles[1]: is 'detial'; did you mean 'detail'?",
        ),
        (
            "variants: 2}",
            "variants: 2, styles: {a: 1}}",
            "8:63: deliverables[0].styles: write auto, or a list of styles",
        ),
        ("variants: 2}", "variants: 2, styles: []}", "8:63: deliverables[0].styles: needs at least 1 entry"),
        ("email.subject", "fax", "8:27: deliverables[0].channel: unknown channel; known: google_search.headline, "),
        (
            "variants: 2}",
            "variants: 2}\n  - {kind: copy, channel: email.subject}",
            "9:27: deliverables[1].channel: 'email.subject' stands on line 8 already; raise the variants",
        ),
        ("variants: 2", "variants: 0", "8:52: deliverables[0].variants: is 0; at least 1"),
        ("variants: 2", "variants: 51", "8:52: deliverables[0].variants: is 51; at most 50"),
        ("variants: 2", "variants: true", "8:52: deliverables[0].variants: needs a whole number, not True"),
        ("variants: 2", "variants: 1.5", "8:52: deliverables[0].variants: needs a whole number, not 1.5"),
        ("name: spring", "name: spring\nseed: -1", "2:7: seed: is -1; at least 0"),
        ("name: spring", "name: spring\nseed: 2147483648", "2:7: seed: is 2147483648; must be less than 2147483648"),
        ("name: spring", "name: spring\nversion: 2", "2:10: version: is 2; known: 1"),
        ("name: spring", "name: spring\npriority: urgent", "2:11: priority: is 'urgent'; known: interactive, normal"),
        ("name: spring", "name: spring\npriority: norml", "2:11: priority: is 'norml'; did you mean 'normal'?"),
        (
            "name: spring",
            "name: spring\nbudget: {device_seconds: 0}",
            "2:26: budget.device_seconds: is 0; must be more",
        ),
        ("name: spring", "name: spring\nbudget: {device_seconds: .inf}", "2:26: budget.device_seconds: needs a number"),
        ("name: spring", "name: spring\nlocales: [english]", "2:11: locales[0]: 'english': write a language"),
        ("name: spring", "name: spring\nlocales: [en, en]", "2:15: locales[1]: 'en' stands on line 2 already"),
        ("name: spring", "name: spring\nlocales: []", "2:10: locales: needs at least 1 entry"),
        ("name: spring", "name: spring\nlocales: en", "2:10: locales: needs a list; begin each entry with '- '"),
        ("name: spring", "name: spring: roast", "1:13: a ':' too many; put a text that has ': ' in it into quotes"),
        ("name: spring", "name: 'spring", "9:1: a quote is opened above and never closed"),
        ("name: spring", "<<: {name: spring}", "1:1: merging with '<<' is not known; write the keys out"),
        ("name: spring", "name: *spring", "1:7: '*spring' stands for nothing"),
        ("name: spring", "? [name]\n: spring", "1:3: a key must be a plain word, not a list or a mapping"),
        ("name: spring", "name: spring\n---\nname: autumn", "2:1: a second document begins here"),
        ("name: spring", "name: \x07", "1:7: has a character that is not text; remove it"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_the_way_out(tmp_path: Path, replaced: str, by: str, expected: str):
    path = write(tmp_path, GOOD.replace(replaced, by, 1))

    problems = report(path)

    assert any(problem.startswith(f"campaign.yaml:{expected}") for problem in problems), problems


@pytest.mark.parametrize(
    ("products", "expected"),
    [
        ("products: 3\n", "3:11: products: needs a list of products, or {file: products.csv}"),
        ("products:\n", "3:1: products: needs a list of products, or {file: products.csv}"),
        ("products: []\n", "3:11: products: needs at least 1 entry"),
        ("products: {file: a.txt}\n", "3:18: products.file: 'a.txt': a feed is a .csv or .jsonl file"),
        ("products: {fil: a.csv}\n", "3:12: products.fil: unknown key; did you mean 'file'?"),
        ("products: {'tuple[a': 1}\n", "3:12: products.tuple[a: unknown key; known: file"),
        (FEED, "3:18: products.file: there is no file 'products.csv' beside the campaign"),
        ("products: {file: ../p.csv}\n", "3:18: products.file: leads out of the campaign's folder"),
        ("products: {file: /etc/p.csv}\n", "3:18: products.file: leads out of the campaign's folder"),
        ("products: {file: link.csv}\n", "3:18: products.file: leads out of the campaign's folder"),
        ("products: {file: folder.csv}\n", "3:18: products.file: is not a file"),
        (f"products: {{file: {'x' * 300}.csv}}\n", "3:18: products.file: cannot be read: "),
    ],
)
def test_products_that_are_neither_a_list_nor_a_feed_are_named(tmp_path: Path, products: str, expected: str):
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "folder.csv").mkdir()
    path = write(tmp_path, with_feed(products))

    problems = report(path)

    assert len([problem for problem in problems if problem.startswith(f"campaign.yaml:{expected}")]) == 1, problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "1:1: is empty; docs/campaigns.md shows what a campaign says"),
        (b"# nothing yet\n", "1:1: needs keys with values, such as 'name: ...'"),
        (b"spring", "1:1: needs keys with values, such as 'name: ...'"),
        (b"- a\n- b\n", "1:1: needs keys with values, such as 'name: ...'"),
        (b"name: caf\xe9\n", "1:10: is not UTF-8 from here on; save it as UTF-8"),
        (GOOD.encode("utf-16"), "1:1: is not UTF-8 from here on; save it as UTF-8"),
        (b"#" * 5_000_001, "1:1: is larger than 5 MB; put the products into a feed"),
        (b"a: " + b"[" * 40, "1:19: values are nested more than 16 deep"),
        (b"%YAML 9\n---\na: b\n", "1:8: is not valid YAML"),
    ],
)
def test_what_is_no_campaign_at_all_is_one_problem(tmp_path: Path, content: bytes, expected: str):
    problems = report(write(tmp_path, content))

    assert len(problems) == 1
    assert problems[0].startswith(f"campaign.yaml:{expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"name": "spring",\n "brand": }', "2:11: is not valid JSON: expecting value"),
        ('{"name": 3}', '1:10: name: needs text; put it in quotes: "3"'),
        ('{"name": "a", "name": "b"}', "1:15: the key 'name' stands on line 1 already"),
        ('{"seed": NaN}', "1:10: seed: needs a whole number, not 'NaN'"),
        ('{"seed": ' + "9" * 5000 + "}", "1:10: seed: needs a whole number, not "),
        ("[" * 100_000, "1:1: values are nested more than 16 deep"),
        ('{"name": "\\ud800"}', "1:10: has the character U+D800, which is not text; remove it"),
    ],
)
def test_mistakes_in_json_have_places_too(tmp_path: Path, content: str, expected: str):
    problems = report(write(tmp_path, content, "campaign.json"))

    assert any(problem.startswith(f"campaign.json:{expected}") for problem in problems), problems


def test_a_file_that_cannot_be_opened_is_one_problem(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.yaml")

    assert report(tmp_path / "none.yaml") == ["none.yaml:1:1: cannot be read: No such file or directory"]
    assert report(tmp_path / "pipe.yaml") == ["pipe.yaml:1:1: is not a file"]
    assert report(Path("examples"))[0].endswith(":1:1: is a folder; name the campaign file in it")
    assert report(tmp_path / "a\0b")[0].endswith(":1:1: cannot be read: embedded null byte")


def test_every_pattern_of_the_contract_is_explained_in_words():
    schema = json.dumps(Campaign.model_json_schema())

    assert set(re.findall(r'"pattern": "(.*?)"', schema)) == {
        json.dumps(pattern)[1:-1] for pattern in problems.PATTERNS
    }


def test_a_folder_whose_name_is_not_text_can_still_be_told(tmp_path: Path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    write(folder, "sku,name\n1\n", "products.csv")

    told = report(write(folder, with_feed(FEED)))

    assert (
        told[0]
        .encode()
        .endswith(b"products.csv:2:1: has 1 cell where the header has 2; an empty cell still needs its comma")
    )


def test_an_alias_stands_for_its_value_and_a_bomb_of_them_is_refused(tmp_path: Path):
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))

    source = campaigns.read(write(tmp_path, GOOD.replace("name: spring", "name: &n spring").replace("Ember", "*n")))
    problems = report(write(tmp_path, f"a0: &a0 [{', '.join('x' * 9)}]\n{levels}", "bomb.yaml"))

    assert next(source.products()).name == "spring"
    assert problems[0].startswith("bomb.yaml:7:10: more than ")
    assert "more than 1000000 values" in problems[0]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path):
    plain = campaigns.read(write(tmp_path, GOOD))

    marked = campaigns.read(write(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))

    assert marked.id == plain.id


def test_mistakes_of_the_campaign_and_of_its_feed_are_told_together(tmp_path: Path):
    write(tmp_path, "sku,name\nNB-1,\n", "products.csv")
    path = write(tmp_path, with_feed(FEED).replace("spring", "Spring"))

    problems = report(path)

    assert [problem.split(": ")[0] for problem in problems] == ["campaign.yaml:1:7", "products.csv:2:1"]


def test_fifty_problems_are_shown_and_the_rest_is_counted(tmp_path: Path):
    path = write(tmp_path, GOOD + "".join(f"key{i}: 1\n" for i in range(60)))

    problems = report(path)

    assert len(problems) == 51
    assert problems[-1] == "campaign.yaml:58:1: and 10 more problems after this one are not shown"


def test_the_same_content_is_the_same_id_and_any_change_is_another(tmp_path: Path):
    write(tmp_path, "sku,name\nNB-1,Ember\n", "products.csv")
    path = write(tmp_path, with_feed(FEED))
    first = campaigns.read(path).id

    again = campaigns.read(write(tmp_path, "# a comment\n" + with_feed(FEED), "copy.yaml")).id
    other_seed = campaigns.read(write(tmp_path, with_feed(FEED) + "seed: 1\n")).id
    write(tmp_path, "sku,name\nNB-1,Amber\n", "products.csv")
    other_feed = campaigns.read(write(tmp_path, with_feed(FEED))).id

    assert first.startswith("spring-")
    assert len(first) == len("spring-") + 8
    assert again == first
    assert len({first, other_seed, other_feed}) == 3


def test_the_whole_file_of_the_guide_is_a_right_campaign(tmp_path: Path):
    text = Path("docs/campaigns.md").read_text().split("```yaml\n")[1].split("```")[0]

    source = campaigns.read(write(tmp_path, text))

    assert sum(1 for _ in plan.jobs(source, {Kind.COPY: "starter"})) == 6


def test_the_broken_example_and_the_guide_agree():
    with pytest.raises(CampaignFileError) as caught:
        campaigns.read(EXAMPLES / "broken.yaml")

    assert len(caught.value.problems) == 13
    assert str(caught.value) in Path("docs/campaigns.md").read_text()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
)
@pytest.mark.parametrize("name", ["campaign.yaml", "campaign.json"])
def test_any_bytes_are_a_campaign_or_a_report(tmp_path: Path, name: str, content: bytes):
    path = write(tmp_path, content, name)

    with pytest.raises(CampaignFileError) as caught:
        campaigns.read(path)

    assert str(caught.value).encode()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("email.subject"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(["name", "brand", "products", "audiences", "deliverables", "budget", "locales", "x"]),
    value=VALUES,
)
def test_any_value_of_any_key_gives_a_campaign_or_a_report(tmp_path: Path, key: str, value: object):
    content = json.loads(campaigns.read(EXAMPLES / "northbeam" / "campaign.yaml").campaign.model_dump_json())
    path = write(tmp_path, json.dumps(content | {key: value}), "campaign.json")

    try:
        found = campaigns.read(path).id
    except CampaignFileError as error:
        found = str(error)

    assert found.encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD)), length=st.integers(0, 4), text=st.text(max_size=4))
def test_any_slip_of_the_pen_gives_a_campaign_or_a_report(tmp_path: Path, at: int, length: int, text: str):
    content = (GOOD[:at] + text + GOOD[at + length :]).encode()

    try:
        found = campaigns.read(write(tmp_path, content)).id
    except CampaignFileError as error:
        found = str(error)

    assert found.encode()


def test_a_window_makes_another_campaign_and_no_campaign_without_one_changes_its_id(tmp_path: Path):
    texts = [GOOD, GOOD + "timezone: Europe/Berlin\n", *(f'{GOOD}window: "22:00-0{hour}:00"\n' for hour in (6, 7))]

    plain, zoned, night, longer_night = (campaigns.read(write(tmp_path, text)).id for text in texts)

    # As it was before there were windows: a file that was submitted then is the same campaign now.
    assert plain == zoned == "spring-3ee9472b"
    assert len({plain, night, longer_night}) == 3


def test_styles_make_another_campaign_and_no_campaign_without_them_changes_its_id(tmp_path: Path):
    styles = ("", ", styles: auto", ", styles: [benefit]", ", styles: [detail]", ", styles: [benefit, detail]")
    texts = [GOOD.replace("variants: 2}", f"variants: 2{one}}}") for one in styles]

    ids = [campaigns.read(write(tmp_path, text)).id for text in texts]

    assert ids[0] == "spring-3ee9472b"
    assert len(set(ids)) == 5
