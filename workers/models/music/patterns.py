"""The manners of playing: what the band does with the chords of a bar, as tables to be read aloud.

Drums have one sign for each sixteenth: a digit is how loud, a dot is silence. Chords and bass have one sign for each
step of so many ticks, by the ticks of a beat: `A` is the whole chord, `u` all but its lowest note, a digit one of its
notes from below (in the bass 1, 3, 5 and 8 of the scale), a dot is silence.
"""

from dataclasses import dataclass

KICK, SNARE, RIM, CLAP, CLOSED_HAT, OPEN_HAT = 36, 38, 37, 39, 42, 46
CRASH, RIDE, TAMBOURINE, SHAKER, LOW_TOM, FLOOR_TOM, MID_TOM, HIGH_TOM = 49, 51, 54, 70, 41, 43, 47, 50

Beat = dict[int, str]

DRUM_PATTERNS: dict[str, dict[str, Beat]] = {
    "pop": {
        "4/4": {KICK: "9.....7.9.......", SNARE: "....9.......9...", CLOSED_HAT: "6.4.6.4.6.4.6.5."},
        "3/4": {KICK: "9...........", SNARE: "....7...7...", CLOSED_HAT: "6.4.6.4.6.4."},
        "6/8": {KICK: "9.....7.....", SNARE: "......9.....", CLOSED_HAT: "6.4.4.6.4.4."},
        "9/8": {KICK: "9.....6.....6.....", SNARE: "............7.....", CLOSED_HAT: "6.4.4.6.4.4.6.4.4."},
    },
    "house": {
        "4/4": {
            KICK: "9...9...9...9...",
            CLAP: "....8.......8...",
            OPEN_HAT: "..6...6...6...6.",
            SHAKER: "3.4.3.4.3.4.3.4.",
        },
        "3/4": {KICK: "9...7...7...", CLAP: "....7...7...", OPEN_HAT: "..5...5...5."},
        "6/8": {KICK: "9.....9.....", CLAP: "......8.....", CLOSED_HAT: "6.4.6.6.4.6."},
        "9/8": {KICK: "9.....9.....9.....", CLOSED_HAT: "6.4.6.6.4.6.6.4.6."},
    },
    "folk": {
        "4/4": {TAMBOURINE: "..5...6...5...6.", KICK: "7.......7.......", RIM: "....5.......5..."},
        "3/4": {KICK: "7...........", TAMBOURINE: "....5...5..."},
        "6/8": {KICK: "7.....6.....", TAMBOURINE: "..4.5...4.5.", SHAKER: "5.3.4.5.3.4."},
        "9/8": {KICK: "7.....6.....6.....", TAMBOURINE: "..4.5...4.5...4.5."},
    },
    "brush": {
        "4/4": {RIDE: "6...5.4.6...5.4.", SNARE: "....3.......3...", KICK: "5.......4......."},
        "3/4": {RIDE: "6...4...4...", KICK: "5..........."},
        "6/8": {RIDE: "6.3.4.6.3.4.", KICK: "5.....4....."},
        "9/8": {RIDE: "6.3.4.6.3.4.6.3.4.", KICK: "5................."},
    },
    "lofi": {
        "4/4": {KICK: "8......5..8.....", SNARE: "....7.......7...", CLOSED_HAT: "5.3.5.3.5.3.5.3."},
        "3/4": {KICK: "8.....5.....", SNARE: "........6...", CLOSED_HAT: "5.3.5.3.5.3."},
        "6/8": {KICK: "8.......5...", SNARE: "......7.....", CLOSED_HAT: "5.3.3.5.3.3."},
        "9/8": {KICK: "8.................", CLOSED_HAT: "5.3.3.5.3.3.5.3.3."},
    },
    "epic": {
        "4/4": {LOW_TOM: "9.......7..7....", FLOOR_TOM: "........8.....7."},
        "3/4": {LOW_TOM: "9.......7...", FLOOR_TOM: "....6......."},
        "6/8": {LOW_TOM: "9.....7..7..", FLOOR_TOM: "..........6."},
        "9/8": {LOW_TOM: "9.....7.....7.....", FLOOR_TOM: "................6."},
    },
}
# What keeps time gives way to a fill, at the end of a part.
GIVES_WAY = frozenset({SNARE, CLAP, CLOSED_HAT, OPEN_HAT, TAMBOURINE})
FILLS: dict[int, tuple[int, ...]] = {
    24: (SNARE, SNARE, HIGH_TOM, MID_TOM),
    36: (SNARE, SNARE, HIGH_TOM, HIGH_TOM, MID_TOM, FLOOR_TOM),
}
PLAYS_FILLS = frozenset({"pop", "house", "lofi", "epic"})


@dataclass(frozen=True)
class Figure:
    """Signs one after the other, each a step long; `hold` is how many steps a note sounds. Without steps: one chord."""

    step: int
    signs: str
    hold: float = 0.85
    octaves: int = 0


WHOLE = Figure(0, "A", 0.98)
CHORD_FIGURES: dict[str, dict[int, Figure]] = {
    "strum": {24: Figure(12, "A.AuAuAu", 0.9), 36: Figure(12, "A.uAuu", 0.9)},
    "pulse": {24: Figure(12, "Au", 0.9), 36: Figure(12, "A.u", 0.9)},
    "muted": {24: Figure(12, "0123", 0.6), 36: Figure(12, "012", 0.6)},
    "broken": {24: Figure(12, "0123"), 36: Figure(12, "012321")},
    "harp": {24: Figure(24, "0134", 2.2), 36: Figure(12, "012343", 2.2)},
    "sequence": {24: Figure(6, "0123", octaves=1), 36: Figure(12, "0123", octaves=1)},
    "offbeat": {24: Figure(12, ".A", 0.7), 36: Figure(12, ".Au", 0.7)},
    "lean": {24: Figure(24, "A.", 1.3), 36: Figure(36, "A", 0.8)},
    "hold": {24: WHOLE, 36: WHOLE},
}
BASS_FIGURES: dict[str, dict[int, Figure]] = {
    "walk": {24: Figure(24, "1.51", 0.8), 36: Figure(36, "15", 0.8)},
    "drive": {24: Figure(12, "11111115"), 36: Figure(12, "1.11.5")},
    "pedal": {24: Figure(0, "1", 0.98), 36: Figure(0, "1", 0.98)},
}


@dataclass(frozen=True)
class Manner:
    """A band and how it plays: instruments, figures, swing, how loud each part is."""

    lead: str
    chords: str
    bass: str
    chord_figure: str
    bass_figure: str
    pad: str | None = None
    second: str | None = None
    drums: str | None = None
    swing: float = 0.0
    volumes: tuple[int, int, int, int, int] = (100, 70, 84, 52, 92)


MANNERS = {
    "acoustic": Manner("flute", "acoustic guitar", "acoustic bass", "strum", "walk", None, "fiddle", "folk"),
    "pop": Manner("vibraphone", "piano", "electric bass", "pulse", "drive", "strings", "square lead", "pop"),
    "corporate": Manner(
        "marimba", "electric guitar", "electric bass", "muted", "drive", "warm pad", "glockenspiel", "house"
    ),
    "lofi": Manner("vibraphone", "electric piano", "fretless bass", "lean", "walk", None, None, "lofi", swing=0.16),
    "cinematic": Manner(
        "horn",
        "pizzicato strings",
        "double bass",
        "broken",
        "pedal",
        "strings",
        "strings",
        "epic",
        volumes=(96, 72, 88, 64, 86),
    ),
    "ambient": Manner("flute", "harp", "acoustic bass", "harp", "pedal", "warm pad", volumes=(88, 64, 70, 56, 0)),
    "playful": Manner(
        "marimba", "pizzicato strings", "acoustic bass", "offbeat", "walk", None, "glockenspiel", "brush"
    ),
    "electronic": Manner(
        "saw lead",
        "square lead",
        "synth bass",
        "sequence",
        "drive",
        "synth pad",
        None,
        "house",
        volumes=(82, 44, 90, 56, 96),
    ),
    "solemn": Manner("oboe", "strings", "cello", "hold", "pedal", "organ", volumes=(92, 66, 72, 44, 0)),
}
