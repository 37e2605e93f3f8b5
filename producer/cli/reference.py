"""Write docs/reference/cli.md from the commands themselves: `python -m producer.cli.reference`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.main

from producer.cli import app
from producer.exports import google_ads_editor, meta_bulk, tables

WIDTH = 110
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
HEAD = """\
# The command line

Written by `python -m producer.cli.reference` from the commands themselves.

- Exit code 0: all went well. 1: the action failed. 2: wrong usage. 130: ended by Ctrl-C.
- Answers go to standard output, errors and remarks to standard error.
- `--json` writes one object a line to standard output and nothing else there; an error is one object
  `{"error": ..., "problems": [...]}` on standard error. A problem has `file`, `line`, `column`, `field`, `message`.
- `ID` is a campaign's id, its name (of several with one name the newest), or a start of the id that fits one only.
- [Settings](settings.md) are read from the environment and from `factory.env` in the home folder.
"""

FORMATS = """\
## Formats of an export

- `files`: a folder with a text file for each line (`<channel>/<sku>--<audience>--<locale>--<variant>.txt`), all of
  them in `index.csv`, and recipe and checks of each in `manifests.jsonl`. `zip`: the same in one file.
- `jsonl`: the columns of `csv` as an object a line, with `location` (where the bytes lie in S3) and `manifest`.
- A cell that begins with `=`, `+`, `-`, `@` or a tab gets an apostrophe before it, so that no spreadsheet takes it for
  a formula. The command says how many cells that are: in a file for an ad platform, look at them before you upload.
- `csv` is UTF-8; the two formats for ad platforms are UTF-8 with a byte order mark.
"""


def page() -> str:
    """Return the whole page."""
    root: Any = typer.main.get_command(app)
    parts = [HEAD]
    for name, command in _commands(root, "factory"):
        parts.append("\n".join(_command(name, command)))
    parts.append("\n".join(_formats()))
    return "\n".join(parts).rstrip() + "\n"


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name, those of inner groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _command(name: str, command: Any) -> Iterator[str]:
    """Yield the heading of a command and what its --help shows; of one that passes all on, only what it does."""
    yield f"## {name}"
    yield ""
    if command.params:
        context = typer.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
        yield f"```\n{command.get_help(context)}\n```"
    else:
        yield " ".join(command.help.split())
    yield ""


def _formats() -> Iterator[str]:
    yield FORMATS
    for name, columns in (
        ("csv", tables.COLUMNS),
        ("google-ads-editor", google_ads_editor.COLUMNS),
        ("meta-bulk", meta_bulk.COLUMNS),
    ):
        yield f"### {name}"
        yield ""
        yield "| column | what it is |"
        yield "|---|---|"
        for column, said in columns.items():
            yield f"| `{column}` | {said} |"
        yield ""


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    target.write_text(page(), encoding="utf-8")
