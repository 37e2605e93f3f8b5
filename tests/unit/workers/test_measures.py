"""What a worker counts of itself."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from core.ledger.leases import ALONE, Settled
from workers import measures

BUCKET = "copy/starter+house/short"


def value(name: str, **labels: str) -> float:
    return measures.REGISTRY.get_sample_value(name, labels) or 0.0


def counted(name: str, **labels: str):
    """Return what says by how much a count has grown since now."""
    before = value(name, **labels)
    return lambda: round(value(name, **labels) - before, 6)


def test_a_batch_is_counted_with_what_became_of_its_jobs_and_how_full_it_was():
    batches, filled = (
        counted("factory_worker_batches_total", kind="copy"),
        counted("factory_worker_batch_fill_sum", kind="copy"),
    )
    done, failed = (counted("factory_worker_jobs_total", kind="copy", outcome=one) for one in ("done", "failed"))

    measures.count_batch(BUCKET, 8, 32, Settled(done=("a",) * 6, failed=("b",) * 2))

    assert (batches(), filled(), done(), failed()) == (1, 0.25, 6, 2)


def test_a_batch_that_nothing_was_left_of_is_none():
    batches = counted("factory_worker_batches_total", kind="copy")

    measures.count_batch(BUCKET, 0, 32, Settled())

    assert batches() == 0


def test_a_job_that_runs_alone_says_nothing_about_how_full_batches_are():
    batches, fills = (
        counted("factory_worker_batches_total", kind="copy"),
        counted("factory_worker_batch_fill_count", kind="copy"),
    )

    measures.count_batch(BUCKET + ALONE, 1, 32, Settled(done=("a",)))

    assert (batches(), fills()) == (1, 0)


def test_a_batch_whose_limit_became_less_in_the_middle_was_full():
    filled = counted("factory_worker_batch_fill_sum", kind="image")

    measures.count_batch("image/starter/any", 32, 8, Settled())

    assert filled() == 1


def test_device_seconds_are_counted_by_model_without_its_folder():
    labels = {"kind": "copy", "model": "our_model+house"}
    seconds = counted("factory_worker_job_seconds_sum", **labels)

    measures.count_round("copy//srv/models/our model+house/short", [0.5, 0.25])

    assert seconds() == 0.75


def test_of_very_many_models_the_last_are_one():
    for number in range(2 * measures.MOST_MODELS):
        measures.count_round(f"copy/model-{number}/short", [0.1])

    models = {
        sample.labels["model"]
        for family in text_string_to_metric_families(generate_latest(measures.REGISTRY).decode())
        for sample in family.samples
        if "model" in sample.labels
    }

    assert len(models) <= measures.MOST_MODELS + 1
    assert measures.OTHER in models


def test_uploads_and_halvings_are_counted():
    uploads, seconds = (
        counted("factory_worker_uploads_total", kind="copy"),
        counted("factory_worker_upload_seconds_sum"),
    )
    halvings = counted("factory_worker_out_of_memory_halvings_total", kind="copy")

    measures.count_uploads(BUCKET, 5, 0.5)
    measures.count_uploads(BUCKET, 0, 9.0)
    measures.count_halving(BUCKET)

    assert (uploads(), seconds(), halvings()) == (5, 0.5, 1)
