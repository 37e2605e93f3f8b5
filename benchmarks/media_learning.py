"""Does a taste that people share reach pieces of music and pictures? `python -m benchmarks.media_learning music`.

Simulated people rate what the starter made by a hidden taste; it learns from more and more until a version passes, and
the taste itself then judges what champion and challenger make for products that neither learnt from.
"""

import argparse
import hashlib
import io
import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.raters import Crowd, Rated, heard_from
from benchmarks.walks import PASSED, numbers, show, walk
from core.music.moods import MOODS
from core.music.pieces import Piece
from schemas.campaigns import Audience, Brand, Kind, Product, voice_of
from schemas.jobs import Brief, Job, MusicOrder, PictureOrder
from schemas.learning import Curriculum, curriculum
from workers.learning import gate, snapshot
from workers.learning.examiners import Examiner
from workers.learning.guardrails import fresh_jobs
from workers.learning.materials import lessons_of
from workers.learning.media_examiners import ImageExaminer, MusicExaminer
from workers.learning.pairs import Pair, pairs_of, what_is_missing
from workers.models.image import ImageOptions, load
from workers.models.miniature.concepts import concepts
from workers.models.music import references
from workers.models.music.orders import brief_of_job
from workers.models.music.produce import write
from workers.models.protocol import Model, Sample
from workers.models.tuning.image import ImageTuner
from workers.models.tuning.music import MusicTuner
from workers.models.tuning.protocol import Judged, Place, Tuner
from workers.pictures.sharpen import unmatte

BRAND = Brand(name="Northbeam")
AUDIENCE = Audience(id="all", description="everybody")
CHANNEL = "instagram.square"
SECONDS = (6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 18.0)
RATERS_OF_ONE = 2
JUDGED_JOBS = 40


@dataclass(frozen=True)
class Made:
    """What was made for a job, and how much the taste likes it."""

    job: Job
    judged: Judged
    score: float


@dataclass(frozen=True)
class World:
    """A kind, what the starter made of it, and what the taste says of what a version makes for jobs."""

    kind: Kind
    made: Sequence[Made]
    scores: Callable[[Any, Sequence[Job]], list[float]]
    tuner: Callable[[], Tuner]
    examiner: Examiner
    rules: Curriculum


def music_world(products: int, variants: int, place: Place, cache: Path, rules: Curriculum) -> World:
    """Return pieces of all moods, and people who like low melodies."""
    orders = [MusicOrder(mood=mood, seconds=seconds) for seconds in SECONDS for mood in MOODS][:products]
    jobs = [
        _job(Kind.MUSIC, number * variants + variant, voice_of(BRAND), "music.spot", music=order)
        for number, order in enumerate(orders)
        for variant in range(variants)
    ]
    model = references.load("starter", place.device, place.dtype, cache, place.threads)
    assert hasattr(model, "composer"), "the starter is a composer"
    made = []
    written = write(model.composer, model.memory, [brief_of_job(job) for job in jobs], [job.seed for job in jobs])
    for job, one in zip(jobs, written, strict=True):
        recipe = {
            "words": " ".join(one.draft.words),
            "written_bars": one.form.written,
            "meter": one.mood.meter,
            "mode": one.mood.mode,
            "style": one.mood.style,
            "energy": one.mood.energy,
        }
        made.append(Made(job, Judged(job.brief, " ".join(one.draft.words), recipe), lowness(one.draft.piece)))

    def scores(version: Any, jobs: Sequence[Job]) -> list[float]:
        # Nobody need play what is judged by its notes.
        briefs, seeds = [brief_of_job(job) for job in jobs], [job.seed for job in jobs]
        return [lowness(one.draft.piece) for one in write(version.composer, version.memory, briefs, seeds)]

    def tuner() -> Tuner:
        return MusicTuner("starter", cache, rules.recipes[Kind.MUSIC], place)

    return World(Kind.MUSIC, made, scores, tuner, MusicExaminer(), rules)


def lowness(piece: Piece) -> float:
    """Return how low a melody lies: its mean pitch, turned around."""
    pitches = [note.pitch for note in piece.melody if note.pitch is not None]
    return -sum(pitches) / max(len(pitches), 1)


def image_world(products: int, variants: int, place: Place, cache: Path, rules: Curriculum) -> World:
    """Return pictures of concepts that the starter knows, and people who like warm colours."""
    names = [concept.name for concept in concepts()]
    chosen = names[:: max(1, len(names) // products)][:products]
    jobs = [
        _job(Kind.IMAGE, number * variants + variant, _product(name), CHANNEL, picture=PictureOrder(prompt=name))
        for number, name in enumerate(chosen)
        for variant in range(variants)
    ]
    model = load("starter", None, place.device, place.dtype, cache, place.threads, ImageOptions())
    folder = cache / "made"
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for job, (sample,) in zip(jobs, model.generate(jobs, 1), strict=True):
        file = folder / f"{job.id}.png"
        file.write_bytes(_delivered(sample.data))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        made.append(Made(job, Judged(job.brief, job.id, sample.recipe, file, digest), warmth(sample)))

    def tuner() -> Tuner:
        return ImageTuner("starter", cache, rules.recipes[Kind.IMAGE], place)

    def scores(version: Any, jobs: Sequence[Job]) -> list[float]:
        return [warmth(sample) for (sample,) in version.generate(jobs, 1)]

    return World(Kind.IMAGE, made, scores, tuner, ImageExaminer(), rules)


def warmth(sample: Sample) -> float:
    """Return how much redder than blue the subject of a picture is."""
    with Image.open(io.BytesIO(sample.data)) as image:
        pixels = [pixel for pixel in image.convert("RGBA").getdata() if pixel[3] > 127]
    return sum(pixel[0] - pixel[2] for pixel in pixels) / max(len(pixels), 1)


def _delivered(data: bytes) -> bytes:
    """Return a picture with its own colours, in its own size: enlarging it would only be undone."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        unmatte(image).save(target, "PNG")
    return target.getvalue()


def _product(name: str) -> Product:
    return Product(sku=hashlib.sha256(name.encode()).hexdigest()[:12], name=name)


def _job(kind: Kind, number: int, product: Product, channel: str, **order: Any) -> Job:
    brief = Brief(brand=BRAND, product=product, audience=AUDIENCE, channel=channel, **order)
    return Job(
        id=f"made-{number:06d}",
        campaign_id="made",
        kind=kind,
        bucket=f"{kind}/starter/any",
        brief=brief,
        variant=0,
        seed=number,
    )


def learn(world: World, made: Sequence[Made], folder: Path) -> dict[str, Any]:
    """Have people rate what was made, train and judge; return the figures."""
    started, cpu = time.monotonic(), time.process_time()
    by_product: dict[str, list[float]] = defaultdict(list)
    for one in made:
        by_product[snapshot.product_of(one.job.brief)].append(one.score)
    liked = {one.job.id: one.score > statistics.median(by_product[snapshot.product_of(one.job.brief)]) for one in made}
    rated = [Rated(one.job, one.judged.text) for one in made]
    heard = heard_from(rated, Crowd(), lambda _text, job: liked[job.id], 1, RATERS_OF_ONE)
    taken = snapshot.take(heard, world.kind, "starter", world.rules)
    training, held_out = (pairs_of(taken, world.rules.snapshot, held_out=side) for side in (False, True))
    opinions = sum(one.weight > 0 for one in taken.opinions)
    figures: dict[str, Any] = {"ratings": len(heard.ratings), "pairs": len(training), "held_out": len(held_out)}
    if missing := what_is_missing(training, held_out, opinions, world.rules.needs):
        return figures | {"outcome": missing}
    judged = {one.job.id: one.judged for one in made}
    shutil.rmtree(folder, ignore_errors=True)
    losses: list[Mapping[str, float]] = []
    tuner = world.tuner()
    tuner.tune(None, lessons_of(training, judged), folder, lambda _step, _steps, one: losses.append(dict(one)))
    trained = time.process_time()
    trial = gate.Trial(held_out, judged, world.rules.gate_of(world.kind), world.examiner)
    found = gate.judge(tuner, None, lambda strength: tuner.weakened(folder, strength), trial)
    challenger, champion = tuner.contestant(tuner.weakened(folder, found.strength)), tuner.contestant(None)
    return figures | {
        "outcome": PASSED if found.is_passed else "refused",
        "strength": found.strength,
        "champion_agrees": round(found.champion_agrees, 3),
        "challenger_agrees": round(found.challenger_agrees, 3),
        "bound": round(found.bound, 3),
        "wins": win_rate(world, held_out, challenger.model, champion.model),
        "guardrails": {one.name: [round(one.champion, 3), round(one.challenger, 3)] for one in found.guardrails},
        "lost": [one.name for one in found.guardrails if not one.is_kept],
        "first_loss": round(losses[0]["loss"], 3),
        "last_loss": round(losses[-1]["loss"], 3),
        "training_cpu_minutes": round((trained - cpu) / 60, 2),
        "gate_cpu_minutes": round((time.process_time() - trained) / 60, 2),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }


def win_rate(world: World, pairs: Sequence[Pair], challenger: Model, champion: Model) -> float:
    """Return how often the taste likes what the challenger makes better, for the same briefs and other seeds."""
    briefs = fresh_jobs(pairs, JUDGED_JOBS, world.kind)
    # Few briefs are made several times, each time with another seed.
    rounds = -(-JUDGED_JOBS // len(briefs))
    jobs = [
        job.model_copy(update={"id": f"{job.id}-{turn}", "seed": job.seed + 1000 * (turn + 1)})
        for turn in range(rounds)
        for job in briefs
    ][:JUDGED_JOBS]
    both = list(zip(world.scores(challenger, jobs), world.scores(champion, jobs), strict=True))
    return round(sum(0.5 if mine == theirs else float(mine > theirs) for mine, theirs in both) / len(both), 3)


def main() -> None:
    """Read the command line and simulate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kind", choices=["music", "image"])
    parser.add_argument("--variants", type=int, default=6)
    parser.add_argument("--ratings", type=numbers, default="240,360,480,720,960", help="steps, two ratings of each")
    parser.add_argument("--recipe", default="{}", help="what is changed of the recipe, as JSON")
    parser.add_argument("--briefs", type=int, default=24, help="briefs that the gate has made anew")
    parser.add_argument("--cache", type=Path, default=Path(".factory/models"))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    kind, place = Kind(given.kind), Place("cpu", "auto", given.threads)
    rules = curriculum()
    recipe = rules.recipes[kind].model_copy(update=json.loads(given.recipe))
    gate_rules = rules.gate_of(kind).model_copy(update={"most_briefs": given.briefs})
    rules = rules.model_copy(update={"recipes": {kind: recipe}, "gates": {kind: gate_rules}})
    build = music_world if kind == Kind.MUSIC else image_world
    a_product = RATERS_OF_ONE * given.variants
    started = time.process_time()
    world = build(-(-max(given.ratings) // a_product), given.variants, place, given.cache, rules)
    making = {"made": len(world.made), "making_cpu_minutes": round((time.process_time() - started) / 60, 2)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        found = walk(given.ratings, lambda some: learn(world, world.made[: some // RATERS_OF_ONE], folder))
    show(kind, found["steps"])
    print(json.dumps({"kind": kind, **making, **found}))


if __name__ == "__main__":
    main()
