"""The page of metrics over HTTP: who may read it, and what it says."""

from prometheus_client.parser import text_string_to_metric_families

from schemas.access import Role

from support.calls import Api
from support.writer import CAMPAIGN


def test_this_machine_reads_it_without_a_key_as_long_as_there_is_none(api: Api):
    answer = api.client.get("/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert len(list(text_string_to_metric_families(answer.text))) > 15


def test_with_keys_it_takes_one_and_a_viewer_may(api: Api):
    key = api.key(Role.VIEWER)

    assert api.client.get("/metrics").status_code == 401
    assert api.client.get("/metrics", headers=key).status_code == 200


def test_what_is_submitted_is_seen(api: Api):
    submitted = api.submit(CAMPAIGN).json()["campaign"]

    page = api.call("GET", "/metrics").text

    assert f'factory_wanted_jobs{{kind="copy"}} {submitted["waiting"]}.0\n' in page
    assert submitted["campaign"] not in page
