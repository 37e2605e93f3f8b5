from schemas.channels import channels


def test_every_channel_is_found_by_its_id():
    assert all(spec.id == name for name, spec in channels().items())
    assert len(channels()) == 13


def test_every_channel_leaves_room_between_its_limits():
    assert all(2 * spec.min_characters <= spec.max_characters for spec in channels().values())


def test_every_limit_has_a_source_and_a_day():
    assert all(spec.source.startswith("https://") and len(spec.checked_on) == 10 for spec in channels().values())
