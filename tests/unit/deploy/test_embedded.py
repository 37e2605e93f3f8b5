import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import SettingsError
from core.settings import Settings
from deploy.embedded import RECORD, Embedded, own_ports, read, write

from support.waiting import holding


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def embedded(settings: Settings) -> Embedded:
    return Embedded.choose(settings, None)


def test_what_was_chosen_is_read_back(tmp_path: Path, embedded: Embedded):
    write(tmp_path / "factory.env", embedded)

    assert read(tmp_path / "factory.env") == embedded


def test_every_command_reads_the_file_as_settings(
    tmp_path: Path, settings: Settings, embedded: Embedded, monkeypatch: pytest.MonkeyPatch
):
    write(tmp_path / "factory.env", embedded)
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))

    assert Settings.load() == embedded.fill(settings)


def test_the_file_is_for_this_user_alone_and_nothing_else_is_left(tmp_path: Path, embedded: Embedded):
    write(tmp_path / "factory.env", embedded)
    write(tmp_path / "factory.env", embedded)

    assert [path.name for path in tmp_path.iterdir()] == ["factory.env"]
    assert (tmp_path / "factory.env").stat().st_mode & 0o777 == 0o600


def test_lines_of_a_person_stay_and_lines_of_ours_are_replaced(tmp_path: Path, embedded: Embedded):
    env_file = tmp_path / "factory.env"
    write(env_file, embedded)
    env_file.write_text("# mine\nFACTORY_BATCH_SIZE=4\n" + env_file.read_text())
    moved = embedded.model_copy(update={"flower_port": 6001})

    write(env_file, moved)

    lines = env_file.read_text().splitlines()
    assert lines[:2] == ["# mine", "FACTORY_BATCH_SIZE=4"]
    assert "FACTORY_FLOWER_PORT=6001" in lines
    assert len({line.partition("=")[0] for line in lines}) == len(lines)


def test_a_line_of_ours_that_a_person_changed_is_theirs(tmp_path: Path, embedded: Embedded):
    env_file = tmp_path / "factory.env"
    write(env_file, embedded)
    env_file.write_text(env_file.read_text().replace(f"PORT={embedded.flower_port}", "PORT=6002"))

    write(env_file, embedded)

    assert env_file.read_text().count("FACTORY_FLOWER_PORT=") == 1
    assert "FACTORY_FLOWER_PORT=6002" in env_file.read_text()


def test_secrets_are_made_once_and_differ_between_homes(settings: Settings, embedded: Embedded):
    again, other = Embedded.choose(settings, embedded), Embedded.choose(settings, None)

    assert again == embedded
    assert not set(again.values().items()) & {
        item for item in other.values().items() if "KEY" in item[0] or "BROKER" in item[0]
    }


def test_every_port_is_another_one(embedded: Embedded):
    assert len(set(embedded.all_ports)) == len(embedded.all_ports) == 11


def test_a_port_that_was_taken_meanwhile_is_left_to_its_holder(settings: Settings, embedded: Embedded):
    with socket.create_server(("127.0.0.1", embedded.flower_port)):
        again = Embedded.choose(settings, embedded)

    assert again.flower_port > embedded.flower_port
    assert again.broker == embedded.broker


def test_a_taken_port_that_a_person_set_is_one_clear_error(settings: Settings):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        wanted = settings.model_copy(update={"flower_port": holder.getsockname()[1]})

        with pytest.raises(SettingsError, match=r"FACTORY_FLOWER_PORT: \d+ is taken"):
            Embedded.choose(wanted, None)


@pytest.fixture
def home_of_5580(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a home whose API had its usual port, which `up` chose."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    chosen = Embedded.choose(Settings(home=tmp_path), None)
    write(tmp_path / "factory.env", chosen.model_copy(update={"api_port": 5580}))
    return tmp_path / "factory.env"


def _choose_again(env_file: Path) -> Embedded:
    """Choose as the next `up` does, while somebody holds the usual port of the API."""
    former, settings = read(env_file), Settings.load()
    assert former
    with holding(5580):
        return Embedded.choose(former.forget(settings, own_ports(env_file, settings)), former)


def test_a_usual_port_that_up_wrote_down_gives_way(home_of_5580: Path):
    again = _choose_again(home_of_5580)

    assert again.api_port > 5580


@pytest.mark.parametrize("where", ["environment", "above", "below"])
def test_a_usual_port_that_a_person_set_does_not_give_way(
    where: str, home_of_5580: Path, monkeypatch: pytest.MonkeyPatch
):
    line, written = "FACTORY_API_PORT=5580\n", home_of_5580.read_text()
    if where == "environment":
        monkeypatch.setenv("FACTORY_API_PORT", "5580")
    else:
        home_of_5580.write_text(line + written if where == "above" else written + line)

    with pytest.raises(SettingsError, match="FACTORY_API_PORT: 5580 is taken: set another one"):
        _choose_again(home_of_5580)


def test_a_usual_port_that_a_person_set_stays_theirs_whatever_up_writes(home_of_5580: Path):
    former = read(home_of_5580)
    assert former
    home_of_5580.write_text("FACTORY_API_PORT=5580\n" + home_of_5580.read_text())

    write(home_of_5580, former)
    write(home_of_5580, former)

    assert home_of_5580.read_text().count("FACTORY_API_PORT=5580") == 1
    assert own_ports(home_of_5580, Settings.load()) == {"api_port"}


def test_a_usual_port_in_the_environment_of_another_one_is_taken(home_of_5580: Path, monkeypatch: pytest.MonkeyPatch):
    former = read(home_of_5580)
    assert former
    write(home_of_5580, former.model_copy(update={"api_port": 5582}))
    monkeypatch.setenv("FACTORY_API_PORT", "5580")

    filled = former.model_copy(update={"api_port": 5582}).fill(Settings.load())

    assert filled.api_port == 5580


def test_what_the_settings_name_elsewhere_is_not_embedded(settings: Settings):
    elsewhere = {"broker_url": SecretStr("redis://queue:6379/0"), "s3_endpoint": "https://s3.example.com"}

    embedded = Embedded.choose(settings.model_copy(update=elsewhere), None)

    assert (embedded.broker, embedded.store) == (None, None)
    assert list(embedded.values()) == ["FACTORY_FLOWER_PORT", "FACTORY_API_PORT"]


def test_what_was_filled_in_can_be_forgotten(settings: Settings, embedded: Embedded):
    forgotten = embedded.forget(embedded.fill(settings), ())

    assert forgotten == settings
    assert not {"flower_port", "api_port"} & forgotten.model_fields_set


def test_settings_of_a_person_are_not_filled_in(settings: Settings, embedded: Embedded):
    elsewhere = settings.model_copy(update={"s3_endpoint": "https://s3.example.com", "flower_port": 6003})

    filled = embedded.fill(elsewhere)

    assert (filled.s3_endpoint, filled.s3_secret_key, filled.flower_port) == ("https://s3.example.com", None, 6003)


def test_a_home_of_before_there_was_an_api_gets_a_port_for_it(tmp_path: Path, embedded: Embedded):
    write(tmp_path / "factory.env", embedded)
    env_file = tmp_path / "factory.env"
    env_file.write_text(env_file.read_text().replace(f',"api_port":{embedded.api_port}', ""))

    former = read(env_file)

    assert former
    assert former.api_port == Settings.model_fields["api_port"].default


def test_a_damaged_record_is_one_clear_error(tmp_path: Path):
    (tmp_path / "factory.env").write_text(f"{RECORD}='{{oops'\n")

    with pytest.raises(SettingsError, match="FACTORY_EMBEDDED is damaged: delete it"):
        read(tmp_path / "factory.env")


def test_secrets_do_not_show_when_settings_are_printed(settings: Settings, embedded: Embedded):
    assert embedded.broker
    assert embedded.store

    shown = repr(embedded.fill(settings))

    assert embedded.broker.password not in shown
    assert embedded.store.secret_key not in shown
