"""What each kind of broker is told, from its URL alone."""

from pathlib import Path

import pytest

from core.broker import make_app, queue_names
from core.errors import SettingsError
from core.settings import Settings


def on(url: str, home: Path, lease_seconds: float = 30) -> Settings:
    return Settings(home=home, broker_url=url, lease_seconds=lease_seconds)


@pytest.mark.parametrize("url", ["amqp://guest@host//", "amqps://guest@host//"])
def test_every_queue_of_rabbitmq_is_a_quorum_queue_and_what_is_sent_is_confirmed(url: str, tmp_path: Path):
    app = make_app(on(url, tmp_path))

    kinds = {name: app.amqp.queues[name].queue_arguments["x-queue-type"] for name in queue_names()}
    assert kinds == dict.fromkeys(queue_names(), "quorum")
    assert app.conf.broker_transport_options["confirm_publish"] is True
    assert app.conf.worker_detect_quorum_queues is True


@pytest.mark.parametrize(("lease_seconds", "heartbeat_seconds"), [(30.0, 30), (45.5, 46), (2.0, 10)])
def test_rabbitmq_notices_who_is_gone_as_leases_do(lease_seconds: float, heartbeat_seconds: int, tmp_path: Path):
    app = make_app(on("amqp://guest@host//", tmp_path, lease_seconds))

    assert app.conf.broker_heartbeat == heartbeat_seconds


@pytest.mark.parametrize("url", ["redis://host:6379/0", "rediss://host:6379/0"])
def test_redis_gives_back_what_a_dead_worker_had_after_a_lease(url: str, tmp_path: Path):
    app = make_app(on(url, tmp_path))

    assert app.conf.broker_transport_options["visibility_timeout"] == 30
    assert app.amqp.queues[queue_names()[0]].queue_arguments is None


def test_a_broker_of_another_kind_is_refused_without_its_password(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"FACTORY_BROKER_URL: no transport 'kafka'; write redis://") as refused:
        make_app(on("kafka://user:hush@host:9092", tmp_path))

    assert "hush" not in str(refused.value)
