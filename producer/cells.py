"""The cells of a table as text: where each begins, and whether a quoted one is still open."""

from producer.documents import Place


def cell_places(text: str, line: int, separator: str = ",") -> list[Place]:
    """Return where each cell of a row begins, counting as the csv module reads."""
    return _walk(text.rstrip("\r\n"), line, separator)[0]


def is_open(text: str, separator: str) -> bool:
    """Tell whether a row goes on in the next line, since a quoted cell of it has not been closed."""
    # Walking through each character is slow, and most rows have no quotes.
    return '"' in text and _walk(text, 1, separator)[1]


def _walk(text: str, line: int, separator: str) -> tuple[list[Place], bool]:
    places = [Place(line, 1)]
    column, is_quoted, is_inside = 0, False, False
    for character in text:
        column += 1
        if column == places[-1].column and line == places[-1].line:
            # A quote counts only in a cell that begins with one.
            is_quoted = is_inside = character == '"'
        elif character == '"' and is_quoted:
            is_inside = not is_inside
        if character == "\n":
            line, column = line + 1, 0
        elif character == separator and not is_inside:
            places.append(Place(line, column + 1))
    return places, is_inside
