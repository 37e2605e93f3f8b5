from core.settings import Settings
from producer.model_records import model_records


def test_an_adapter_changes_no_language():
    records = {record.model: record for record in model_records(Settings(), ()) if record.kind == "copy"}

    assert records["starter+house"].locales == records["starter"].locales == ("en*",)


def test_of_a_model_that_nobody_knows_no_language_is_told():
    settings = Settings(copy_model="some/model", copy_adapter="")

    assert {record.model: record.locales for record in model_records(settings, ())}["some/model"] == ()
