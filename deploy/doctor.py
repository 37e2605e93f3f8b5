"""The doctor: looks at everything the factory stands on and says what is wrong and how to mend it.

Checks run side by side and know nothing of each other: one that fails, hangs or breaks hides no other.
"""

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core.errors import FactoryError
from core.settings import Settings
from deploy import embedded as records
from deploy.checks import collector, machine, servers, workers
from deploy.embedded import Embedded
from deploy.findings import Finding, fail
from deploy.home import Home
from deploy.ports import LOOPBACK, is_free

Check = Callable[[Settings], Finding | list[Finding]]
# In the order of their findings: what others need comes first.
CHECKS: dict[str, Check] = {
    "python": machine.python,
    "modules": machine.modules,
    "settings": machine.names,
    "server binaries": machine.servers,
    "disk": machine.disk,
    "processor and memory": machine.processor,
    "ports": machine.ports,
    "stack": workers.processes,
    "broker": servers.broker,
    "ledger": servers.ledger,
    "storage": servers.storage,
    "clock": servers.clock,
    "traces": collector.traces,
    "workers": workers.ping,
    "model: copy": workers.model,
    "model: music": workers.music,
    "safety of pictures": workers.safety,
    "letters": workers.letters,
    "device": workers.device,
}
# What asks an embedded server, by the name of its process.
ASKS = {"valkey": ("broker", "workers"), "seaweedfs": ("storage", "clock")}
# What only the embedded stack installs; that it is missing is told by `modules`.
NEED_PSUTIL = {"processor and memory", "ports", "stack"}


def check(settings: Settings) -> list[Finding]:
    """Return what was found, in the same order every time. Changes nothing but a probe object that it removes."""
    home = Home.of(settings)
    record = records.read(home.env_file)
    settings = (record.fill(settings) if record else settings).model_copy(update={"home": home.root})
    blind = NEED_PSUTIL if importlib.util.find_spec("psutil") is None else set()
    names = [name for name in CHECKS if name not in blind]
    strangers: dict[str, list[Finding]] = {}

    def look(settings: Settings) -> list[Finding]:
        strangers.update(_strangers(settings, home, record))
        return []

    broken = [] if blind else _examine("servers of this home", look, settings)
    with ThreadPoolExecutor(len(names)) as pool:
        # The slow ones begin first.
        asked = {
            name: pool.submit(_examine, name, CHECKS[name], settings)
            for name in reversed(names)
            if name not in strangers
        }
        found = [finding for name in names for finding in strangers.get(name) or asked[name].result()]
    return broken + found


def _strangers(settings: Settings, home: Home, record: Embedded | None) -> dict[str, list[Finding]]:
    """Return what is said in place of checks that would ask servers of somebody else.

    They hold the port of an embedded server that does not run: before the first start, or since it was stopped. In a
    home that was moved while it ran they are its own.
    """
    from deploy import processes, stack  # noqa: PLC0415 - a producer does not have what they need

    was = stack.moved_from(home)
    if was:
        # Its servers run and can be asked; of the ports it would be said that others hold them.
        return {"ports": [fail("home", stack.MOVED.format(was), stack.AGAIN)]}
    ports = record.ports_in_use(settings) if record else records.default_ports(settings)
    running = {one.name for one in processes.of_home(home)}
    found: dict[str, list[Finding]] = {}
    for server, names in ASKS.items():
        port = ports.get(server)
        if port is None or server in running or is_free(port):
            continue
        words = f"{server} of this home does not run, and {LOOPBACK}:{port} is held by {processes.holder_words(port)}"
        mend = "run `factory up`, which takes the next free port, or name servers of yours in FACTORY_{}"
        setting = "BROKER_URL" if server == "valkey" else "S3_ENDPOINT"
        found |= {name: [fail(name, words, mend.format(setting))] for name in names}
    return found


def _examine(name: str, one: Check, settings: Settings) -> list[Finding]:
    try:
        found = one(settings)
    except FactoryError as error:
        return [fail(name, str(error), "")]
    except Exception as error:  # noqa: BLE001 - a check that breaks is itself a finding
        return [fail(name, f"the check itself broke: {type(error).__name__}: {error}", "report this")]
    return found if isinstance(found, list) else [found]
