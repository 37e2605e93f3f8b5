"""Styles over HTTP: each tenant sees what its own people like."""

from schemas.access import Role
from schemas.styles import Style

from support.calls import Api
from support.styled import campaign_text, like, make, submit


def test_a_tenant_sees_what_its_own_people_like_and_nobody_elses(api: Api):
    submit(api.ledger, campaign_text(), tenant="ann")
    like(api.ledger, make(api.ledger), Style.BENEFIT)

    mine = api.call("GET", "/v1/models/styles", headers=api.key(Role.VIEWER)).json()
    theirs = api.call("GET", "/v1/models/styles", headers=api.key(Role.VIEWER, "bob")).json()

    assert [(one["channel"], one["audience"]) for one in mine["styles"]] == [
        ("email.subject", "commuters"),
        ("email.subject", "home"),
    ]
    assert {max(one["styles"], key=lambda style: style["share"])["style"] for one in mine["styles"]} == {"benefit"}
    assert theirs == {"is_on": True, "styles": [], "left_out": 0}


def test_no_more_cells_are_listed_than_were_asked_for_and_those_of_which_people_said_the_most(api: Api):
    submit(api.ledger, campaign_text(), tenant="ann")
    like(api.ledger, make(api.ledger), Style.BENEFIT)

    found = api.call("GET", "/v1/models/styles?limit=1").json()

    assert (len(found["styles"]), found["left_out"]) == (1, 1)


def test_a_campaign_over_http_may_leave_its_styles_to_ratings(api: Api):
    submitted = api.submit(campaign_text(products=2))

    made = make(api.ledger)

    assert submitted.status_code == 201
    assert [api.ledger.styles.of_job(job.id).style for job in made] == [job.brief.style for job in made]
