from producer.api.guard import hosts_of


def test_on_this_machine_only_its_own_names_are_right():
    assert hosts_of("127.0.0.1", None) == {"127.0.0.1", "localhost", "::1"}


def test_elsewhere_any_name_is_right_until_some_are_set():
    assert hosts_of("0.0.0.0", None) == frozenset()
    assert hosts_of("0.0.0.0", "factory.example.com, Other.example.com") >= {
        "factory.example.com",
        "other.example.com",
    }
