from schemas.access import Role


def test_each_role_may_do_what_those_before_it_may():
    roles = [Role.VIEWER, Role.RATER, Role.PRODUCER, Role.ADMIN]

    assert [[role.may(least) for least in roles] for role in roles] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
