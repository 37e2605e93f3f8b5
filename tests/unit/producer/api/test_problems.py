import json
import logging

import pytest

from core import errors
from core.errors import FactoryError
from producer.api.problems import of_error

INSIDE = "the ledger at postgresql://factory:***@10.0.0.7/ledger does not answer"


def kinds(base: type[FactoryError] = FactoryError) -> list[type[FactoryError]]:
    return [base, *(one for kind in base.__subclasses__() for one in kinds(kind))]


def made(kind: type[FactoryError]) -> FactoryError:
    if kind is errors.QuotaError:
        return errors.QuotaError(INSIDE, 7)
    if kind is errors.BrokenVersionError:
        return errors.BrokenVersionError("copy-20260102-0123abcd", INSIDE)
    if kind is errors.CampaignFileError:
        return errors.CampaignFileError((errors.Problem("c.yaml", 3, 5, "brand.name", "is missing"),))
    return kind(INSIDE)


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_a_status_a_word_and_the_id_of_the_call(kind: type[FactoryError]):
    answer = of_error(made(kind), "some-id")

    told = json.loads(answer.body)
    assert answer.media_type == "application/problem+json"
    assert told["status"] == answer.status_code >= 400
    assert told["instance"] == "urn:uuid:some-id"
    assert told["type"].removeprefix("urn:content-factory:").replace("-", "").isalpha()


@pytest.mark.parametrize("kind", [errors.LedgerError, errors.StorageError, errors.BrokerError, errors.SettingsError])
def test_what_is_wrong_inside_is_told_to_the_log_alone(kind: type[FactoryError], caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        answer = of_error(kind(INSIDE), "some-id")

    assert b"10.0.0.7" not in answer.body
    assert "some-id" in caplog.text
    assert "10.0.0.7" in caplog.text


def test_what_may_pass_by_itself_says_when_to_come_again():
    away, full = of_error(errors.LedgerError(INSIDE), "x"), of_error(errors.QuotaError("too many", 7), "x")

    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert (full.status_code, full.headers["retry-after"]) == (429, "7")


def test_a_problem_of_a_campaign_says_where_it_stands():
    told = json.loads(of_error(made(errors.CampaignFileError), "x").body)

    assert told["problems"] == [{"field": "brand.name", "message": "is missing", "line": 3, "column": 5}]
