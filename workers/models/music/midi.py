"""What is played, as data and as a MIDI file: the same score gives the same bytes."""

import io
from dataclasses import dataclass, field

import mido

from core.music.pieces import METERS, QUARTER

TICKS_A_QUARTER = 480
TICKS = TICKS_A_QUARTER // QUARTER
DRUM_CHANNEL = 9
VOLUME, PAN, REVERB, CHORUS = 7, 10, 91, 93


@dataclass(frozen=True, order=True)
class Strike:
    """One note that is played; times in ticks of MIDI."""

    start: int
    ticks: int
    pitch: int
    velocity: int


@dataclass
class Track:
    """One instrument of the band and what it plays."""

    name: str
    program: int
    volume: int
    pan: int = 64
    reverb: int = 40
    is_drums: bool = False
    strikes: list[Strike] = field(default_factory=list)


@dataclass(frozen=True)
class Score:
    """All tracks; `ticks` is where the last bar ends."""

    meter: str
    bpm: float
    ticks: int
    tracks: tuple[Track, ...]

    @property
    def quarters_a_minute(self) -> float:
        """Return the tempo as MIDI counts it."""
        return self.bpm * METERS[self.meter].beat / QUARTER

    def seconds(self, ticks: float) -> float:
        """Return when a tick sounds."""
        return ticks / TICKS_A_QUARTER * 60 / self.quarters_a_minute


def midi_bytes(score: Score, *, times: int = 1, ring_seconds: float = 0.0) -> bytes:
    """Return a file that plays the score so many times; what rings on is kept for so long."""
    file = mido.MidiFile(ticks_per_beat=TICKS_A_QUARTER)
    conductor = mido.MidiTrack()
    above, below = (int(part) for part in score.meter.split("/"))
    conductor.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(score.quarters_a_minute)))
    conductor.append(mido.MetaMessage("time_signature", numerator=above, denominator=below))
    file.tracks.append(conductor)
    ring = round(ring_seconds * score.quarters_a_minute / 60 * TICKS_A_QUARTER)
    melodic = [channel for channel in range(16) if channel != DRUM_CHANNEL]
    for number, track in enumerate(score.tracks):
        channel = DRUM_CHANNEL if track.is_drums else melodic[number]
        file.tracks.append(_track(track, channel, score.ticks, times, ring))
    data = io.BytesIO()
    file.save(file=data)
    return data.getvalue()


def _track(track: Track, channel: int, ticks: int, times: int, ring: int) -> mido.MidiTrack:
    events = []
    for i in range(times):
        for strike in track.strikes:
            start = strike.start + i * ticks
            # Ends go before beginnings of the same moment, so that a note that is struck again sounds.
            events.append(
                (start, 1, mido.Message("note_on", channel=channel, note=strike.pitch, velocity=strike.velocity))
            )
            events.append((start + strike.ticks, 0, mido.Message("note_off", channel=channel, note=strike.pitch)))
    # The renderer stops at the last event: one more, which changes nothing, lets the end ring.
    events.append((times * ticks + ring, 2, mido.Message("control_change", channel=channel, control=CHORUS, value=0)))
    events.sort(key=lambda event: (event[0], event[1], getattr(event[2], "note", 0)))
    written = mido.MidiTrack([mido.MetaMessage("track_name", name=track.name)])
    written.append(mido.Message("program_change", channel=channel, program=track.program))
    for control, value in ((VOLUME, track.volume), (PAN, track.pan), (REVERB, track.reverb)):
        written.append(mido.Message("control_change", channel=channel, control=control, value=value))
    now = 0
    for at, _, message in events:
        written.append(message.copy(time=at - now))
        now = at
    return written
