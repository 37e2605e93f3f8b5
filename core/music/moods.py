"""What a brief for music may ask, and what its mood means to the network and to the band."""

import re
from dataclasses import dataclass

from core.errors import UnknownIdError
from core.music.pieces import METERS, MODES, PITCH_CLASSES, root
from schemas.jobs import MusicOrder

KEYS = re.compile(r"(?P<tonic>[A-G][#b]?)\s*(?P<mode>m|minor|major|dorian|mixolydian)?", re.IGNORECASE)
FLATS = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb", "Cb": "B", "E#": "F", "Fb": "E", "B#": "C"}


@dataclass(frozen=True)
class Mood:
    """What a mood stands for, where the brief does not say otherwise."""

    mode: str
    meter: str
    style: str
    energy: int
    manner: str
    bpm: int


MOODS = {
    "upbeat": Mood("major", "4/4", "reel", 4, "pop", 116),
    "happy": Mood("major", "6/8", "jig", 3, "acoustic", 100),
    "calm": Mood("major", "4/4", "air", 1, "ambient", 76),
    "solemn": Mood("minor", "4/4", "air", 1, "solemn", 72),
    "playful": Mood("major", "4/4", "hornpipe", 3, "playful", 112),
    "epic": Mood("minor", "4/4", "march", 2, "cinematic", 88),
    "corporate": Mood("major", "4/4", "march", 2, "corporate", 112),
    "lofi": Mood("dorian", "4/4", "air", 1, "lofi", 78),
    "romantic": Mood("major", "3/4", "waltz", 1, "ambient", 80),
    "electronic": Mood("minor", "4/4", "reel", 5, "electronic", 124),
}
# The tempo of each manner of playing, in beats a minute.
TEMPI = {
    "acoustic": (92, 126),
    "pop": (96, 124),
    "corporate": (100, 124),
    "lofi": (70, 88),
    "cinematic": (72, 100),
    "ambient": (60, 84),
    "playful": (104, 132),
    "electronic": (110, 128),
    "solemn": (60, 84),
}
# A meter that the mood did not mean has a style of its own.
STYLE_OF_METER = {"3/4": "waltz", "6/8": "jig", "9/8": "slipjig"}


@dataclass(frozen=True)
class MusicBrief:
    """What is wanted. None leaves it to the mood; `instruments` may also be empty."""

    mood: str
    seconds: float
    energy: int | None = None
    bpm: float | None = None
    meter: str | None = None
    key: str | None = None
    instruments: tuple[str, ...] = ()
    is_loop: bool = False


def brief_of(order: MusicOrder) -> MusicBrief:
    """Return what a job asks for."""
    return MusicBrief(**order.model_dump())


def mood_of(brief: MusicBrief) -> Mood:
    """Return the mood with all that the brief says itself; raises UnknownIdError."""
    mood = MOODS.get(brief.mood)
    if mood is None:
        raise UnknownIdError(f"there is no mood {brief.mood!r}: known are {', '.join(MOODS)}")
    meter = brief.meter or mood.meter
    if meter not in METERS:
        raise UnknownIdError(f"there is no meter {meter!r}: known are {', '.join(METERS)}")
    style = mood.style if meter == mood.meter else STYLE_OF_METER.get(meter, "march")
    mode = (brief.key and key_of(brief.key)[1]) or mood.mode
    return Mood(mode, meter, style, brief.energy or mood.energy, mood.manner, round(brief.bpm or mood.bpm))


def key_of(text: str) -> tuple[int, str | None]:
    """Return the pitch class of the tonic of a key such as `D` or `F# minor`, and its mode if it has one."""
    found = KEYS.fullmatch(text.strip())
    if not found:
        raise UnknownIdError(f"there is no key {text!r}: write for example D, F# minor or Bb dorian")
    tonic = found["tonic"][0].upper() + found["tonic"][1:]
    mode = (found["mode"] or "").lower()
    return PITCH_CLASSES[FLATS.get(tonic, tonic)], {"m": "minor", "": None}.get(mode, mode)


def steps_to_key(tonic: int, mode: str) -> int:
    """Return how many semitones a piece must be moved, down or up, to stand on a tonic."""
    return (tonic - root(MODES[mode].tonic) + 6) % 12 - 6
