"""The instruments of the band, by the names that a brief uses, with their General MIDI programs and what they can play.

Only these are in the shipped sound font.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import UnknownIdError

Role = Literal["lead", "chords", "bass", "pad"]
DRUMS = "drums"


@dataclass(frozen=True)
class Instrument:
    """A program of General MIDI, and the roles that suit it."""

    name: str
    program: int
    roles: frozenset[Role]


def _instrument(name: str, program: int, *roles: Role) -> Instrument:
    return Instrument(name, program, frozenset(roles))


INSTRUMENTS = {
    one.name: one
    for one in (
        _instrument("piano", 0, "lead", "chords"),
        _instrument("electric piano", 4, "lead", "chords"),
        _instrument("glockenspiel", 9, "lead"),
        _instrument("vibraphone", 11, "lead"),
        _instrument("marimba", 12, "lead", "chords"),
        _instrument("organ", 19, "chords", "pad"),
        _instrument("nylon guitar", 24, "lead", "chords"),
        _instrument("acoustic guitar", 25, "chords"),
        _instrument("electric guitar", 27, "lead", "chords"),
        _instrument("acoustic bass", 32, "bass"),
        _instrument("electric bass", 33, "bass"),
        _instrument("fretless bass", 35, "bass"),
        _instrument("synth bass", 38, "bass"),
        _instrument("cello", 42, "lead", "bass"),
        _instrument("double bass", 43, "bass"),
        _instrument("pizzicato strings", 45, "chords"),
        _instrument("harp", 46, "chords"),
        _instrument("strings", 48, "lead", "chords", "pad"),
        _instrument("horn", 60, "lead"),
        _instrument("oboe", 68, "lead"),
        _instrument("flute", 73, "lead"),
        _instrument("pan flute", 75, "lead"),
        _instrument("square lead", 80, "lead", "chords"),
        _instrument("saw lead", 81, "lead", "chords"),
        _instrument("warm pad", 89, "pad"),
        _instrument("synth pad", 90, "pad"),
        _instrument("banjo", 105, "chords"),
        _instrument("fiddle", 110, "lead"),
    )
}


def unknown_instruments(names: Sequence[str]) -> list[str]:
    """Return the names that the band does not know."""
    return [name for name in names if name != DRUMS and name not in INSTRUMENTS]


def program_for(role: Role, wished: Sequence[str], usual: str | None) -> int | None:
    """Return the first wished instrument that suits a role, else the usual one; raises UnknownIdError."""
    for name in unknown_instruments(wished):
        raise UnknownIdError(f"there is no instrument {name!r}: known are {', '.join(INSTRUMENTS)} and {DRUMS}")
    fitting = [name for name in wished if name in INSTRUMENTS and role in INSTRUMENTS[name].roles]
    # What was wished and serves as lead need not play the chords as well.
    chosen = fitting[-1] if role == "chords" and len(fitting) > 1 else fitting[0] if fitting else usual
    return INSTRUMENTS[chosen].program if chosen else None
