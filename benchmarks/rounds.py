"""Rounds of all variants on the same model and jobs, in turns, so that noise of the machine meets them all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.factory import Factory
from benchmarks.made import FactoryMade, Made, spread
from benchmarks.plain import Plain
from benchmarks.processes import Answering
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind

# One job at a time takes several times as long as full batches: a part of the jobs tells the rate.
PLAIN_SHARE = 8
# Checked and beside uploads, the bare model runs on half the jobs.
SIDE_SHARE = 2
# One for each thread of the worker: a thread's first batch takes longer than its second.
WARM_BATCHES = 3


@dataclass(frozen=True)
class Round:
    """What each variant made in one round."""

    bare: Made
    checked: Made
    beside: Made
    plain: Made
    factory: FactoryMade


@dataclass
class Rounds:
    """Runs rounds on running children and keeps what they made."""

    settings: Settings
    bare: Answering
    plain: Plain
    factory: Factory
    report: Callable[[str], None]
    done: list[Round] = field(default_factory=list)

    def warm(self) -> str:
        """Let every child load the model and run a batch; return the model's version."""
        self.factory.ring()
        # The bare child builds the model, so the others may only be asked when it has.
        version = str(self.bare.answer()["version"])
        self.factory.submit("warm-factory", WARM_BATCHES * self.settings.batch_size)
        self.plain.make("warm-plain", 1)
        self.factory.wait_until_settled("warm-factory")
        self._bare("warm-bare", self.settings.batch_size, checked=True)
        return version

    def run(self, number: int, jobs: int) -> None:
        """Run one round."""
        batch = self.settings.batch_size
        batches = max(2, round(jobs / batch))
        half, side = batches // 2 * batch, max(1, batches // SIDE_SHARE) * batch
        self.report(f"round {number}: bare, factory, bare, plain, bare with checks, bare beside uploads")
        # The factory stands between two halves of the bare loop: a machine that gets busier slows both.
        first = self._bare(f"round-{number}", half)
        factory = self.factory.make(f"round-{number}", batches * batch)
        bare = first + self._bare(f"round-{number}", batches * batch - half)
        plain = self.plain.make(f"round-{number}", max(4, jobs // PLAIN_SHARE))
        checked = self._bare(f"round-{number}", side, checked=True)
        storage, sizes = Storage(self.settings), self.factory.upload_sizes(f"round-{number}", batches)
        beside = self._bare(f"round-{number}", side, beside=lambda i: _upload(storage, number, i, sizes))
        self.done.append(Round(bare, checked, beside, plain, factory))

    def _bare(
        self, campaign: str, jobs: int, *, checked: bool = False, beside: Callable[[int], None] | None = None
    ) -> Made:
        self.bare.order(kind=Kind.COPY, campaign=campaign, jobs=jobs, checked=checked)
        while "batch" in (answer := self.bare.answer()):
            if beside:
                beside(answer["batch"])
        return Made(answer["jobs"], answer["seconds"], answer["cpu_seconds"])

    def figures(self) -> dict[str, object]:
        """Return rates and ratios over all rounds."""
        rounds = self.done
        return {
            "jobs_per_second": {
                name: spread([getattr(one, name).per_second for one in rounds], 2)
                for name in ("bare", "checked", "beside", "plain", "factory")
            },
            "worker_cpu_ms_per_job": {
                name: spread([getattr(one, name).cpu_ms for one in rounds], 1)
                for name in ("bare", "checked", "plain", "factory")
            },
            "ratios": {
                "factory_to_bare": _ratio(rounds, "bare"),
                "factory_to_bare_with_checks": _ratio(rounds, "checked"),
                "factory_to_bare_beside_uploads": _ratio(rounds, "beside"),
                "factory_to_plain": _ratio(rounds, "plain"),
                # Bare CPU time over ours: what the ratio would be on one core that nobody else uses.
                "cpu_of_bare_to_factory": spread([one.bare.cpu_ms / one.factory.cpu_ms for one in rounds]),
            },
            "factory": {
                "device_busy": spread([one.factory.device_busy for one in rounds]),
                "device_seconds_to_bare": spread(
                    [one.factory.device_seconds / one.factory.jobs * one.bare.per_second for one in rounds]
                ),
                "batch_fill": spread([one.factory.fill for one in rounds]),
                "done": sum(one.factory.done for one in rounds),
                "failed": sum(one.factory.failed for one in rounds),
            },
            "rounds": len(rounds),
            "jobs_each_round": median(one.factory.jobs for one in rounds),
        }


def _ratio(rounds: list[Round], other: str) -> dict[str, float]:
    return spread([one.factory.per_second / getattr(one, other).per_second for one in rounds])


def _upload(storage: Storage, number: int, batch: int, sizes: list[int]) -> None:
    """Store as many bytes in as many objects as the factory does for a batch."""
    for part, size in enumerate(sizes):
        storage.put(f"beside/{number}/{batch}-{part}", b"x" * size, "text/plain")
