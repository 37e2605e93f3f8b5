from producer.webhooks.deliver import WAITS_SECONDS, wait_after


def test_each_attempt_that_fails_waits_longer_and_the_last_one_is_the_end():
    waits = [wait_after(tries) for tries in range(1, len(WAITS_SECONDS) + 2)]

    assert waits[-1] is None
    assert all(
        wanted * 0.8 <= wait <= wanted * 1.2
        for wait, wanted in zip(waits, WAITS_SECONDS, strict=False)
        if wait is not None
    )
    assert sum(WAITS_SECONDS) > 3 * 86_400 - 3600
