import itertools
import random

from benchmarks import work
from workers.checks.copy import check


def test_the_random_models_words_pass_the_checks_in_any_order():
    [brief] = [job.brief for job in work.jobs("c", 1, "model", None)]
    picked = random.Random(0)

    lines = [" ".join(picked.sample(work.WORDS, 3)) for _ in range(200)]
    passed = [line for line in lines if all(found.passed for found in check(line, brief))]

    assert len(passed) > 190


def test_the_same_jobs_are_made_for_every_variant():
    first, second = (list(work.jobs("c", 40, "model", None)) for _ in range(2))

    assert first == second
    assert len({job.id for job in first}) == 40


def test_a_product_has_as_many_jobs_as_a_campaign_has_variants():
    products = [job.brief.product.sku for job in work.jobs("c", 40, "model", None)]

    assert {len(list(same)) for _, same in itertools.groupby(products)} == {work.VARIANTS}


def test_a_trained_model_gets_the_products_of_the_examples_under_ever_new_skus():
    jobs = list(work.jobs("c", 200, work.STARTER, "house"))

    assert len(jobs) == 200
    assert "NB-001-0" in {job.brief.product.sku for job in jobs}
    assert {job.bucket for job in jobs} == {"copy/starter+house/short"}
