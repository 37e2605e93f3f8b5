"""The note in a file of music: a generative model made it, and which. Players show it as the comment."""

import io
from html import escape

import mido

from core.errors import ProvenanceError
from core.provenance import TOLD_OF_MUSIC, Origin, generator


def note(origin: Origin) -> str:
    """Return the note, in the words that the IPTC has for pictures."""
    told = {
        "DigitalSourceType": origin.source.uri,
        "AISystemUsed": origin.model,
        "AISystemVersionUsed": origin.version,
        "CreatorTool": generator(),
    }
    # Not every format takes other letters.
    words = (f'{name}="{escape(value)}"' for name, value in told.items())
    return f"{TOLD_OF_MUSIC} {' '.join(words)}".encode("ascii", "xmlcharrefreplace").decode()


def noted_midi(data: bytes, origin: Origin) -> bytes:
    """Return a MIDI file with the note as its first text."""
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
        file.tracks[0].insert(0, mido.MetaMessage("text", text=note(origin)))
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise ProvenanceError(f"the MIDI file cannot be marked: {error}") from error
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
