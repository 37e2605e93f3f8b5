"""What is lost while styles are learnt? `python -m benchmarks.styles`.

Simulated people say yes or no to lines by a hidden liking of each style, in each channel and audience. Loss is how many
more of a hundred lines they would have liked, had each been written in its best style: the regret of a rating, in
points. The same jobs are made by the bandit as it ships, by variants that walk through the styles, and by who knows.
"""

import argparse
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from core.bandit import DAY_SECONDS, PARENT, Cell, Evidence, Rules, choose, place, posterior, weight
from schemas.styles import Style

CHANNELS = ("email.subject", "meta.headline")
AUDIENCES = ("commuters", "families", "gamers", "retired")
CELLS = tuple(Cell("starter+house", channel, audience) for channel in CHANNELS for audience in AUDIENCES)
RATINGS, SEEDS = 1000, 20
# Jobs that are claimed together, and rated before the next ones are; and how long all of it takes.
BATCH, DAYS = 20, 180.0
# Of those who contradict each other, and of those who click at random, one half says yes to anything.
NOBODY = 0.5
SHIPPED = "as shipped"
TRIED = {
    SHIPPED: (Rules(), PARENT),
    "never forgets": (Rules(half_life_days=1e9), PARENT),
    **{f"least share {one:g}": (Rules(least_share=one), PARENT) for one in (0.0, 0.05)},
    **{f"parent {one:g}": (Rules(), one) for one in (1.0, 8.0, 16.0)},
}

# How many like a line of this cell and style, at this part of the time.
Liking = Callable[[Cell, Style, float], float]


@dataclass(frozen=True)
class Run:
    """What one simulation came to: the loss in points over all ratings, over the last fifth, and of the walk."""

    loss: float
    loss_at_last: float
    loss_of_walk: float
    # How often the most frequent style was written, of all lines.
    most_frequent: float


def drawn(dice: random.Random, channels: float, audiences: float, styles: float = 0.0) -> Liking:
    """Return likings around one half that differ so much by style, by channel and by audience."""
    by_style = {style: dice.uniform(-styles, styles) for style in Style}
    by_channel = {(one, style): dice.uniform(-channels, channels) for one in CHANNELS for style in Style}
    by_cell = {(cell, style): dice.uniform(-audiences, audiences) for cell in CELLS for style in Style}

    def liking(cell: Cell, style: Style, _: float) -> float:
        found = 0.5 + by_style[style] + by_channel[cell.channel, style] + by_cell[cell, style]
        return min(0.98, max(0.02, found))

    return liking


def changing(dice: random.Random) -> Liking:
    """Return likings that are others after half of the time."""
    before, after = drawn(dice, 0.0, 0.4), drawn(dice, 0.0, 0.4)
    return lambda cell, style, passed: (before if passed < 0.5 else after)(cell, style, passed)


def nobodys(_: random.Random) -> Liking:
    """Return likings of people who like no style more: they click at random, or half of them against the others."""
    return lambda *_: NOBODY


WORLDS: dict[str, Callable[[random.Random], Liking]] = {
    "each audience its own": partial(drawn, channels=0.0, audiences=0.4),
    "all audiences alike": partial(drawn, channels=0.0, audiences=0.0, styles=0.4),
    "by channel, and a little by audience": partial(drawn, channels=0.3, audiences=0.1),
    "hardly any difference": partial(drawn, channels=0.0, audiences=0.05),
    "another liking after half of the time": changing,
    "at random": nobodys,
    "contradictory": nobodys,
}


def answer(world: str, dice: random.Random, liked: float, style: Style) -> bool:
    """Return what the next person says."""
    if world == "contradictory":
        # One half likes every other style, the other half the rest, and both say so always.
        is_one_half = dice.random() < NOBODY
        return (list(Style).index(style) % 2 == 0) is is_one_half
    return dice.random() < liked


def simulate(world: str, seed: int, styles: Sequence[Style], rules: Rules, parent: float = PARENT) -> Run:
    """Return what a thousand ratings come to."""
    dice = random.Random(f"{world} {seed}")
    liking = WORLDS[world](dice)
    heard: list[tuple[float, Cell, Style, bool]] = []
    losses, walk, chosen = [], [], defaultdict[Style, int](int)
    for first in range(0, RATINGS, BATCH):
        passed = first / RATINGS
        evidence = _evidence(heard, passed, rules)
        known = {cell: posterior(cell, styles, evidence, rules.least_share, parent) for cell in CELLS}
        for number in range(first, first + BATCH):
            cell = CELLS[number % len(CELLS)]
            style = choose(known[cell], place(f"campaign-{seed}-{number:06d}", dice.getrandbits(63)))
            liked = {one: liking(cell, one, passed) for one in styles}
            losses.append(100 * (max(liked.values()) - liked[style]))
            walk.append(100 * (max(liked.values()) - statistics.fmean(liked.values())))
            chosen[style] += 1
            heard.append((passed, cell, style, answer(world, dice, liked[style], style)))
    return Run(
        loss=statistics.fmean(losses),
        loss_at_last=statistics.fmean(losses[-RATINGS // 5 :]),
        loss_of_walk=statistics.fmean(walk),
        most_frequent=max(chosen.values()) / RATINGS,
    )


def _evidence(heard: Sequence[tuple[float, Cell, Style, bool]], passed: float, rules: Rules) -> list[Evidence]:
    counts: dict[tuple[str, str, Style], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for at, cell, style, liked in heard:
        weighs = weight((passed - at) * DAYS * DAY_SECONDS, rules.half_life_days)
        counts[cell.channel, cell.audience_id, style][0 if liked else 1] += weighs
    return [Evidence(*about, yes, no) for about, (yes, no) in counts.items()]


def summed(runs: Sequence[Run]) -> dict[str, float]:
    """Return the means over the runs, and how far the greatest loss lies above that of the walk of the same run."""
    found = {name: statistics.fmean(getattr(run, name) for run in runs) for name in asdict(runs[0])}
    found["worst_against_walk"] = max(run.loss - run.loss_of_walk for run in runs)
    return {name: round(value, 3) for name, value in found.items()}


def main() -> None:
    """Simulate every world, print a table, and as the last line all figures as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS, help="simulations of each world")
    parser.add_argument("--all", action="store_true", help="try other rules and strengths of the parent, too")
    options = parser.parse_args()
    tried = TRIED if options.all else {SHIPPED: TRIED[SHIPPED]}
    document: dict[str, object] = {"ratings": RATINGS, "seeds": options.seeds, "rules": asdict(Rules())}
    for styles in (tuple(Style), (Style.BENEFIT, Style.DETAIL)):
        found = {
            world: {
                name: summed([simulate(world, seed, styles, *how) for seed in range(options.seeds)])
                for name, how in tried.items()
            }
            for world in WORLDS
        }
        document[f"{len(styles)} styles"] = found
        Console(width=140).print(_table(f"{len(styles)} styles", found))
    print(json.dumps(document))


def _table(title: str, found: dict[str, dict[str, dict[str, float]]]) -> Table:
    table = Table("people", "rules", "loss", "of the walk", "at last", "worst above walk", "most frequent", title=title)
    for world, by_rules in found.items():
        for name, one in by_rules.items():
            columns = ("loss", "loss_of_walk", "loss_at_last", "worst_against_walk")
            table.add_row(world, name, *(f"{one[column]:.1f}" for column in columns), f"{one['most_frequent']:.0%}")
    return table


if __name__ == "__main__":
    main()
