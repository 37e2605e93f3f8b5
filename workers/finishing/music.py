"""Finishing of music: a recording as WAV, MP3 and Opus beside its notes and picture, all marked and signed; judged."""

import hashlib
from collections.abc import Collection, Iterator
from functools import cached_property

from core.errors import RejectedError
from core.provenance import SIDECAR_ENDING, SIDECAR_TYPE, SIDECARS, Origin, Source
from core.settings import Settings
from schemas.assets import Check
from schemas.jobs import Job
from workers.finishing.protocol import Finished
from workers.models.music import checks
from workers.models.music.encode import FORMATS, Tags, decoded, encoded, samples_of
from workers.models.protocol import File, Sample
from workers.signing.music_notes import note, noted_midi
from workers.signing.signer import Signer

# Beside the WAV, which editors want.
DELIVERED = ("mp3", "ogg")
MIDI = "mid"


class MusicFinisher:
    """Finishes pieces of music."""

    is_small = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _signer(self) -> Signer:
        return Signer(self._settings)

    def finish(self, job: Job, sample: Sample, version: str) -> Finished:
        """Return the recording as a WAV with all its companions."""
        if sample.refused:
            raise RejectedError(sample.refused)
        name, _, sha256 = version.rpartition("@")
        origin = Origin(Source.GENERATED, name or version, sha256)
        shown = _shown(job, sample)
        title = f"{job.brief.brand.name}: {shown}"
        samples = samples_of(sample.data)
        tags = Tags(title, job.brief.brand.name, note(origin))
        wave = self._signer.sign(encoded(samples, "wav", tags), origin, title)
        made = [File(one, FORMATS[one].content_type, encoded(samples, one, tags)) for one in DELIVERED]
        companions = (file for one in (*made, *sample.companions) for file in self._marked(one, origin, title))
        return Finished(
            data=wave,
            content_type=sample.content_type,
            preview=shown,
            # Signatures have other bytes each time; these are the same for the same job and attempt.
            fingerprint=hashlib.sha256(sample.data).hexdigest(),
            likeness=checks.fingerprint(decoded(sample.data)),
            companions=tuple(companions),
            recipe=sample.recipe,
        )

    def _marked(self, file: File, origin: Origin, title: str) -> Iterator[File]:
        """Yield a file with its signature inside, or with one beside it where its format has no room for that."""
        data = noted_midi(file.data, origin) if file.ending == MIDI else file.data
        if file.content_type in SIDECARS:
            yield File(file.ending, file.content_type, data)
            signature = self._signer.sidecar(data, origin, title)
            yield File(f"{file.ending}.{SIDECAR_ENDING}", SIDECAR_TYPE, signature)
        elif file.content_type.startswith("image/"):
            yield File(file.ending, file.content_type, self._signer.mark(data, origin, title))
        else:
            yield File(file.ending, file.content_type, self._signer.sign(data, origin, title))

    def check(self, job: Job, finished: Finished) -> tuple[Check, ...]:
        """Judge the recording: its length, silence, clipping, peaks and loudness, and key and bars where known."""
        key, bars = checks.known_of(finished.recipe)
        seconds = job.brief.music.seconds if job.brief.music else 0.0
        failed = checks.failures(decoded(finished.data), seconds, key, bars)
        names = (*checks.ALWAYS, *(checks.WHERE_KNOWN if key and bars else ()))
        return tuple(Check(name=one, passed=one not in failed) for one in names)

    def is_near_duplicate(self, finished: Finished, taken: Collection[Finished]) -> bool:
        """Tell whether the campaign has nearly this piece already."""
        return checks.is_alike(finished.likeness, [one.likeness for one in taken if one.likeness])


def _shown(job: Job, sample: Sample) -> str:
    """Return what a piece is like, in words: 'calm, 12 s, D major, 76 bpm, loop'."""
    order, recipe = job.brief.music, sample.recipe
    told = [order.mood, f"{order.seconds:g} s"] if order else []
    if key := recipe.get("key"):
        told.append(str(key))
    if isinstance(bpm := recipe.get("bpm"), float):
        told.append(f"{bpm:.0f} bpm")
    if order and order.is_loop:
        told.append("loop")
    return ", ".join(told)
