"""All settings, and the only reader of the environment: prefix `FACTORY_`, read once where a process starts."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.bandit import Rules
from core.errors import SettingsError
from schemas.access import DEFAULT_TENANT

PREFIX = "FACTORY_"
# Where a collector takes spans, below its address.
TRACES_PATH = "/v1/traces"
# Without user and password: what is here is shown and logged.
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")


def _plain_address(url: str | None) -> str | None:
    if url and not _ADDRESS.fullmatch(url):
        raise ValueError(
            "is no plain http:// or https:// address, as in http://127.0.0.1:4318; "
            "what a collector asks for besides goes into OTEL_EXPORTER_OTLP_HEADERS"
        )
    if url and url.rstrip("/").endswith(TRACES_PATH):
        raise ValueError(f"ends in {TRACES_PATH}, which is added to it: leave that out, as in http://127.0.0.1:4318")
    return url


class Settings(BaseSettings):
    """How this factory runs. Every default works on one machine with the embedded servers."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_parse_none_str="")

    home: Annotated[Path, Field(description="Folder of all data, logs and caches of the embedded stack.")] = Path(
        ".factory"
    )
    ledger_url: Annotated[
        str | None,
        Field(description="SQLAlchemy URL of the ledger; empty means SQLite in the home folder."),
    ] = None
    broker_url: Annotated[SecretStr, Field(description="Celery broker: redis://, rediss:// or amqp://.")] = SecretStr(
        "redis://127.0.0.1:6390/0"
    )
    s3_endpoint: Annotated[str | None, Field(description="S3 endpoint; empty means AWS.")] = "http://127.0.0.1:8390"
    s3_bucket: Annotated[str, Field(description="Bucket of all assets and manifests.")] = "content-factory"
    s3_region: Annotated[str, Field(description="S3 region.")] = "us-east-1"
    s3_access_key: Annotated[str | None, Field(description="S3 access key; empty leaves it to boto3's own chain.")] = (
        None
    )
    s3_secret_key: Annotated[SecretStr | None, Field(description="S3 secret key.")] = None
    lease_seconds: Annotated[
        float, Field(gt=0, description="How long a worker may hold jobs without renewing; a killed one's come back.")
    ] = 30.0
    sweep_seconds: Annotated[
        float, Field(gt=0, description="How often expired leases and lost tickets are mended.")
    ] = 5.0
    slice_seconds: Annotated[
        float, Field(gt=0, description="How long one ticket serves before other tickets of the queue get their turn.")
    ] = 10.0
    batch_limit_seconds: Annotated[
        float,
        Field(gt=0, description="A model call longer than this is taken for hung: the worker exits and restarts."),
    ] = 600.0
    batch_size: Annotated[int, Field(ge=1, le=4096, description="Most jobs in one batch.")] = 32
    max_attempts: Annotated[int, Field(ge=1, le=100, description="Attempts before a job becomes a dead letter.")] = 5
    upload_threads: Annotated[int, Field(ge=1, le=64, description="Parallel uploads of one worker.")] = 4
    copy_model: Annotated[
        str,
        Field(description="Language model for copy: `starter`, a folder, a hub id, or s3://bucket/prefix."),
    ] = "starter"
    copy_adapter: Annotated[
        str | None, Field(description="LoRA adapter on it: `house`, a folder, or empty for none.")
    ] = "house"
    copy_own_words: Annotated[
        Literal["on", "off"],
        Field(description="Whether lines in the brief's own words stand beside those that the starter writes."),
    ] = "on"
    image_model: Annotated[
        str,
        Field(description="Diffusers pipeline for pictures: `starter`, a folder, a hub id, or s3://bucket/prefix."),
    ] = "starter"
    image_adapter: Annotated[str | None, Field(description="LoRA adapter on it: a folder, a hub id, or empty.")] = None
    image_steps: Annotated[
        int | None, Field(ge=1, le=500, description="Denoising steps where a campaign names none; empty: the model's.")
    ] = None
    image_offload: Annotated[
        Literal["none", "model", "sequential"],
        Field(description="Keep parts of the image model in main memory: slower, needs less memory of the GPU."),
    ] = "none"
    image_slicing: Annotated[
        bool, Field(description="Compute attention and VAE of the image model in slices: slower, needs less memory.")
    ] = False
    image_safety_checker: Annotated[
        Literal["none", "nudenet"],
        Field(description="What looks for nudity on pictures; `nudenet` is a package that you install (AGPL-3.0)."),
    ] = "none"
    music_model: Annotated[
        str,
        Field(
            description="Model for music (starter, MusicGen, ACE-Step): `starter`, a folder, a hub id, or s3://bucket/prefix."
        ),
    ] = "starter"
    curriculum: Annotated[
        Path | None,
        Field(description="YAML file of what is learnt from ratings and when, absolute; empty: the one it comes with."),
    ] = None
    bandit: Annotated[
        Literal["on", "off"],
        Field(
            description="Whether ratings choose the styles of lines where a campaign says `styles: auto`; "
            "off: variants walk through the styles of the model."
        ),
    ] = "on"
    bandit_half_life_days: Annotated[
        float, Field(ge=1, description="After so many days what people said of a style counts half as much.")
    ] = 90.0
    bandit_least_share: Annotated[
        float,
        Field(ge=0, le=0.2, description="Share of the choices that every style has at least, however it is received."),
    ] = 0.02
    canary_share: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Share of the jobs that a version which passed its gate makes at once, until ratings decide; "
            "0 leaves that to a person.",
        ),
    ] = 0.1
    canary_least_ratings: Annotated[
        int, Field(ge=1, description="Ratings that each side of a canary needs before it is judged.")
    ] = 30
    canary_sureness: Annotated[
        float,
        Field(gt=0.5, lt=1, description="How sure one must be that a challenger is better (or worse) to end a canary."),
    ] = 0.99
    canary_longest_days: Annotated[
        float, Field(gt=0, description="A canary that is still undecided after so many days is stopped.")
    ] = 14.0
    canary_seconds: Annotated[float, Field(gt=0, description="How often canaries are judged.")] = 60.0
    referees: Annotated[
        str | None,
        Field(
            description="Referees: raters by whom alone versions are judged, at the gate and in canaries. `NAME`, or "
            "`TENANT/NAME` of other tenants than `default`, with commas; empty: everybody judges. "
            "A name with a comma in it cannot be given."
        ),
    ] = None
    device: Annotated[str, Field(description="`auto`, `cpu`, `cuda`, `cuda:1`, ...")] = "auto"
    dtype: Annotated[
        Literal["auto", "bfloat16", "float16", "float32"], Field(description="Number format of weights.")
    ] = "auto"
    threads: Annotated[
        int,
        Field(
            ge=0,
            description="CPU threads of a model; 0 leaves it to torch, or gives each of several processes that "
            "`factory up` starts on a processor, not on cards, its part of the cores.",
        ),
    ] = 0
    generate_processes: Annotated[
        int,
        Field(
            ge=0,
            le=64,
            description="Processes of `generate` that `factory up` starts; 0: one a card, up to three with the "
            "starters alone; without cards one a core, at most four and what the memory holds, and only one where a "
            "model is not the starter or `FACTORY_DEVICE` names a card.",
        ),
    ] = 0
    train_processes: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Processes that train a version together, each on a card of its own or on a share of the CPU.",
        ),
    ] = 1
    provenance_certificate: Annotated[
        Path | None,
        Field(description="PEM chain that signs pictures, signer first, authority last; empty makes one in the home."),
    ] = None
    provenance_key: Annotated[Path | None, Field(description="PEM file of the private key to that certificate.")] = None
    api_host: Annotated[
        str, Field(description="Where the HTTP API listens; on anything but 127.0.0.1 only when there are keys.")
    ] = "127.0.0.1"
    api_port: Annotated[int, Field(gt=0, lt=65536, description="Port of the HTTP API.")] = 5580
    api_hosts: Annotated[
        str | None,
        Field(description="Names under which others reach the API, with commas; empty: any, unless on 127.0.0.1."),
    ] = None
    api_calls_per_minute: Annotated[
        int, Field(ge=1, description="Calls of one key in a minute; more are answered with 429.")
    ] = 600
    tenant_jobs_a_day: Annotated[
        int | None,
        Field(ge=0, description="Jobs that a tenant may submit in a day (UTC) by the API; empty: any number."),
    ] = None
    tenant_open_jobs: Annotated[
        int | None, Field(ge=0, description="Jobs of a tenant that may be open at once; empty: any number.")
    ] = None
    webhook_private_addresses: Annotated[
        bool,
        Field(description="Let webhooks lead to addresses of this machine or its network. For tests and insiders."),
    ] = False
    metrics_host: Annotated[
        str, Field(description="Where processes answer probes and Prometheus; asks for no key, so not for the world.")
    ] = "127.0.0.1"
    metrics_port: Annotated[
        int | None,
        Field(
            gt=0,
            lt=65536,
            description="Port of /metrics, /healthz and /readyz of each worker, scheduler or deliverer; empty: none. "
            "Processes that `factory up` starts take it and the five after it, `generate-2` and further ones "
            "those that follow.",
        ),
    ] = None
    device_hour_price: Annotated[
        float | None,
        Field(ge=0, description="What an hour of a device costs, for the metric of costs; empty: unknown."),
    ] = None
    backup_passphrase: Annotated[
        SecretStr | None, Field(description="Seals and opens backups where no --passphrase-file is given.")
    ] = None
    keep_calls_days: Annotated[
        float | None, Field(gt=0, description="How long calls of the HTTP API are kept; empty: for ever.")
    ] = 365.0
    keep_events_days: Annotated[
        float | None,
        Field(gt=0, description="How long events are kept that no webhook waits for any more; empty: for ever."),
    ] = 90.0
    keep_assets_days: Annotated[
        float | None,
        Field(
            gt=0,
            description="How long assets of a campaign are kept after it ended; then only their rows are left. "
            "Empty: for ever.",
        ),
    ] = None
    keep_checkpoints_days: Annotated[
        float | None,
        Field(gt=0, description="How long folders of trainings stay that nobody goes on with; empty: for ever."),
    ] = 7.0
    flower_port: Annotated[int, Field(gt=0, lt=65536, description="Port of Flower on 127.0.0.1.")] = 5590
    traces_endpoint: Annotated[
        str | None,
        AfterValidator(_plain_address),
        Field(
            description="Collector that is told where time goes, by OTLP over HTTP, as in http://127.0.0.1:4318; "
            "empty: no traces. All else of them stands in the standard variables OTEL_*."
        ),
    ] = None
    log_format: Annotated[
        Literal["text", "json"], Field(description="How a line of the logs is written; json is for programs.")
    ] = "text"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="How much is logged.")] = (
        "info"
    )

    @field_validator("referees")
    @classmethod
    def _names_somebody(cls, value: str | None) -> str | None:
        # A slip of the pen must not mean that everybody judges.
        people = _people_of(value or "")
        if value is not None and (not people or not all(tenant and name for tenant, name in people)):
            raise ValueError("names nobody somewhere: give NAME or TENANT/NAME with commas between, or leave it empty")
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the environment, then `factory.env` in the home folder (written by `factory up`); the environment wins.

        A wrong value is one clear line that names its variable.
        """
        env_file = Path(os.environ.get(f"{PREFIX}HOME", ".factory")) / "factory.env"
        try:
            return cls(_env_file=env_file)
        except ValidationError as error:
            lines = [f"FACTORY_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
            raise SettingsError("; ".join(lines)) from error

    @property
    def resolved_ledger_url(self) -> str:
        """Return the URL of the ledger, the embedded one when none is set."""
        return self.ledger_url or f"sqlite:///{self.home.absolute() / 'ledger.db'}"

    @property
    def bandit_rules(self) -> Rules:
        """Return how styles are chosen."""
        return Rules(self.bandit == "on", self.bandit_half_life_days, self.bandit_least_share)

    @property
    def referee_people(self) -> frozenset[tuple[str, str]]:
        """Return the referees as the ledger knows people, by tenant and name; nobody where everybody judges."""
        return _people_of(self.referees or "")

    def environment(self) -> dict[str, str]:
        """Return the environment for a child process that shall run with these settings, secrets included."""
        plain = {
            key: value.get_secret_value() if isinstance(value, SecretStr) else "" if value is None else str(value)
            for key, value in self.model_dump().items()
        }
        return dict(os.environ) | {variable(key): value for key, value in plain.items()}


def variable(name: str) -> str:
    """Return the variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def environment_names() -> frozenset[str]:
    """Return the variables `FACTORY_…` that the environment of this process has, be they settings or not."""
    return frozenset(name for name in map(str.upper, os.environ) if name.startswith(PREFIX))


def _people_of(text: str) -> frozenset[tuple[str, str]]:
    """Return the people of a list; a slash parts the tenant from the name, which may hold further ones."""
    people = set()
    for one in filter(None, map(str.strip, text.split(","))):
        tenant, slash, name = one.partition("/")
        people.add((tenant.strip(), name.strip()) if slash else (DEFAULT_TENANT, one))
    return frozenset(people)
