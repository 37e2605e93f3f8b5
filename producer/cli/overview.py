"""The list of commands as `factory --help` shows it: under headings, each with its whole first sentence."""

from typing import Any

from typer.core import TyperGroup

OTHERS = "Commands"


class Overview(TyperGroup):
    """A group of commands that is listed under headings. Plain text: loading rich would double the time of --help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their headings, in the order in which they were added."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            panel = getattr(command, "rich_help_panel", None)
            heading = panel if isinstance(panel, str) else OTHERS
            panels.setdefault(heading, []).append((name, first_sentence(command.help or "")))
        width = max(len(name) for rows in panels.values() for name, _ in rows)
        for heading, rows in panels.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])


def first_sentence(text: str) -> str:
    """Return a help text up to its first full stop or semicolon."""
    return " ".join(text.split()).partition(". ")[0].partition("; ")[0].removesuffix(".")
