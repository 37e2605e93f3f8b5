"""Commands about schedules, run as a person runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings

from support.collector import collecting
from support.commands import Factory, commands
from support.scheduled import CAMPAIGN, without_broker

MONDAYS = ("--cron", "0 6 * * 1", "--timezone", "Europe/Berlin")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Run commands in a folder of their own, with a ledger of their own and a broker that goes nowhere."""
    settings = without_broker(tmp_path / "home")
    for key, value in settings.environment().items():
        if key.startswith("FACTORY_"):
            monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    return settings


@pytest.fixture
def books(here: Settings) -> Iterator[Ledger]:
    opened = Ledger(here)
    yield opened
    opened.close()


@pytest.fixture
def factory(capsys: pytest.CaptureFixture[str]) -> Factory:
    return commands(capsys)


def test_a_schedule_is_added_listed_shown_paused_resumed_and_removed(factory: Factory, books: Ledger):
    _, [added], _ = factory("schedule", "add", "campaign.yaml", *MONDAYS, "--catch-up", "one", "--json")
    _, [listed], _ = factory("schedule", "list", "--json")
    _, [shown], _ = factory("schedule", "show", "roast", "--json")
    paused = factory("schedule", "pause", "roast")
    resumed = factory("schedule", "resume", added["schedule"])
    removed = factory("schedule", "remove", "roast")
    none = factory("schedule", "list")

    assert added == listed
    assert (added["name"], added["cron"], added["timezone"], added["catch_up"]) == (
        "roast",
        "0 6 * * 1",
        "Europe/Berlin",
        "one",
    )
    assert shown["definition"] == CAMPAIGN
    weeks = [round((moment - shown["following"][0]) / 604_800) for moment in shown["following"]]
    assert weeks == [0, 1, 2]
    assert paused[:2] == (0, "roast: paused, '0 6 * * 1' in Europe/Berlin, catch-up one, due next paused\n")
    assert "roast: active" in resumed[1]
    assert removed[:2] == (0, "roast: removed\n")
    assert "no schedules yet" in none[2]
    assert [action for _, _, action, _ in books.campaigns.history(added["schedule"])] == [
        "schedule",
        "pause",
        "resume",
        "remove",
    ]


def test_a_schedule_is_run_at_once_and_its_history_names_the_campaign(factory: Factory, books: Ledger):
    factory("schedule", "add", "campaign.yaml", *MONDAYS, "--name", "weekly")

    code, [ran], _ = factory("schedule", "run", "weekly", "--json")
    _, [noted], _ = factory("schedule", "history", "weekly", "--json")
    _, text, _ = factory("schedule", "history", "weekly")

    assert (code, ran["state"]) == (0, "submitted")
    assert noted["campaign_id"] == ran["campaign_id"]
    assert ran["campaign_id"] in text
    assert books.campaigns.status(ran["campaign_id"]).submitted_jobs == 3


@pytest.mark.usefixtures("here")
def test_a_schedule_that_is_run_is_told_to_a_collector(factory: Factory, monkeypatch: pytest.MonkeyPatch):
    factory("schedule", "add", "campaign.yaml", *MONDAYS, "--name", "weekly")

    with collecting() as collector:
        monkeypatch.setenv("FACTORY_TRACES_ENDPOINT", collector.endpoint)
        factory("schedule", "run", "weekly")

    assert [one.service for one in collector.named("submit campaign")] == ["factory-command"]


@pytest.mark.usefixtures("here")
def test_later_changes_of_the_file_count_when_the_schedule_is_updated(factory: Factory, tmp_path: Path):
    factory("schedule", "add", "campaign.yaml", *MONDAYS)
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN.replace("Ember", "Harbour"))

    _, [before], _ = factory("schedule", "show", "roast", "--json")
    code, [updated], _ = factory("schedule", "update", "roast", "campaign.yaml", "--cron", "0 7 * * 1", "--json")
    _, [after], _ = factory("schedule", "show", "roast", "--json")

    assert (code, updated["cron"], updated["timezone"]) == (0, "0 7 * * 1", "Europe/Berlin")
    assert "Ember" in before["definition"]
    assert "Harbour" in after["definition"]


MISTAKES = [
    (["campaign.yaml", "--cron", "0 6 * *"], 1, "cron: '0 6 * *' has not five fields"),
    (["campaign.yaml", "--cron", "0 6 * * 1", "--timezone", "Europe/Belrin"], 1, "did you mean 'Europe/Berlin'?"),
    (["campaign.yaml", "--cron", "0 6 * * 1", "--window", "22-6"], 1, "window: write two times of day"),
    (["nothing.yaml", "--cron", "0 6 * * 1"], 1, "nothing.yaml:1:1: cannot be read"),
    (["campaign.yaml"], 2, "--cron"),
    (["campaign.yaml", "--cron", "0 6 * * 1", "--catch-up", "some"], 2, "--catch-up"),
]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("arguments", "code", "told"), MISTAKES)
def test_a_mistake_is_told_with_the_way_out_and_nothing_is_kept(
    factory: Factory, arguments: list[str], code: int, told: str
):
    answer = factory("schedule", "add", *arguments)

    assert answer[0] == code
    assert told in answer[2]
    assert "Traceback" not in answer[2]
    assert factory("schedule", "list")[1] == ""


@pytest.mark.usefixtures("here")
def test_a_wrong_file_is_told_as_plan_tells_it(factory: Factory, tmp_path: Path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN.replace("name: roast", "nam: roast"))

    planned = factory("plan", "campaign.yaml")
    added = factory("schedule", "add", "campaign.yaml", *MONDAYS)

    assert planned == added
    assert added[0] == 1


@pytest.mark.usefixtures("here")
def test_plan_and_status_say_when_a_window_opens(factory: Factory, tmp_path: Path):
    # Open for one minute a year would be better; a minute a day is missed often enough.
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN + 'window: "03:14-03:15"\ntimezone: Asia/Kathmandu\n')

    _, text, _ = factory("plan", "campaign.yaml")
    _, [planned], _ = factory("plan", "campaign.yaml", "--json")
    _, [submitted], _ = factory("submit", "campaign.yaml", "--json")
    _, [status], _ = factory("status", submitted["campaign"], "--json")
    _, line, _ = factory("status", submitted["campaign"])

    assert "window         made 03:14-03:15 Asia/Kathmandu, " in text
    assert (planned["window"], status["window"]) == ("03:14-03:15 Asia/Kathmandu",) * 2
    opens_at = planned["opens_at"]
    assert opens_at is None or (opens_at % 86_400 == (3 * 60 + 14 - 345) % 1440 * 60 and status["opens_at"] == opens_at)
    assert opens_at is None or "made 03:14-03:15 Asia/Kathmandu, opens " in line


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("window: 9", "window: needs text"),
        ('window: "22:00"', "window: '22:00': write two times of day"),
        ('window: "24:00-06:00"', "write two times of day"),
        ('window: "06:00-06:00"', "window: opens and closes at the same time"),
        ("timezone: Europe/Belrin", "timezone: there is no time zone 'Europe/Belrin'; did you mean 'Europe/Berlin'?"),
        ("timezone: 1", "timezone: "),
    ],
)
def test_a_wrong_window_in_a_file_is_told_with_its_line(factory: Factory, tmp_path: Path, line: str, told: str):
    (tmp_path / "campaign.yaml").write_text(f"{CAMPAIGN}{line}\n")

    code, _, error = factory("plan", "campaign.yaml")

    assert (code, error.count("\n")) == (1, 1)
    assert error.startswith("factory: campaign.yaml:9:")
    assert told in error
