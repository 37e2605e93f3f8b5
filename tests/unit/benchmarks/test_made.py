from benchmarks.made import Made, quantiles, spread


def test_a_spread_tells_the_median_and_how_far_rounds_differ():
    assert spread([0.9, 0.5, 1.0]) == {"median": 0.9, "min": 0.5, "max": 1.0}


def test_quantiles_are_told_in_milliseconds():
    seconds = [number / 1000 for number in range(101)]

    assert quantiles(seconds) == {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "mean_ms": 50.0}


def test_two_halves_of_a_run_are_one_run():
    whole = Made(jobs=10, seconds=1.0, cpu_seconds=0.5) + Made(jobs=30, seconds=3.0, cpu_seconds=1.5)

    assert (whole.jobs, whole.per_second, whole.cpu_ms) == (40, 10.0, 50.0)
