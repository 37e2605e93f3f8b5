import json
from pathlib import Path

import pytest

from core.settings import Settings
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.servers import identities, store_command, valkey_config, write_configuration


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.of(Settings(home=tmp_path))
    home.create()
    return home


@pytest.fixture
def embedded(tmp_path: Path) -> Embedded:
    return Embedded.choose(Settings(home=tmp_path), None)


def test_valkey_keeps_tickets_and_wants_a_password(home: Home, embedded: Embedded):
    assert embedded.broker

    lines = valkey_config(home, embedded.broker).splitlines()

    assert {"bind 127.0.0.1", "appendonly yes", "appendfsync everysec"} <= set(lines)
    assert f"requirepass {embedded.broker.password}" in lines
    assert f'dir "{home.data}/valkey"' in lines


def test_the_store_knows_one_identity(embedded: Embedded):
    assert embedded.store

    known = json.loads(identities(embedded.store))["identities"]

    assert [one["credentials"] for one in known] == [
        [{"accessKey": embedded.store.access_key, "secretKey": embedded.store.secret_key}]
    ]


def test_every_port_of_the_store_is_chosen_and_on_this_machine_alone(home: Home, embedded: Embedded):
    assert embedded.store

    options = dict(option.partition("=")[::2] for option in store_command(home, embedded.store))

    ports = [int(value) for key, value in options.items() if ".port" in key]
    assert sorted(ports) == sorted([0, 0, embedded.store.port, *embedded.store.inner_ports])
    assert options["-ip.bind"] == options["-ip"] == "127.0.0.1"


def test_the_store_tells_nobody_about_itself(home: Home, embedded: Embedded):
    assert embedded.store

    assert "-master.telemetry=false" in store_command(home, embedded.store)


def test_files_with_secrets_are_for_this_user_alone(home: Home, embedded: Embedded):
    (home.run / "s3.json").write_text("of an earlier start")
    (home.run / "s3.json").chmod(0o644)

    write_configuration(home, embedded)

    assert [(home.run / name).stat().st_mode & 0o777 for name in ("s3.json", "valkey.conf")] == [0o600, 0o600]
