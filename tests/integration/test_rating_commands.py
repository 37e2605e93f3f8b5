"""Commands about ratings against real servers, with a real feedback worker where one records."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from core.broker import FEEDBACK, FEEDBACK_QUEUE, make_app
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from core.tables import campaigns

from support.collector import collecting
from support.commands import Factory, commands
from support.rated import message
from support.waiting import free_port, wait_until
from support.workers import Workers
from support.writer import CAMPAIGN, write_all, write_batch


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Run commands with the test's settings, in its folder."""
    for key, value in settings.environment().items():
        if key.startswith("FACTORY_"):
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def factory(capsys: pytest.CaptureFixture[str]) -> Factory:
    return commands(capsys)


@pytest.fixture
def campaign(factory: Factory, ledger: Ledger, storage: Storage) -> str:
    """A campaign whose sixteen lines are made."""
    _, [submitted], _ = factory("submit", "campaign.yaml", "--json")
    write_all(ledger, storage)
    return submitted["campaign"]


@pytest.fixture
def feedback_worker(settings: Settings, tmp_path: Path) -> Iterator[None]:
    workers = Workers(settings, tmp_path)
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    yield
    workers.end()


@pytest.mark.usefixtures("feedback_worker")
def test_a_rating_goes_through_the_queue_into_the_ledger_and_is_shown(
    factory: Factory, campaign: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("producer.rate.PATIENCE_SECONDS", 60.0)
    first, second = f"{campaign}-000000", f"{campaign}-000001"

    rated = factory("rate", first, "--stars", "4", "--comment", "=crisp", "--rater", "ada", "--json")
    rejected = factory("rate", second, "--reject", "untrue", "--rater", "ada")
    compared = factory("rate", first, "--better-than", second, "--rater", "ada")

    code, text, _ = factory("ratings", "show", "spring", "--assets", "5")
    _, records, _ = factory("ratings", "show", campaign, "--json")
    assert (rated[0], rejected[0], compared[0], code) == (0, 0, 0, 0)
    assert rated[1][0]["recorded"] is True
    assert rejected[1] == f"{second}: rated\n"
    assert "untrue" in text
    assert f"{first}  google_search.headline  open" in text
    assert records[0]["counts"]["ratings"] == 2
    assert records[0]["stars"]["low"] < records[0]["stars"]["value"] < records[0]["stars"]["high"]
    assert {"by": "reason", "name": "untrue", "times": 1} in records
    assert [one.comment for one in ledger.ratings.of_job(first)] == ["=crisp"]


def test_without_a_worker_a_rating_waits_on_the_queue_and_the_command_says_so(
    factory: Factory, campaign: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("producer.rate.PATIENCE_SECONDS", 0.1)

    code, text, error = factory("rate", f"{campaign}-000000", "--approve")

    assert code == 0
    assert text == f"{campaign}-000000: sent\n"
    assert "a feedback worker does it" in error


def test_a_rating_is_told_to_a_collector_by_whoever_gives_it(
    factory: Factory, campaign: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("producer.rate.PATIENCE_SECONDS", 0.1)
    with collecting() as collector:
        monkeypatch.setenv("FACTORY_TRACES_ENDPOINT", collector.endpoint)
        factory("rate", f"{campaign}-000000", "--approve")

    assert [one.service for one in collector.named("send feedback")] == ["factory-command"]


def test_without_a_broker_a_rating_is_safe_and_the_command_says_so(
    factory: Factory, campaign: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")

    code, text, error = factory("rate", f"{campaign}-000000", "--approve")

    assert (code, text) == (0, f"{campaign}-000000: kept\n")
    assert "the rating is safe in the ledger" in error
    assert ledger.intake.expected() == 1


MISTAKES = [
    (["rate", "JOB"], 2, "give --stars, --approve"),
    (["rate", "JOB", "--stars", "6"], 2, "--stars"),
    (["rate", "JOB", "--stars", "3", "--better-than", "JOB"], 2, "give --stars"),
    (["rate", "JOB", "--approve", "--reject", "untrue"], 2, "give --stars"),
    (["rate", "JOB", "--reject", "ugly"], 1, "reason: there is no reason 'ugly' for copy: one of off-brand"),
    (["rate", "JOB", "--reject", "not a reason"], 1, "reason: "),
    (["rate", "JOB", "--better-than", "JOB"], 1, "an asset cannot be compared with itself"),
    (["rate", "JOB", "--better-than", "nobody"], 1, "there is no asset of a job 'nobody'"),
    (["rate", "nobody", "--stars", "3"], 1, "there is no job 'nobody'"),
    (["rate", "JOB", "--stars", "3", "--comment", "a\x07b"], 1, "comment: "),
    (["rate", "JOB", "--stars", "3", "--rater", "a\nb"], 1, "rater: "),
    (["ratings", "import", "nowhere.csv"], 1, "nowhere.csv cannot be read: No such file"),
    (["ratings", "import", "campaign.yaml"], 1, "the column 'job_id' is missing"),
    (["ratings", "show", "nowhere"], 1, "there is no campaign 'nowhere'"),
    (["ratings", "export", "--to", "x.csv", "--format", "xlsx"], 2, "'xlsx' is not one of csv, jsonl"),
    (["regenerate", "JOB"], 1, "is not rejected: give --reason"),
    (["regenerate", "JOB", "--reason", "ugly"], 1, "there is no reason 'ugly' for copy"),
    (["regenerate", "nobody"], 1, "there is no job 'nobody'"),
]


@pytest.mark.parametrize(("arguments", "code", "expected"), MISTAKES)
def test_a_mistake_is_a_line_and_an_exit_code(
    arguments: list[str], code: int, expected: str, factory: Factory, campaign: str
):
    filled = [argument.replace("JOB", f"{campaign}-000000") for argument in arguments]

    plain = factory(*filled)
    as_json = factory(*filled, "--json")

    assert (plain[0], as_json[0]) == (code, code)
    assert expected in plain[2]
    assert expected in json.loads(as_json[2])["error"]
    assert "Traceback" not in plain[2]
    assert "unexpected" not in plain[2]


def test_a_file_of_a_spreadsheet_is_imported_and_its_bad_lines_are_named(
    factory: Factory, campaign: str, tmp_path: Path
):
    lines = [
        "\ufeffjob_id;stars;approves;reason;comment;rater",
        f'{campaign}-000000;4;;;"crisp; ""short""";ada',
        f"{campaign}-000001;9;;;;ada",
        f"{campaign}-000002;;no;Untrue;;ada",
        "nobody;3;;;;ada",
        f"{campaign}-000003;;perhaps;;;ada",
        f"{campaign}-000004;2;;;;bo;;;",
    ]
    (tmp_path / "ratings.csv").write_text("\r\n".join(lines), encoding="utf-8", newline="")

    code, text, error = factory("ratings", "import", "ratings.csv")
    again, [record], _ = factory("ratings", "import", "ratings.csv", "--json")

    assert (code, again) == (1, 1)
    assert text == "ratings.csv: 3 ratings recorded\n"
    assert "ratings.csv:3:24: stars: Input should be less than or equal to 5" in error
    assert "ratings.csv:5:1: job_id: there is no asset of a job 'nobody'" in error
    assert "ratings.csv:6:25: approves: 'perhaps' is neither yes nor no" in error
    assert (record["recorded"], record["known"], record["wrong"]) == (0, 3, 3)


def test_results_are_imported_and_make_click_rates(factory: Factory, campaign: str, tmp_path: Path):
    (tmp_path / "results.csv").write_text(
        "Asset ID,Date,Impr.,Clicks,Conv.,Cost\n"
        f'{campaign}-000000,2026-11-01,"1,200",30,"2.5",9.80\n'
        f"{campaign}-000000,2026-11-02,800,10,1,5.10\n"
        f"{campaign}-000001,2026-11-02,5,8,1,5.10\n"
    )

    code, text, error = factory("ratings", "import", "results.csv", "--source", "google-ads")
    _, records, _ = factory("ratings", "show", campaign, "--json")

    assert code == 1
    assert text == "results.csv: 2 results recorded\n"
    assert "results.csv:4:1: clicks cannot be more than impressions" in error
    assert "not looked at: the columns cost" in error
    counts = records[0]["counts"]
    assert (counts["impressions"], counts["clicks"], counts["conversions"]) == (2000, 40, 3.5)
    assert records[0]["click_rate"]["low"] < 0.02 < records[0]["click_rate"]["high"]


def test_an_export_is_harmless_in_a_spreadsheet_and_can_be_imported_again(
    factory: Factory, campaign: str, tmp_path: Path
):
    lines = [
        "job_id,stars,approves,reason,comment,rater,at",
        f'{campaign}-000000,5,yes,,"=1+1, ""really""\nyes",@ada,2026-11-01T10:00:00Z',
        f"{campaign}-000001,,no,untrue,''-x,bo,2026-11-01T10:00:00.25+02:00",
    ]
    (tmp_path / "in.csv").write_text("\n".join(lines))
    factory("ratings", "import", "in.csv")

    code, text, _ = factory("ratings", "export", "--to", "out.csv")
    refused = factory("ratings", "export", "--to", "out.csv")
    factory("ratings", "forget", "@ada")
    factory("ratings", "forget", "bo")
    empty = factory("ratings", "export", "--to", "empty.jsonl")
    factory("ratings", "import", "out.csv")
    factory("ratings", "export", "--to", "again.csv", "--campaign", "spring")

    assert (code, refused[0], empty[0]) == (0, 1, 0)
    assert text == "out.csv: 2 ratings as csv\n"
    assert "already" in refused[2]
    assert (tmp_path / "empty.jsonl").read_text() == ""
    exported = (tmp_path / "out.csv").read_text()
    assert "'@ada" in exported
    assert '"\'=1+1, ""really""\nyes"' in exported
    assert (tmp_path / "again.csv").read_text() == exported


def test_a_million_lines_would_fit_since_memory_does_not_grow_with_the_file(
    factory: Factory, campaign: str, tmp_path: Path
):
    def peak(lines: int) -> int:
        with (tmp_path / f"{lines}.csv").open("w") as file:
            file.write("job_id,stars,rater\n")
            file.writelines(f"{campaign}-{line % 16:06d},{line % 5 + 1},rater {line}\n" for line in range(lines))
        tracemalloc.start()
        code, _, _ = factory("ratings", "import", f"{lines}.csv")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert code == 0
        return most

    peak(1000)
    small, large = peak(2000), peak(12_000)

    # A rating alone takes 650 bytes.
    assert large - small < 10_000 * 500


def test_a_rejected_line_is_made_anew_in_another_style_and_never_the_same_again(
    factory: Factory, campaign: str, ledger: Ledger, storage: Storage
):
    job = f"{campaign}-000000"
    old = ledger.jobs.status(job).job

    code, [made], _ = factory("regenerate", job, "--reason", "awkward-wording", "--json")
    again, [same], _ = factory("regenerate", job, "--json")
    new = ledger.jobs.status(made["job_id"]).job
    # The writer of the tests writes the rejected line again.
    write_batch(ledger, storage)
    after_the_same = ledger.jobs.status(made["job_id"]).state
    write_batch(ledger, storage, text=lambda _: "Dark roast before eight")
    _, text, _ = factory("show", made["job_id"])
    _, former, _ = factory("show", job)
    verified = factory("verify", campaign)
    exported = factory("export", campaign, "--to", "lines.csv")

    assert (code, again, verified[0], exported[0]) == (0, 0, 0, 0)
    assert after_the_same == "waiting"
    assert (made["is_new"], same["is_new"], same["job_id"]) == (True, False, f"{job}-r1")
    assert new.brief.revision.reasons == ("awkward-wording",)
    assert new.brief.revision.rejected == ("Ember Espresso für commuters: google_search.headline 1",)
    assert new.brief.style != old.brief.style
    assert new.seed != old.seed
    assert f"replaces  {job}, rejected: awkward-wording" in text
    assert f"anew      {job}-r1" in former
    assert "left out, since they were rejected or replaced: 1" in exported[2]
    rows = (Path("lines.csv")).read_text()
    assert f"{job}-r1," in rows
    assert f"{job}," not in rows


def test_rejected_lines_are_not_delivered(factory: Factory, campaign: str, ledger: Ledger):
    for number in range(15):
        factory("regenerate", f"{campaign}-{number:06d}", "--reason", "other")

    code, text, error = factory("export", campaign, "--to", "lines.csv")
    factory("regenerate", f"{campaign}-000015", "--reason", "other")
    nothing = factory("export", campaign, "--to", "none.csv")

    assert (code, text) == (0, f"lines.csv: 1 line of {campaign} as csv\n")
    assert "left out, since they were rejected or replaced: 15" in error
    assert nothing[0] == 1
    assert f"all that campaign {campaign} has made was rejected" in nothing[2]
    assert ledger.campaigns.status(campaign).waiting == 16


def test_the_queue_of_refusals_is_shown(factory: Factory, campaign: str, ledger: Ledger):
    assert campaign
    ledger.intake.refuse("stars: is 6", '{"stars": 6}')

    code, text, _ = factory("ratings", "refused")

    assert code == 0
    assert "stars: is 6" in text


def test_reasons_are_listed_by_kind(factory: Factory):
    _, records, _ = factory("ratings", "reasons", "music", "--json")
    code, text, _ = factory("ratings", "reasons")

    assert code == 0
    assert "awkward-wording" in text
    assert "wrong-mood" in {one["reason"] for one in records}
    assert "untrue" not in {one["reason"] for one in records}


@pytest.mark.usefixtures("feedback_worker")
def test_poison_ends_among_the_refusals_and_what_follows_is_recorded(settings: Settings, campaign: str, ledger: Ledger):
    app = make_app(settings)
    good = {
        "version": 1,
        "id": "good-message",
        "tenant": "default",
        "rater": "ada",
        "at": time.time(),
        "content": {"type": "rating", "job_id": f"{campaign}-000000", "stars": 5},
    }
    poison = [
        ({"version": 2} | {"anything": "new"},),
        (good | {"id": "stars-is-six", "content": good["content"] | {"stars": 6}},),
        (good | {"id": "text-stars", "content": good["content"] | {"stars": "5"}},),
        (good | {"id": "no-such-job", "content": good["content"] | {"job_id": "nobody"}},),
        (good | {"id": "with-a-nul", "content": good["content"] | {"comment": "a\0b"}},),
        ("no message",),
        (),
        (good, good),
    ]
    for arguments in [*poison, (good,)]:
        app.send_task(FEEDBACK, arguments, queue=FEEDBACK_QUEUE)

    wait_until(lambda: ledger.intake.is_recorded("good-message"), 60, "the good one")
    wait_until(lambda: len(ledger.intake.refusals(20)) >= len(poison), 60, "the refusals")

    reasons = [one.reason for one in ledger.intake.refusals(20)]
    assert len(reasons) == len(poison)
    assert "version: 2 is newer than 1, which this worker knows: update the worker" in reasons
    assert any(reason.startswith("content.rating.stars: Input should be less than") for reason in reasons)
    assert any("there is no asset of a job 'nobody'" in reason for reason in reasons)


@pytest.mark.usefixtures("feedback_worker")
def test_what_belongs_to_a_tenant_is_rated_regenerated_and_forgotten_as_its_own(
    factory: Factory, campaign: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("producer.rate.PATIENCE_SECONDS", 60.0)
    with ledger.database.write() as connection:
        connection.execute(update(campaigns).values(tenant="ann"))
    rated, remade, imported = (f"{campaign}-00000{i}" for i in range(3))
    (tmp_path / "stars.csv").write_text(f"job_id,stars\n{imported},4\n", encoding="utf-8")

    _, [sent], _ = factory("rate", rated, "--stars", "5", "--rater", "bo", "--json")
    _, [made], _ = factory("regenerate", remade, "--reason", "untrue", "--rater", "bo", "--json")
    refused, _, told = factory("ratings", "import", "stars.csv", "--rater", "bo")
    taken, _, _ = factory("ratings", "import", "stars.csv", "--rater", "bo", "--tenant", "ann")

    assert (sent["recorded"], made["is_new"], refused, taken) == (True, True, 1, 0)
    assert "stars.csv:2:1" in told
    assert [one.tenant for job in (rated, remade, imported) for one in ledger.ratings.of_job(job)] == ["ann"] * 3
    assert factory("ratings", "forget", "bo", "--json")[1] == [{"deleted": 0}]
    assert factory("ratings", "forget", "bo", "--tenant", "ann", "--json")[1] == [{"deleted": 3}]


def test_a_report_says_who_fares_differently_for_people_and_for_programs(
    factory: Factory, campaign: str, ledger: Ledger
):
    rated = [message({"type": "rating", "job_id": f"{campaign}-{n:06d}", "approves": n < 8}) for n in range(16)]
    ledger.intake.record(rated)

    told, groups, _ = factory("ratings", "report", campaign, "--json")
    shown, text, _ = factory("ratings", "report")

    assert told == shown == 0
    assert [f"copy by {by}" in text for by in ("audience", "locale", "channel", "product")] == [True] * 4
    audiences = [one for one in groups if one["by"] == "audience"]
    assert sum(one["answers"] for one in audiences) == 16
    assert {"jobs", "dead_letters", "acceptance", "acceptance_difference", "is_marked"} <= set(audiences[0])


def test_a_report_on_a_campaign_that_is_not_there_says_so(factory: Factory, campaign: str):
    code, _, errors = factory("ratings", "report", campaign, "nothing-like-it")

    assert code == 1
    assert "nothing-like-it" in str(errors)
