"""Write what a producer must know of the fonts: `python -m workers.models.creative.typeface` after changing them."""

import json
from pathlib import Path

from PIL import ImageFont

from schemas import typeface
from workers.models.creative.typeset import FONTS, Weight

# The last character of the typeface lies below this.
END = 0x3000
# What a font lacks, it shows as the glyph of this one, which no font has.
NO_CHARACTER = "\uffff"
SMALL, LARGE = 24, 1000


def written() -> str:
    """Return the table of characters and their widths, in thousandths of the size, a line each."""
    # Without shaping, each character is looked up by itself.
    faces = [
        [
            ImageFont.truetype(str(FONTS.joinpath(weight)), size, layout_engine=ImageFont.Layout.BASIC)
            for weight in Weight
        ]
        for size in (SMALL, LARGE)
    ]
    small, large = faces
    shown = [chr(code) for code in range(0x20, END) if all(_has(face, chr(code)) for face in small)]
    rows = [f"{json.dumps(one)}: {json.dumps([round(face.getlength(one)) for face in large])}" for one in shown]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _has(face: ImageFont.FreeTypeFont, character: str) -> bool:
    found, missing = face.getmask(character), face.getmask(NO_CHARACTER)
    return found.size != missing.size or bytes(found) != bytes(missing)


if __name__ == "__main__":
    Path(str(typeface.DATA)).write_text(written(), encoding="utf-8")
