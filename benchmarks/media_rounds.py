"""Rounds of pictures, advertisements and music: the bare loop, plain Celery and the factory, same jobs, in turns."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.factory import Factory
from benchmarks.made import FactoryMade, Made, spread
from benchmarks.plain import Plain
from benchmarks.processes import Answering
from core.settings import Settings
from schemas.campaigns import Kind

KINDS = (Kind.IMAGE, Kind.CREATIVE, Kind.MUSIC)
# One job at a time, as for copy: a part of the jobs tells the rate.
PLAIN_SHARE = 8
# Two of the worker's threads begin warm; the third finds little to do in a short run.
WARM_BATCHES = 2
# To play and master a piece takes a second: one batch of it is enough for a round, and for a beginning.
LONG = (Kind.MUSIC,)


@dataclass(frozen=True)
class MediaRound:
    """What each variant made of one kind in one round; plain Celery makes no advertisements, for they need inputs."""

    bare: Made
    finished: Made
    factory: FactoryMade
    plain: Made | None


@dataclass
class MediaRounds:
    """Runs rounds on running children and keeps what they made."""

    settings: Settings
    bare: Answering
    plain: Plain
    factory: Factory
    report: Callable[[str], None]
    done: dict[Kind, list[MediaRound]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def warm(self) -> None:
        """Let every child load what it needs and run a batch; the bare child builds the model before the others."""
        batch = self.settings.batch_size
        for kind in KINDS:
            self._bare(kind, f"warm-{kind}", batch, finished=True)
            self.factory.submit(f"warm-{kind}", batch if kind in LONG else WARM_BATCHES * batch, kind)
            self.factory.wait_until_settled(f"warm-{kind}")
        for kind in KINDS:
            self._plain(kind, f"warm-plain-{kind}", 1)

    def run(self, number: int, batches: int) -> None:
        """Run one round of each kind."""
        for kind in KINDS:
            jobs = (1 if kind in LONG else batches) * self.settings.batch_size
            half = jobs // 2
            name = f"{kind}-{number}"
            self.report(f"round {number} of {kind}: bare, factory, bare, bare with finishing, plain")
            # The factory stands between two halves of the bare loop, as for copy.
            first = self._bare(kind, name, half)
            factory = self.factory.make(name, jobs, kind)
            bare = first + self._bare(kind, name, jobs - half)
            finished = self._bare(kind, name, half, finished=True)
            plain = self._plain(kind, name, max(2, jobs // PLAIN_SHARE))
            self.done[kind].append(MediaRound(bare, finished, factory, plain))

    def _bare(self, kind: Kind, campaign: str, jobs: int, *, finished: bool = False) -> Made:
        self.bare.order(kind=kind, campaign=campaign, jobs=jobs, checked=finished)
        while "batch" in (answer := self.bare.answer()):
            pass
        return Made(answer["jobs"], answer["seconds"], answer["cpu_seconds"])

    def _plain(self, kind: Kind, campaign: str, jobs: int) -> Made | None:
        return None if kind == Kind.CREATIVE else self.plain.make(campaign, jobs, kind)

    def figures(self) -> dict[str, object]:
        """Return rates and ratios of each kind over all rounds."""
        return {kind: _figures(rounds) for kind, rounds in self.done.items()}


def _figures(rounds: list[MediaRound]) -> dict[str, object]:
    plain = [(one.factory, one.plain) for one in rounds if one.plain]
    variants = {"bare": [one.bare for one in rounds], "finished": [one.finished for one in rounds]}
    variants |= {"factory": [one.factory for one in rounds]} | ({"plain": [made for _, made in plain]} if plain else {})
    ratios = {
        "factory_to_bare": [one.factory.per_second / one.bare.per_second for one in rounds],
        "factory_to_bare_with_finishing": [one.factory.per_second / one.finished.per_second for one in rounds],
        "cpu_of_finished_to_factory": [one.finished.cpu_ms / one.factory.cpu_ms for one in rounds],
    }
    if plain:
        ratios["factory_to_plain"] = [factory.per_second / made.per_second for factory, made in plain]
    return {
        "rounds": len(rounds),
        "jobs_each_round": rounds[0].factory.jobs,
        "jobs_per_second": {name: spread([one.per_second for one in made], 2) for name, made in variants.items()},
        "worker_cpu_ms_per_job": {name: spread([one.cpu_ms for one in made], 1) for name, made in variants.items()},
        "ratios": {name: spread(values) for name, values in ratios.items()},
        "batch_fill": spread([one.factory.fill for one in rounds]),
        "device_busy": spread([one.factory.device_busy for one in rounds]),
        "done": sum(one.factory.done for one in rounds),
        "failed": sum(one.factory.failed for one in rounds),
    }
