"""What do raters make of a canary? `python -m benchmarks.canary_raters`: careful, at random, to do harm; no model.

People like a certain share of what champion and challenger make. Each asset is rated by one person of a crowd, and the
canary is looked at again and again, as housekeeping does, until it ends.
"""

import argparse
import json
import random
import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.raters import CROWDS, TENANT, people_of
from core.canary import Outcome, Rules, judge
from core.estimates import Moments
from core.settings import Settings

# What people with the taste like of the champion, and of a worse and a better challenger.
CHAMPION = 0.6
CHALLENGERS = {"worse": 0.5, "better": 0.7}
# Ratings that a canary may come to, and after how many it is looked at.
RATINGS, A_LOOK = 1500, 100


def end_of_canary(crowd: str, challenger: float, seed: int, rules: Rules) -> Outcome:
    """Return how a canary on half of the jobs ends."""
    dice = random.Random(seed)
    people, referees = people_of(CROWDS[crowd], dice), CROWDS[crowd].referee_people
    ours, theirs = Moments(), Moments()
    for number in range(1, RATINGS + 1):
        name, answer = dice.choice(people)
        is_ours = dice.random() < 0.5
        said = Moments.of_unit(1, float(answer(dice.random() < (challenger if is_ours else CHAMPION))))
        if not referees or (TENANT, name) in referees:
            ours, theirs = (ours + said, theirs) if is_ours else (ours, theirs + said)
        if number % A_LOOK == 0 and (found := judge(theirs, ours, 0.0, rules)).outcome != Outcome.GO_ON:
            return found.outcome
    return judge(theirs, ours, rules.longest_seconds, rules).outcome


def main() -> None:
    """Read the command line and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=200, help="canaries of each crowd and challenger")
    parser.add_argument("--crowds", default=";".join(CROWDS), help="which, with semicolons between")
    parser.add_argument("--challengers", default=",".join(CHALLENGERS), help="which, with commas between")
    given = parser.parse_args()
    settings = Settings()
    rules = Rules(settings.canary_least_ratings, settings.canary_sureness, 1.0)
    names = given.challengers.split(",")
    table, figures = Table("crowd", *(f"{name} promoted" for name in names)), {}
    for crowd in given.crowds.split(";"):
        one: dict[str, Any] = {}
        for name in names:
            one[name] = Counter(end_of_canary(crowd, CHALLENGERS[name], seed, rules) for seed in range(given.runs))
        figures[crowd] = one
        table.add_row(crowd, *(f"{one[name][Outcome.PROMOTE] / given.runs:.1%}" for name in names))
        print(json.dumps({crowd: one}), file=sys.stderr, flush=True)
    Console(stderr=True).print(table)
    print(json.dumps({"runs": given.runs, "crowds": figures}))


if __name__ == "__main__":
    main()
