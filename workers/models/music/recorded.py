"""Music by the models of others: one recording a job, in passes of one size, mastered like everything made here.

A pass, which is one call of the model, always has the same number of pieces: a short one is filled up. Out of memory in
a pass of several pieces halves the passes from then on; in a pass of one it is raised.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import torch
from pydantic import JsonValue

from core.music.moods import MusicBrief
from schemas.jobs import Job
from workers.models.decode import mixed_seed
from workers.models.music.encode import FORMATS, encoded
from workers.models.music.master import Audio, master
from workers.models.music.orders import brief_of_job
from workers.models.music.picture import picture_of
from workers.models.music.recorder import Recorder, Sound, Wish, as_stereo, joined_ends, prompt_of
from workers.models.protocol import NO_PARTS, File, Parts, Sample

PASS_SIZE = 4
# What is made beyond the end of a loop, to be blended over its start, and how long the end of all else fades.
LOOP_SECONDS, FADE_SECONDS = 1.0, 0.8


class RecordedMusicModel:
    """A loaded model of sound. One call at a time."""

    def __init__(self, recorder: Recorder, pass_size: int = PASS_SIZE) -> None:
        self.version = recorder.version
        self.device = recorder.device
        self._recorder = recorder
        self._pass_size = pass_size

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return one recording for each job, in their order."""
        briefs = [brief_of_job(job) for job in jobs]
        groups: defaultdict[Wish, list[int]] = defaultdict(list)
        for place, brief in enumerate(briefs):
            seconds = brief.seconds + (LOOP_SECONDS if brief.is_loop else 0)
            groups[self._recorder.wish_of(brief, seconds)].append(place)
        sounds: dict[int, Sound] = {}
        for wish, places in groups.items():
            prompts = [prompt_of(briefs[place]) for place in places]
            seeds = [mixed_seed(jobs[place].seed, attempt) for place in places]
            sounds |= zip(places, self._record_all(prompts, seeds, wish), strict=True)
        return [
            [self._sample(self._mastered(sounds[place], brief), brief, job.seed, attempt)]
            for place, (job, brief) in enumerate(zip(jobs, briefs, strict=True))
        ]

    def _record_all(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        sounds: list[Sound] = []
        while len(sounds) < len(prompts):
            part = slice(len(sounds), len(sounds) + self._pass_size)
            sounds += self._record_or_shrink(prompts[part], seeds[part], wish)
        return sounds

    def _record_or_shrink(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        """Return the sounds of one pass; none if the memory did not suffice and smaller passes may do."""
        filling = self._pass_size - len(prompts)
        try:
            made = self._recorder.record([*prompts, *[prompts[0]] * filling], [*seeds, *[0] * filling], wish)
        except torch.OutOfMemoryError:
            if self._pass_size == 1:
                raise
        else:
            return made[: len(prompts)]
        # Here the error and the frames it held are gone, and with them the tensors that filled the device.
        self._pass_size //= 2
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        return []

    def _mastered(self, sound: Sound, brief: MusicBrief) -> Audio:
        audio = as_stereo(sound, self._recorder.rate)
        if brief.is_loop:
            return master(joined_ends(audio, brief.seconds, LOOP_SECONDS), brief.seconds, fade_seconds=0)
        return master(audio, brief.seconds, fade_seconds=FADE_SECONDS)

    def _sample(self, audio: Audio, brief: MusicBrief, seed: int, attempt: int) -> Sample:
        wave = encoded(audio, "wav")
        recipe: dict[str, JsonValue] = {
            "prompt": prompt_of(brief),
            "mood": brief.mood,
            "seed": seed,
            "attempt": attempt,
            "pass_size": self._pass_size,
            "wav_sha256": hashlib.sha256(wave).hexdigest(),
        }
        if self._recorder.licence_warning:
            recipe["licence"] = self._recorder.licence_warning
        picture = File("png", "image/png", picture_of(None, audio))
        return Sample(wave, FORMATS["wav"].content_type, 0.0, recipe, companions=(picture,))
