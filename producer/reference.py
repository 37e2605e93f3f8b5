"""Write the reference pages that follow from the code: `python -m producer.reference` puts them into docs/reference."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.music.instruments import DRUMS, INSTRUMENTS
from core.music.moods import MOODS
from core.music.pieces import METERS
from core.settings import Settings
from schemas.campaigns import Campaign
from schemas.channels import ChannelSpec, Severity, channels
from schemas.layouts import layouts
from schemas.music import MusicChannel, music_channels
from schemas.pictures import PictureChannel, picture_channels

_FOLDER = Path(__file__).parent.parent / "docs" / "reference"
MEBIBYTE = 1024 * 1024
_OVER = {Severity.REJECTED: "rejected by the platform", Severity.CUT: "shown cut off"}


def pages() -> dict[str, str]:
    """Return the text of every reference page by its file name."""
    return {
        "campaign.schema.json": json.dumps(campaign_schema(), indent=2) + "\n",
        "channels.md": "\n".join(_channels(channels().values())) + "\n",
        "music.md": "\n".join(_music(music_channels().values())) + "\n",
        "pictures.md": "\n".join(_pictures(picture_channels().values())) + "\n",
        "settings.md": "\n".join(_settings()) + "\n",
    }


def write(folder: Path) -> None:
    """Write every reference page into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def campaign_schema() -> dict[str, Any]:
    """Return the JSON Schema of a campaign file, for editors that complete and check while one types."""
    schema = Campaign.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    for name, known in (
        ("CopyDeliverable", channels()),
        ("ImageDeliverable", picture_channels()),
        ("CreativeDeliverable", picture_channels()),
        ("MusicDeliverable", music_channels()),
    ):
        schema["$defs"][name]["properties"]["channel"]["enum"] = list(known)
    music = schema["$defs"]["MusicDeliverable"]["properties"]
    music["mood"]["enum"] = list(MOODS)
    music["instruments"]["items"]["enum"] = [*INSTRUMENTS, DRUMS]
    name_or_nothing = schema["$defs"]["CreativeDeliverable"]["properties"]["layout"]["anyOf"]
    name_or_nothing[0]["enum"] = list(layouts())
    return schema


def _channels(specs: Iterable[ChannelSpec]) -> list[str]:
    lines = [
        "# Channels",
        "",
        "Written by `python -m producer.reference` from `schemas/data/channels.yaml`.",
        "Characters are Unicode code points.",
        "",
        "| channel | what it is | characters | longer lines are | shape | checked on |",
        "|---|---|---|---|---|---|",
    ]
    for spec in specs:
        title = f"[{spec.title}]({spec.source})"
        size = f"{spec.min_characters}-{spec.max_characters}"
        lines.append(f"| `{spec.id}` | {title} | {size} | {_OVER[spec.severity]} | {spec.shape} | {spec.checked_on} |")
    return lines


def _music(specs: Iterable[MusicChannel]) -> list[str]:
    lines = [
        "# Music channels",
        "",
        "Written by `python -m producer.reference` from `schemas/data/music.yaml` and `core/music`.",
        "",
        "| channel | what it is | seconds, if not said | from | to | checked on |",
        "|---|---|---|---|---|---|",
    ]
    for spec in specs:
        title = f"[{spec.title}]({spec.source})" if spec.source else spec.title
        lengths = f"{spec.seconds:g} | {spec.least_seconds:g} | {spec.most_seconds:g}"
        lines.append(f"| `{spec.id}` | {title} | {lengths} | {spec.checked_on} |")
    lines += [
        "",
        "## Moods",
        "",
        "Energy goes from 1, calm, to 5, busy. What a deliverable says itself goes before what its mood stands for.",
        "",
        "| mood | scale | meter | beats a minute | energy |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| `{name}` | {one.mode} | {one.meter} | {one.bpm} | {one.energy} |" for name, one in MOODS.items()]
    names = ", ".join(f"`{name}`" for name in [*INSTRUMENTS, DRUMS])
    return [*lines, "", "## Instruments", "", f"{names}.", "", f"Meters: {', '.join(METERS)}."]


def _pictures(specs: Iterable[PictureChannel]) -> list[str]:
    lines = [
        "# Picture channels",
        "",
        "Written by `python -m producer.reference` from `schemas/data/pictures.yaml`.",
        "The margins (top, right, bottom, left) are covered by the place's own buttons: no text stands there.",
        "",
        "| channel | what it is | pixels | formats | largest file | margins in % | checked on |",
        "|---|---|---|---|---|---|---|",
    ]
    for spec in specs:
        title, size = f"[{spec.title}]({spec.source})", f"{spec.width} x {spec.height}"
        margins = (spec.margins.top, spec.margins.right, spec.margins.bottom, spec.margins.left)
        around = ", ".join(f"{part:.0%}".removesuffix("%") for part in margins) if any(margins) else ""
        largest = (
            f"{spec.max_bytes / 1024:.0f} KiB" if spec.max_bytes < MEBIBYTE else f"{spec.max_bytes / MEBIBYTE:.0f} MiB"
        )
        formats = ", ".join(spec.formats)
        lines.append(f"| `{spec.id}` | {title} | {size} | {formats} | {largest} | {around} | {spec.checked_on} |")
    return lines


def _settings() -> list[str]:
    lines = [
        "# Settings",
        "",
        "Written by `python -m producer.reference` from `core/settings.py`. Each is an environment variable, read",
        "where a process starts; what is not set there is looked up in `factory.env` in the home folder.",
        "",
        "| variable | default | what it is |",
        "|---|---|---|",
    ]
    for name, setting in Settings.model_fields.items():
        default = setting.default.get_secret_value() if isinstance(setting.default, SecretStr) else setting.default
        value = "(empty)" if default is None else f"`{default}`"
        lines.append(f"| `FACTORY_{name.upper()}` | {value} | {setting.description} |")
    return lines


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else _FOLDER)
