"""What an export wrote, and what a person should know about it; cells that no spreadsheet takes for a formula."""

from collections import Counter
from dataclasses import dataclass, field

from schemas.campaigns import Kind

# A cell that begins so is a formula to a spreadsheet, and a text from a feed must never become one.
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")

Row = list[str | int | float]


@dataclass
class Written:
    """Counts of an export, added up while it is written."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    rows: int = 0
    escaped_cells: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    # Ad groups that a platform takes and then does not run, by what they lack.
    incomplete: Counter[str] = field(default_factory=Counter)

    @property
    def assets(self) -> int:
        """Return how many assets were written, of all kinds."""
        return self.kinds.total()

    def cells(self, row: Row) -> list[str]:
        """Return a row as texts, each safe to open in a spreadsheet."""
        self.rows += 1
        return [self._cell(value) for value in row]

    def _cell(self, value: str | float) -> str:
        if isinstance(value, str) and value.startswith(FORMULA_MARKS):
            self.escaped_cells += 1
            return f"'{value}"
        return str(value)

    def notes(self) -> list[str]:
        """Return what a person should know before the file is used."""
        notes = []
        if self.escaped_cells:
            notes.append(f"{self.escaped_cells} cells begin like a formula and were written with an apostrophe before")
        for channel, count in sorted(self.left_out.items()):
            notes.append(f"{count} assets of {channel} have no place in this format")
        for lack, count in sorted(self.incomplete.items()):
            notes.append(f"{'1 ad group has' if count == 1 else f'{count} ad groups have'} {lack}")
        return notes
