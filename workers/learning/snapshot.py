"""What people think of the assets of one model, cleaned and written down: the same ratings give the same bytes.

Nobody is named in it. A product is trained on or held out for ever, by the hash of its brand and sku. Where there are
referees, everybody teaches and they alone judge: of held-out products nobody else is heard.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter

from core.ledger.opinions import Compared, Heard, Person, RatedAsset, Said
from core.ledger.trainings import StoredSnapshot
from core.storage import Storage
from schemas.assets import Location
from schemas.campaigns import Kind
from schemas.jobs import Brief
from schemas.learning import Curriculum, Opinion, Preference, SnapshotHeader, SnapshotRules
from workers.learning.raters import Vote, first_of, pair_name, votes_of, votes_of_pairs, weights_of

CONTENT_TYPE = "application/jsonl"
DIGITS = 6
# The first digits of a hash, as a number below this.
HASH_RANGE = 16**8

_RECORD: TypeAdapter[SnapshotHeader | Opinion | Preference] = TypeAdapter(
    Annotated[SnapshotHeader | Opinion | Preference, Field(discriminator="type")]
)


@dataclass(frozen=True)
class _Belief:
    """What some people think together of each thing and each pair of things, and how much each of them counts."""

    likings: Mapping[str, tuple[float, float]]
    orders: Mapping[str, tuple[float, float]]
    weights: Mapping[Person, float]
    votes: Sequence[Vote]


@dataclass(frozen=True)
class Snapshot:
    """A header, opinions by asset, and preferences, in the order of their names."""

    header: SnapshotHeader
    opinions: tuple[Opinion, ...]
    preferences: tuple[Preference, ...]

    def to_bytes(self) -> bytes:
        """Return the file."""
        records = (self.header, *self.opinions, *self.preferences)
        return "".join(f"{record.model_dump_json()}\n" for record in records).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Snapshot":
        """Read the file."""
        records = [_RECORD.validate_json(line) for line in data.splitlines()]
        header = records[0]
        assert isinstance(header, SnapshotHeader), "a snapshot begins with its header"
        opinions = tuple(one for one in records if isinstance(one, Opinion))
        return cls(header, opinions, tuple(one for one in records if isinstance(one, Preference)))


def product_of(brief: Brief) -> str:
    """Return what a product is known by in every campaign: the hash of brand and sku.

    Music speaks for a brand and no product, so there it is what the music shall be like that is trained on or held out.
    """
    name = f"{' '.join(brief.brand.name.casefold().split())}\x1f{brief.product.sku}"
    if brief.music:
        name += f"\x1f{brief.music.model_dump_json()}"
    return hashlib.sha256(name.encode()).hexdigest()


def is_held_out(product: str, share: float) -> bool:
    """Tell whether a product is never trained on: it follows from its hash alone."""
    return int(product[:8], 16) < share * HASH_RANGE


def take(
    heard: Heard, kind: Kind, model: str, rules: Curriculum, referees: frozenset[Person] = frozenset()
) -> Snapshot:
    """Return the snapshot of what was heard; where there are referees, of held-out products only from them."""
    things = {job_id: _thing(asset) for job_id, asset in heard.assets.items()}
    everybody = _believed(heard.ratings, heard.comparisons, things, rules)
    # All by themselves: what anybody else says must not even move their weights.
    judging_ratings, judging_comparisons = _said_by_judges(referees, heard)
    judges = _believed(judging_ratings, judging_comparisons, things, rules) if referees else everybody
    share = rules.snapshot.held_out_share
    held_out = {things[job_id] for job_id, asset in heard.assets.items() if is_held_out(product_of(asset.brief), share)}
    firsts = _firsts(heard.assets, things, held_out, _spoken_of(judging_ratings, judging_comparisons))
    likings = _on_their_sides(everybody.likings, judges.likings, held_out)
    orders = _on_their_sides(everybody.orders, judges.orders, held_out)
    preferences = _preferences(orders, firsts, rules.snapshot)
    preferred = {job_id for one in preferences for job_id in (one.better, one.worse)}
    opinions = [
        _opinion(asset, likings.get(thing, (0.0, 0.0)), rules.snapshot)
        for thing, asset in firsts.items()
        if thing in likings or asset.job_id in preferred
    ]
    header = SnapshotHeader(
        kind=kind,
        model=model,
        ratings=len(heard.ratings),
        comparisons=len(heard.comparisons),
        raters=len(everybody.weights),
        trusted_raters=sum(weight > 0 for weight in everybody.weights.values()),
        referees=_heard_of(held_out, judges) if referees else None,
    )
    return Snapshot(header, tuple(sorted(opinions, key=lambda one: one.job_id)), tuple(preferences))


def store(storage: Storage, heard: Heard, snapshot: Snapshot) -> StoredSnapshot:
    """Put the file under its hash; the same snapshot twice is one object."""
    data = snapshot.to_bytes()
    digest = hashlib.sha256(data).hexdigest()
    place = storage.put(f"snapshots/{snapshot.header.kind}/{digest}.jsonl", data, CONTENT_TYPE)
    answers = [float(one.approves) for one in heard.ratings if one.approves is not None]
    return StoredSnapshot(
        key=place.key,
        sha256=digest,
        length_bytes=len(data),
        last_rating_id=heard.last_rating_id,
        last_comparison_id=heard.last_comparison_id,
        approval=sum(answers) / len(answers) if answers else None,
    )


def fetch(storage: Storage, stored: StoredSnapshot) -> Snapshot:
    """Read a snapshot back; raises CorruptAssetError when it is not what was stored."""
    place = Location(key=stored.key, offset_bytes=0, length_bytes=stored.length_bytes, sha256=stored.sha256)
    return Snapshot.from_bytes(storage.get(place))


def _said_by_judges(referees: frozenset[Person], heard: Heard) -> tuple[list[Said], list[Compared]]:
    """Return what referees said; where there are none, everybody judges."""
    ratings = [one for one in heard.ratings if not referees or one.person in referees]
    return ratings, [one for one in heard.comparisons if not referees or one.person in referees]


def _spoken_of(ratings: Iterable[Said], comparisons: Iterable[Compared]) -> set[str]:
    """Return the assets that something is said of."""
    compared = {job_id for one in comparisons for job_id in (one.job_id, one.other_job_id)}
    return compared | {one.job_id for one in ratings}


def _firsts(
    assets: Mapping[str, RatedAsset], things: Mapping[str, str], held_out: set[str], judged: set[str]
) -> dict[str, RatedAsset]:
    """Return the first of alike assets, by which they are known.

    Held-out ones are known by those that judges spoke of: what somebody else rates must not take their place.
    """
    return {
        things[job_id]: asset
        for job_id, asset in sorted(assets.items(), reverse=True)
        if things[job_id] not in held_out or job_id in judged
    }


def _believed(
    ratings: Iterable[Said], comparisons: Iterable[Compared], things: Mapping[str, str], rules: Curriculum
) -> _Belief:
    votes, pair_votes = votes_of(ratings, things), votes_of_pairs(comparisons, things)
    weights = weights_of([*votes, *pair_votes], rules.raters)
    likings, orders = (_added_up(some, weights, rules.snapshot) for some in (votes, pair_votes))
    return _Belief(likings, orders, weights, [*votes, *pair_votes])


def _heard_of(held_out: set[str], judges: _Belief) -> int:
    """Return how many people count and said something of what is held out."""
    return len({one.person for one in judges.votes if first_of(one.thing) in held_out and judges.weights[one.person]})


def _on_their_sides(
    everybody: Mapping[str, tuple[float, float]], judges: Mapping[str, tuple[float, float]], held_out: set[str]
) -> dict[str, tuple[float, float]]:
    """Return what is taught by everybody and what is judged by, of things or of pairs of them."""
    taught = {name: one for name, one in everybody.items() if first_of(name) not in held_out}
    return taught | {name: one for name, one in judges.items() if first_of(name) in held_out}


def _thing(asset: RatedAsset) -> str:
    """Return what alike assets share: what was asked for, and what a reader remembers of it."""
    asked = asset.brief.model_copy(update={"revision": None}).model_dump_json()
    return hashlib.sha256(f"{asked}\x1f{asset.fingerprint}".encode()).hexdigest()


def _added_up(
    votes: Sequence[Vote], weights: Mapping[Person, float], rules: SnapshotRules
) -> dict[str, tuple[float, float]]:
    """Return the weighted mean vote and the weight of each thing; where people contradict each other, there is none."""
    by_thing: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for vote in votes:
        if weights[vote.person] > 0:
            by_thing[vote.thing].append((weights[vote.person], vote.value))
    found = {}
    for thing, some in by_thing.items():
        weight, net = math.fsum(w for w, _ in some), math.fsum(w * v for w, v in some)
        if len(some) == 1 or abs(net) >= rules.least_agreement * math.fsum(w * abs(v) for w, v in some):
            found[thing] = (round(net / weight, DIGITS), round(weight, DIGITS))
    return found


def _opinion(asset: RatedAsset, liked: tuple[float, float], rules: SnapshotRules) -> Opinion:
    product = product_of(asset.brief)
    return Opinion(
        job_id=asset.job_id,
        product=product,
        is_held_out=is_held_out(product, rules.held_out_share),
        brief=asset.brief.model_copy(update={"revision": None}),
        text=asset.text,
        sha256=asset.sha256,
        liking=liked[0],
        weight=liked[1],
    )


def _preferences(
    orders: Mapping[str, tuple[float, float]], firsts: Mapping[str, RatedAsset], rules: SnapshotRules
) -> list[Preference]:
    """Return the compared pairs of one product that people are decided about."""
    found = []
    for one, other in _pairs(firsts, orders):
        net, weight = orders[pair_name(one, other)]
        better, worse = (one, other) if net > 0 else (other, one)
        product = product_of(firsts[better].brief)
        if product == product_of(firsts[worse].brief) and net:
            found.append(
                Preference(
                    better=firsts[better].job_id,
                    worse=firsts[worse].job_id,
                    product=product,
                    is_held_out=is_held_out(product, rules.held_out_share),
                    weight=round(weight * abs(net), DIGITS),
                )
            )
    return sorted(found, key=lambda pair: (pair.better, pair.worse))


def _pairs(firsts: Mapping[str, RatedAsset], orders: Iterable[str]) -> list[tuple[str, str]]:
    parts = (name.partition(">") for name in orders)
    return [(first, second) for first, _, second in parts if first in firsts and second in firsts]
