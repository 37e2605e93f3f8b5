"""The project keeps its own rules: what STYLE.md says and what the documents claim, as far as a program can see it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from core.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "core", "producer", "workers", "deploy")
CODE = (*PACKAGES, "benchmarks")
# Hidden folders belong to tools, but this one is ours.
OUR_HIDDEN_FOLDER = ".ci"
NOT_OURS = {"__pycache__", "dist", "build"}

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60
SHORT_FUNCTION_LINES = 40
LEAST_SHARE_OF_SHORT_FUNCTIONS = 0.98
NAMES_THAT_SAY_NOTHING = (
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "shared",
    "base_*",
    "*_base",
    "*_utils",
)
# In brackets, so that this line is not one of them.
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b")
# A path of the machine on which somebody worked, instead of one that everybody has.
FOREIGN_PATH = re.compile(r"(?<![\w.])/(?:work|root|Users|home/\w+)/")

TEST_FOLDERS = {"unit", "integration", "browser", "e2e", "faults", "servers", "support"}
SERVERS = {
    "valkey_url",
    "broker_url",
    "s3_endpoint",
    "postgres_server",
    "postgres_url",
    "settings",
    "storage",
    "ledger",
}
LEAST_WORDS_OF_A_CLAIM = 3
# Written like a setting, and none: the line in which `factory up` keeps its choices.
NOT_SETTINGS = {"FACTORY_EMBEDDED"}


@cache
def files() -> tuple[Path, ...]:
    """Return every file of the project, without those of tools."""

    def walk(folder: Path) -> Iterator[Path]:
        for entry in sorted(folder.iterdir()):
            if entry.is_file():
                yield entry
            elif is_ours(entry.name):
                yield from walk(entry)

    return tuple(walk(ROOT))


def is_ours(folder: str) -> bool:
    hidden = folder.startswith(".") and folder != OUR_HIDDEN_FOLDER
    return not hidden and folder not in NOT_OURS and not folder.endswith(".egg-info")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def texts() -> dict[str, str]:
    """Return every file that a person reads, by its path."""
    readable = {".py", ".md", ".yaml", ".toml", ".txt", ".mako", ".json", ""}
    found = [path for path in files() if path.suffix in readable and path.name != ".coverage"]
    return {name_of(path): path.read_text(encoding="utf-8") for path in found}


@cache
def modules() -> dict[str, ast.Module]:
    return {name: ast.parse(text) for name, text in texts().items() if name.endswith(".py")}


def of(folders: tuple[str, ...]) -> dict[str, ast.Module]:
    return {name: tree for name, tree in modules().items() if name.partition("/")[0] in folders}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def documents() -> dict[str, str]:
    return {name: text for name, text in texts().items() if name.endswith(".md")}


def links(text: str) -> list[tuple[str, str]]:
    """Return text and target of each link that leads to another file or heading of the project."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\[([^\]]+)\]\(([^)\s]+)\)", without_blocks)
    return [(shown, target) for shown, target in found if "://" not in target]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_module_is_longer_than_a_reader_holds_in_mind():
    lengths = {name: len(texts()[name].splitlines()) for name in of(CODE)}

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_functions_are_short_and_none_is_long():
    # A migration is one list of tables.
    own = {name: tree for name, tree in of(CODE).items() if "/migrations/" not in name}
    lengths = {
        f"{name}: {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for name, tree in own.items()
        for function in functions(tree)
    }
    short = [length for length in lengths.values() if length <= SHORT_FUNCTION_LINES]

    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION} == {}
    assert len(short) >= LEAST_SHARE_OF_SHORT_FUNCTIONS * len(lengths)


def test_every_module_begins_by_saying_what_is_in_it():
    assert [name for name, tree in of(CODE).items() if not ast.get_docstring(tree)] == []


def test_every_name_of_a_module_says_something():
    wrong = [name for name in modules() for pattern in NAMES_THAT_SAY_NOTHING if fnmatchcase(Path(name).stem, pattern)]

    assert wrong == []


def test_nothing_is_left_for_later():
    # The style itself names what it forbids.
    wrong = [name for name, text in texts().items() if UNFINISHED.search(text) and name != "STYLE.md"]

    assert wrong == []


def test_no_file_names_the_machine_it_was_written_on():
    assert {name: found[0] for name, text in texts().items() if (found := FOREIGN_PATH.search(text))} == {}


def test_every_link_leads_to_a_file_and_heading_that_are_there():
    broken = []
    for name, text in documents().items():
        for _, target in links(text):
            path, _, anchor = target.partition("#")
            file = (ROOT / name).parent / path if path else ROOT / name
            if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
                broken.append(f"{name}: {target}")

    assert broken == []


def test_every_test_that_a_document_calls_a_proof_is_there():
    missing = []
    for name, text in documents().items():
        for shown, target in links(text):
            test = shown.strip("`")
            file = (ROOT / name).parent / target
            if test.startswith("test_") and f"def {test}(" not in (file.read_text("utf-8") if file.exists() else ""):
                missing.append(f"{name}: {test}")

    assert missing == []


def test_every_document_is_reached_from_the_index():
    index = documents()["docs/README.md"]
    reached = {((ROOT / "docs") / target.partition("#")[0]).resolve() for _, target in links(index)}
    pages = [ROOT / name for name in documents() if name.startswith("docs/") and name != "docs/README.md"]

    assert [name_of(page) for page in pages if page.resolve() not in reached] == []


def test_every_word_of_the_glossary_is_used_where_it_says():
    wrong = []
    for word, where in re.findall(
        r"^\| \*\*(.+?)\*\* \|.*\| (`.+`) \|$", documents()["docs/glossary.md"], re.MULTILINE
    ):
        pattern = re.compile(re.sub(r"[ -]", "[ _-]", word), re.IGNORECASE)
        for place in re.findall(r"`([^`]+)`", where):
            used = [text for name, text in texts().items() if name.startswith(place) and pattern.search(text)]
            if not used:
                wrong.append(f"{word}: {place}")

    assert wrong == []


def test_every_setting_is_in_the_reference():
    page = documents()["docs/reference/settings.md"]

    assert [name for name in Settings.model_fields if f"`FACTORY_{name.upper()}`" not in page] == []


@pytest.mark.parametrize("name", [*documents(), "Makefile"])
def test_every_variable_that_is_written_about_is_a_setting(name: str):
    settings = {f"FACTORY_{field.upper()}" for field in Settings.model_fields} | NOT_SETTINGS
    # `FACTORY_S3_*` stands for all that begin so.
    written = set(re.findall(r"FACTORY_[A-Z0-9_]+", texts()[name]))

    unknown = [
        one for one in written if not (one in settings or (one[-1] == "_" and any(s.startswith(one) for s in settings)))
    ]

    assert unknown == []


def test_tests_lie_in_the_folders_that_say_what_they_touch():
    names = [name for name in modules() if name.startswith("tests/")]
    folders = {name.split("/")[1] for name in names if name.count("/") > 1}
    misplaced = [name for name in names if name.count("/") == 1 and name != "tests/conftest.py"]

    assert folders <= TEST_FOLDERS
    assert misplaced == []
    assert [name for name in names if name.endswith("__init__.py")] == []


def test_unit_tests_mirror_the_packages():
    folders = {Path(name).parent.relative_to("tests/unit") for name in modules() if name.startswith("tests/unit/")}

    assert [folder for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []


def test_unit_tests_ask_for_no_server():
    wrong = []
    for name, tree in modules().items():
        if name.startswith("tests/unit/"):
            local = {function.name for function in functions(tree)}
            asked = {argument.arg for function in functions(tree) for argument in function.args.args}
            wrong += [f"{name}: {one}" for one in sorted((asked & SERVERS) - local)]

    assert wrong == []


def test_the_name_of_a_test_is_a_claim():
    tests = [
        function.name
        for name, tree in modules().items()
        if name.startswith("tests/")
        for function in functions(tree)
        if function.name.startswith("test_")
    ]

    assert [name for name in tests if len(name.split("_")[1:]) < LEAST_WORDS_OF_A_CLAIM] == []


def test_no_test_is_skipped():
    skips = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    found = [name for name, text in texts().items() if name.startswith("tests/") and skips.search(text)]

    assert found == []


def test_the_packages_are_the_same_for_every_tool():
    project = tomllib.loads(texts()["pyproject.toml"])["tool"]
    lists = (
        project["hatch"]["build"]["targets"]["wheel"]["packages"],
        project["mypy"]["packages"],
        project["importlinter"]["root_packages"],
        project["ruff"]["lint"]["isort"]["known-first-party"],
    )

    found = {path.parent.name for path in files() if path.name == "__init__.py" and path.parent.parent == ROOT}

    assert found == set(PACKAGES)
    assert [set(one) for one in lists] == [found] * len(lists)


def test_no_data_of_a_package_is_left_out_of_the_wheel():
    # hatchling leaves out what git ignores and says nothing about it.
    patterns = [line.rstrip("/") for line in texts()[".gitignore"].splitlines() if line and not line.startswith("#")]
    anchored = {pattern[1:] for pattern in patterns if pattern.startswith("/")}
    anywhere = [pattern for pattern in patterns if not pattern.startswith("/")]
    inside = [path.relative_to(ROOT) for path in files() if name_of(path).partition("/")[0] in PACKAGES]

    ignored = [path for path in inside for part in path.parts for pattern in anywhere if fnmatchcase(part, pattern)]

    # Anything more would need the rules of git.
    assert [pattern for pattern in patterns if "/" in pattern[1:] or pattern.startswith("!")] == []
    assert anchored.isdisjoint(PACKAGES)
    assert ignored == []
