from producer.cli.reference import PAGE, page


def test_the_reference_of_the_command_line_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m producer.cli.reference`"
