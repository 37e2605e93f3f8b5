"""Whether one group fares differently from the rest, beyond doubt: pure functions, no ledger.

A report looks at many groups at once, and of twenty that are alike one differs at one in twenty by chance. So the error
is that of the whole comparison, and each group has its part of it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from statistics import NormalDist

# The chance that among groups that are all alike any is called different.
ERROR = 0.01
# With fewer independent answers on either side nothing is said.
LEAST_ANSWERS = 10.0
_PREFIX = re.compile(r"^(.+)[-_.][^-_.]*$")


class Difference(StrEnum):
    """How a group compares with the rest."""

    ALIKE = "alike"
    HIGHER = "higher"
    LOWER = "lower"
    # There is too little to tell by.
    TOO_FEW = "too few"


def compared(group: tuple[float, float], rest: tuple[float, float], groups: int) -> Difference:
    """Compare the yes and no of a group with those of the rest, as one of so many comparisons.

    One yes and one no are added on both sides (Agresti and Caffo), so that a few of the same sort prove nothing.
    """
    if min(sum(group), sum(rest)) < LEAST_ANSWERS:
        return Difference.TOO_FEW
    (mine, my_error), (theirs, their_error) = (_share(*one) for one in (group, rest))
    reach = NormalDist().inv_cdf(1 - ERROR / 2 / max(groups, 1)) * math.sqrt(my_error + their_error)
    if abs(mine - theirs) <= reach:
        return Difference.ALIKE
    return Difference.HIGHER if mine > theirs else Difference.LOWER


def _share(yes: float, no: float) -> tuple[float, float]:
    total = yes + no + 2
    share = (yes + 1) / total
    return share, share * (1 - share) / total


def product_groups(skus: Iterable[str]) -> Mapping[str, str] | None:
    """Return the group of each sku: what stands before its last hyphen, underscore or dot.

    None where that tells nothing: where all are one group, or no group has two products.
    """
    groups = {sku: found[1] if (found := _PREFIX.match(sku)) else sku for sku in skus}
    return groups if 1 < len(set(groups.values())) < len(groups) else None
