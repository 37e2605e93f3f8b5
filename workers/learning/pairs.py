"""From a snapshot to pairs of which one is better: first within a brief and channel, else within a product."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.learning import Needs, Opinion, SnapshotRules
from workers.learning.snapshot import Snapshot

# Two lines of different channels are harder to compare.
WEIGHT_ACROSS = 0.5


@dataclass(frozen=True)
class Pair:
    """Two assets of one product, the better one first."""

    better: Opinion
    worse: Opinion
    weight: float


def pairs_of(snapshot: Snapshot, rules: SnapshotRules, *, held_out: bool) -> list[Pair]:
    """Return the pairs of one side of the split, in an order that follows from their names.

    What people compared themselves comes first and counts whole.
    """
    known = {one.job_id: one for one in snapshot.opinions if one.is_held_out == held_out}
    said = [
        Pair(known[one.better], known[one.worse], one.weight)
        for one in snapshot.preferences
        if one.is_held_out == held_out
    ]
    used = Counter(one.job_id for pair in said for one in (pair.better, pair.worse))
    rated = [one for one in known.values() if one.weight > 0]
    found = [*said, *_matched(_by_brief(rated), rules, used, 1.0)]
    alone = frozenset(one.job_id for one in rated if not used[one.job_id])
    found += _matched(_by_product(rated), rules, used, WEIGHT_ACROSS, alone)
    return sorted(found, key=_lot)[: rules.most_pairs]


def what_is_missing(
    training: Sequence[Pair], held_out: Sequence[Pair], opinions: int, needs: Needs, referees: int | None = None
) -> str:
    """Return what there is too little of to learn from, and the way out; empty when there is enough.

    `referees` is how many of them judge, where nobody else may.
    """
    products = len({pair.better.product for pair in held_out})
    lacks = [
        f"{found} of {wanted} {what}"
        for found, wanted, what in (
            (opinions, needs.opinions, "assets with an opinion that counts"),
            (len(training), needs.pairs, "pairs to train on"),
            (len(held_out), needs.held_out_pairs, "pairs to judge by"),
            (products, needs.held_out_products, "products to judge by"),
        )
        if found < wanted
    ]
    if not lacks:
        return ""
    told = (
        f"there are only {', '.join(lacks)}: rate more assets, several of each brief, good and bad ones, "
        "of more products; a quarter of the products is kept to judge by"
    )
    if referees is None or (len(held_out) >= needs.held_out_pairs and products >= needs.held_out_products):
        return told
    return f"{told}; there, only those of FACTORY_REFEREES are heard, and {referees} of them count so far"


def _by_brief(opinions: Iterable[Opinion]) -> list[list[Opinion]]:
    groups: dict[tuple[str, ...], list[Opinion]] = defaultdict(list)
    for one in opinions:
        brief = one.brief
        order = brief.picture.model_dump_json() if brief.picture else ""
        audience = brief.audience.id, brief.audience.description
        groups[one.product, *audience, brief.channel, brief.locale, order].append(one)
    return [groups[key] for key in sorted(groups)]


def _by_product(opinions: Iterable[Opinion]) -> list[list[Opinion]]:
    groups: dict[tuple[str, str], list[Opinion]] = defaultdict(list)
    for one in opinions:
        groups[one.product, one.brief.locale].append(one)
    return [groups[key] for key in sorted(groups)]


def _matched(
    groups: Iterable[Sequence[Opinion]],
    rules: SnapshotRules,
    used: Counter[str],
    weight: float,
    wanted: frozenset[str] | None = None,
) -> list[Pair]:
    """Return pairs within groups, the clearest first, until each asset is in as many as it may be.

    Where some are wanted, each pair has one of them.
    """
    found = []
    for group in groups:
        possible = [
            (better, worse)
            for better in group
            for worse in group
            if better.liking - worse.liking >= rules.least_gap
            and (wanted is None or better.job_id in wanted or worse.job_id in wanted)
        ]
        for better, worse in sorted(possible, key=lambda pair: (pair[1].liking - pair[0].liking, _lot_of(*pair))):
            if max(used[better.job_id], used[worse.job_id]) < rules.most_pairs_of_one:
                used.update((better.job_id, worse.job_id))
                gap = (better.liking - worse.liking) / 2
                found.append(Pair(better, worse, weight * gap * min(better.weight, worse.weight)))
    return found


def _lot(pair: Pair) -> str:
    return _lot_of(pair.better, pair.worse)


def _lot_of(better: Opinion, worse: Opinion) -> str:
    """Return what orders pairs without a system: a hash of their names."""
    return hashlib.sha256(f"{better.job_id}>{worse.job_id}".encode()).hexdigest()
