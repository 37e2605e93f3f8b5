"""The music family: a network writes lead sheets, a band of rules plays them; a piece a job, as WAV, MIDI and picture.

The same job and attempt give the same bytes, whatever else is made beside them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import JsonValue

from core.music.moods import MusicBrief
from core.music.pieces import METERS, PITCH_CLASSES
from schemas.jobs import Job
from workers.models.decode import mixed_seed
from workers.models.music.compose import WEIGHTS, Composer, composer
from workers.models.music.encode import FORMATS, encoded
from workers.models.music.midi import midi_bytes
from workers.models.music.orders import brief_of_job
from workers.models.music.originality import Memory
from workers.models.music.picture import picture_of
from workers.models.music.produce import Music, perform, write
from workers.models.music.tunes import tunes
from workers.models.music.weights import SHIPPED
from workers.models.protocol import NO_PARTS, File, Parts, Sample
from workers.models.starter import sha256_of

STARTER = "starter"
MIDI = "audio/midi"
NEAR_COPY = "too near to a tune that the model learnt from"
KEYS = {number: name for name, number in PITCH_CLASSES.items()}


class MusicModel:
    """A loaded composer with its band. One call at a time."""

    def __init__(self, loaded: Composer, memory: Memory, version: str, device: str) -> None:
        self.version = version
        self.device = device
        self.composer = loaded
        self.memory = memory

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return one piece for each job, in their order; a near-copy of a tune that was learnt says so in `refused`."""
        briefs = [brief_of_job(job) for job in jobs]
        seeds = [mixed_seed(job.seed, attempt) for job in jobs]
        written = write(self.composer, self.memory, briefs, seeds)
        return [
            [_sample(perform(one, brief, seed), brief, job.seed, attempt)]
            for job, one, brief, seed in zip(jobs, written, briefs, seeds, strict=True)
        ]


def _sample(music: Music, brief: MusicBrief, seed: int, attempt: int) -> Sample:
    wave = encoded(music.audio, "wav")
    written = music.written
    return Sample(
        data=wave,
        content_type=FORMATS["wav"].content_type,
        score=written.score,
        recipe=_recipe(music, brief)
        | {"seed": seed, "attempt": attempt, "wav_sha256": hashlib.sha256(wave).hexdigest()},
        refused=NEAR_COPY if written.originality.is_near_copy else "",
        companions=(
            File("mid", MIDI, midi_bytes(music.score)),
            File("png", "image/png", picture_of(music.score, music.audio)),
        ),
    )


def _recipe(music: Music, brief: MusicBrief) -> dict[str, JsonValue]:
    """Return how a piece was made; its words are the piece itself, to be played again without the network."""
    written, form, mood = music.written, music.written.form, music.written.mood
    return {
        "mood": brief.mood,
        "key": f"{KEYS[music.tonic]} {mood.mode}",
        "tonic": music.tonic,
        "mode": mood.mode,
        "meter": mood.meter,
        "bpm": round(form.bpm, 2),
        "bar_seconds": METERS[mood.meter].bar / METERS[mood.meter].beat * 60 / form.bpm,
        "bars": form.bars,
        "written_bars": form.written,
        "style": mood.style,
        "manner": mood.manner,
        "energy": mood.energy,
        "tracks": [track.name for track in music.score.tracks],
        "novelty": round(written.originality.novelty, 3),
        "copied_notes": written.originality.copied_notes,
        "notes": written.originality.notes,
        "rounds": written.rounds,
        "words": " ".join(written.draft.words),
    }


def load(name: str, device: torch.device, folder: Path = SHIPPED, adapter: Path | None = None) -> MusicModel:
    """Load a folder of weights as its training exports them, with a LoRA adapter or without.

    Raises ModelLoadError with the way out. The version names the weights of the folder alone.
    """
    loaded = composer(folder, device, adapter)
    return MusicModel(loaded, Memory(tunes()), f"{name}@{sha256_of(folder / WEIGHTS)[:8]}", str(device))
