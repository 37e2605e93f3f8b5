"""From ratings to a version in the store: with a real tiny model, ledger and store."""

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.tiny_writer import build_writer
from core.broker import make_app, waiting_trainings
from core.errors import ModelLoadError, OutdatedError, SettingsError
from core.ledger import Ledger
from core.ledger.promotions import Order
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.learning import Recipe, TrainingState, curriculum
from workers.learning import snapshot
from workers.learning.examiners import Examiner
from workers.learning.registry import Registry
from workers.learning.teacher import Teacher, Tools
from workers.learning.triggers import Watch
from workers.models.tuning.protocol import Tuner

from support.heard import MODEL, small_rules, strict_rules
from support.learners import at_random, rated_world, teacher_of
from support.rated import a_rating, make_assets, rate
from support.upgrades import NextVersion, renaming

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that writes lines of two words."""
    return build_writer(tmp_path_factory.mktemp("writer"))


def factory(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: what it starts writes where it writes."""
    command = [sys.executable, "-m", "producer", *arguments]
    return subprocess.run(command, env=settings.environment(), capture_output=True, text=True, check=False)


def test_a_taste_that_people_share_becomes_a_version_that_may_serve(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer)
    own_ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")

    outcome = teacher_of(own_ledger, storage, small_rules(), tmp_path).serve(Kind.COPY, str(writer))

    (training,) = own_ledger.trainings.newest()
    assert outcome is not None
    assert (training.state, training.message) == (TrainingState.PASSED, outcome.message)
    version = training.version
    assert version is not None
    assert version.verdict.challenger_agrees > version.verdict.champion_agrees + 0.2
    assert {file.name for file in version.files} == {"adapter_config.json", "adapter_model.safetensors"}
    for file in version.files:
        data = storage.get_whole(version.prefix + file.name)
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.sha256, file.length_bytes)
    assert hashlib.sha256(storage.get_whole(version.snapshot_key)).hexdigest() == version.snapshot_sha256
    assert training.step == training.steps == len(training.losses)
    assert not (tmp_path / "trainings" / training.id).exists()
    # It is registered, and waits for a person where nothing is tried by itself.
    assert own_ledger.versions.get(version.id).described == version
    assert own_ledger.promotions.history(Kind.COPY, str(writer)) == []


def test_a_version_that_passed_is_tried_and_the_next_one_learns_on_from_the_champion(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer)
    model = str(writer)
    teacher = teacher_of(own_ledger, storage, small_rules(), tmp_path, canary_share=0.25)
    own_ledger.trainings.ask(Kind.COPY, model, "ada asked for it")

    first = teacher.serve(Kind.COPY, model)

    assert first is not None
    assert first.version is not None
    tried = own_ledger.promotions.serving(Kind.COPY, model)
    assert (tried.champion, tried.challenger, tried.share) == ("", first.version.id, 0.25)
    own_ledger.promotions.promote(first.version.id, tried, Order("ada", "reads better"))
    own_ledger.trainings.ask(Kind.COPY, model, "ada asked again")
    second = teacher.serve(Kind.COPY, model)
    assert second is not None
    assert second.version is not None
    assert second.version.parent == first.version.id
    assert second.version.verdict.champion_agrees == pytest.approx(first.version.verdict.challenger_agrees)


def test_a_challenger_that_went_too_far_serves_weaker_and_is_what_the_gate_saw(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer)
    model = str(writer)
    teacher = teacher_of(own_ledger, storage, strict_rules(), tmp_path, canary_share=0.25)
    own_ledger.trainings.ask(Kind.COPY, model, "ada asked for it")

    first = teacher.serve(Kind.COPY, model)

    assert first is not None
    assert first.state == TrainingState.PASSED, first.message
    assert first.version is not None
    verdict = first.version.verdict
    whole = verdict.others[0]
    assert verdict.strength < whole.strength == 1
    assert [one.name for one in whole.guardrails if not one.is_kept] == ["pass_rate"]
    assert first.message.startswith(f"at {verdict.strength:g} of its strength it orders")
    assert own_ledger.versions.get(first.version.id).described == first.version
    tried = own_ledger.promotions.serving(Kind.COPY, model)
    assert tried.challenger == first.version.id
    # What is in the store is the weaker one: the next gate sees the same of it.
    own_ledger.promotions.promote(first.version.id, tried, Order("ada", "reads better"))
    own_ledger.trainings.ask(Kind.COPY, model, "ada asked again")
    second = teacher.serve(Kind.COPY, model)
    assert second is not None
    assert second.version is not None
    assert second.version.verdict.champion_agrees == pytest.approx(verdict.challenger_agrees)
    assert second.version.verdict.champion_agrees != pytest.approx(whole.challenger_agrees)


def test_ratings_at_random_become_a_version_that_is_kept_and_never_serves(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer, taste=at_random)
    own_ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")

    teacher_of(own_ledger, storage, small_rules(), tmp_path).serve(Kind.COPY, str(writer))

    (training,) = own_ledger.trainings.newest()
    if training.version:
        assert training.state == TrainingState.REFUSED
        assert list(storage.list(training.version.prefix)) != []
    else:
        # People who contradict each other count so little that nothing is left to learn from.
        assert training.state == TrainingState.SKIPPED


def test_too_few_ratings_are_told_and_nothing_is_trained(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer, products=4, variants=2)
    own_ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")

    teacher_of(own_ledger, storage, small_rules(), tmp_path).serve(Kind.COPY, str(writer))

    (training,) = own_ledger.trainings.newest()
    assert training.state == TrainingState.SKIPPED
    assert "of 60 assets with an opinion that counts" in training.message
    assert list(storage.list("versions/")) == []


def test_a_second_training_without_new_ratings_says_so(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer)
    teacher = teacher_of(own_ledger, storage, small_rules(epochs=1), tmp_path)
    for _ in range(2):
        own_ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")
        teacher.serve(Kind.COPY, str(writer))

    second, first = own_ledger.trainings.newest()

    assert first.version is not None
    assert (second.state, second.version) == (TrainingState.SKIPPED, None)
    assert first.version.id in second.message


def test_a_model_that_cannot_be_loaded_fails_with_the_way_out(own_ledger: Ledger, storage: Storage, tmp_path: Path):
    rated_world(own_ledger, "missing/model+adapter")
    own_ledger.trainings.ask(Kind.COPY, "missing/model+adapter", "ada asked for it")

    teacher_of(own_ledger, storage, small_rules(), tmp_path).serve(Kind.COPY, "missing/model+adapter")

    (training,) = own_ledger.trainings.newest()
    assert training.state == TrainingState.FAILED
    assert "missing/model" in training.message


def test_a_gate_that_cannot_look_is_told_before_anything_is_trained(
    own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, MODEL)
    own_ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    asked: list[str] = []

    def no_tuner(_kind: Kind, model: str, _recipe: Recipe) -> Tuner:
        asked.append(model)
        raise ModelLoadError(model)

    def no_examiner(_kind: Kind) -> Examiner:
        raise SettingsError("FACTORY_IMAGE_SAFETY_CHECKER is nudenet, which is not installed")

    registry = Registry(own_ledger, storage, tmp_path / "models", 0.0)
    tools = Tools(own_ledger, storage, registry, no_tuner, no_examiner, small_rules(), tmp_path / "trainings")
    outcome = Teacher(tools, "w@test#1", threading.Event()).serve(Kind.COPY, MODEL)

    assert outcome is not None
    assert (outcome.state, asked) == (TrainingState.FAILED, [])
    assert outcome.message.startswith("FACTORY_IMAGE_SAFETY_CHECKER")


def test_a_training_that_meets_a_newer_ledger_waits_for_a_newer_worker(
    own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    training, _ = own_ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    following = NextVersion(own_ledger.database, tmp_path, renaming("ratings", "stars"))
    following.migrate()

    with pytest.raises(OutdatedError):
        teacher_of(own_ledger, storage, small_rules(), tmp_path).serve(Kind.COPY, MODEL)

    following.go_back()
    assert own_ledger.trainings.of_id(training.id).state == TrainingState.OPEN


def test_a_worker_that_stops_leaves_the_training_for_the_next(
    writer: Path, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    rated_world(own_ledger, writer)
    own_ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")
    stopping = threading.Event()
    stopping.set()

    outcome = teacher_of(own_ledger, storage, small_rules(), tmp_path, stopping).serve(Kind.COPY, str(writer))

    assert outcome is None
    assert own_ledger.trainings.waiting() == [(Kind.COPY, str(writer))]


def test_enough_new_ratings_begin_a_training_and_ring_for_it_once(settings: Settings, own_ledger: Ledger):
    wanted = curriculum().triggers.ratings
    make_assets(own_ledger, 3)
    watch, app = Watch(settings, own_ledger), make_app(settings)
    watch.look(app)
    before = own_ledger.trainings.newest()
    rate(own_ledger, [a_rating(number % 3, f"rater {number}", stars=4) for number in range(wanted)])

    for _ in range(2):
        Watch(settings, own_ledger).look(app)

    assert before == []
    assert [training.cause for training in own_ledger.trainings.newest()] == [f"{wanted} new ratings"]
    assert waiting_trainings(app) == 1


def test_the_command_asks_once_and_shows_what_is_on_its_way(settings: Settings, own_ledger: Ledger):
    make_assets(own_ledger, 1)

    first = factory(settings, "models", "retrain", "copy")
    second = factory(settings, "models", "retrain", "copy")
    (shown,) = factory(settings, "models", "trainings", "--json").stdout.splitlines()
    table = factory(settings, "models", "trainings")
    one = factory(settings, "models", "trainings", json.loads(shown)["id"])
    none = factory(settings, "models", "trainings", "nothing")

    assert "waits for a worker" in first.stdout
    assert "is under way already" in second.stdout
    record = json.loads(shown)
    assert (record["kind"], record["model"], record["state"]) == ("copy", "starter+house", "open")
    assert record["cause"].endswith("asked for it")
    assert waiting_trainings(make_app(settings)) == 2
    assert "waits" in table.stdout
    assert "because" in one.stdout
    assert (none.returncode, none.stderr) == (
        1,
        "factory: there is no training nothing: `factory models trainings` shows all\n",
    )


def test_training_here_and_now_says_what_is_missing(settings: Settings, own_ledger: Ledger, storage: Storage):
    make_assets(own_ledger, 1)
    rate(own_ledger, [a_rating(0, stars=4)])

    told = factory(settings, "models", "retrain", "copy", "--now")

    assert told.returncode == 0
    assert "skipped: there are only" in told.stdout
    assert [key.partition("/")[0] for key, _ in storage.list("")] == ["snapshots"]


@pytest.mark.usefixtures("storage")
def test_a_training_that_lacks_ratings_of_referees_says_so(settings: Settings, own_ledger: Ledger):
    make_assets(own_ledger, 1)
    rate(own_ledger, [a_rating(0, stars=4), a_rating(0, rater="bo", stars=2)])

    told = factory(settings.model_copy(update={"referees": "bo, nobody"}), "models", "retrain", "copy", "--now")

    assert "skipped: there are only" in told.stdout
    assert told.stdout.rstrip().endswith("only those of FACTORY_REFEREES are heard, and 0 of them count so far")


def test_who_is_forgotten_is_in_no_later_snapshot_and_was_named_in_none(own_ledger: Ledger, storage: Storage):
    make_assets(own_ledger, 4)
    rate(own_ledger, [a_rating(number, rater, approves=number < 2) for number in range(4) for rater in ("ada", "bob")])
    rules = small_rules()

    def stored() -> tuple[int, bytes]:
        heard = own_ledger.opinions.of_model(Kind.COPY, MODEL)
        place = snapshot.store(storage, heard, snapshot.take(heard, Kind.COPY, MODEL, rules))
        return len(heard.ratings), storage.get_whole(place.key)

    before, first = stored()
    own_ledger.intake.forget("default", "ada", "test")
    after, second = stored()

    assert (before, after) == (8, 4)
    assert first != second
    assert b"ada" not in first
    assert b"bob" not in first
