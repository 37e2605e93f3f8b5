"""The plan of a campaign with what this factory has measured, for whoever asks: the command line or the API."""

from collections.abc import Mapping
from pathlib import Path

from core.settings import Settings
from producer.campaigns import CampaignSource
from producer.plan import Plan, plan
from producer.submit import models_of
from schemas.rates import rates


def estimate(
    source: CampaignSource,
    settings: Settings,
    measured: Mapping[str, float],
    workers: int = 1,
    device: str | None = None,
    price: float | None = None,
) -> Plan:
    """Return what a campaign will take; without a device for the one of the settings, or of this machine."""
    named = device or (settings.device if settings.device != "auto" else _device_here())
    return plan(source, models_of(settings), rates(dict(measured)), settings.batch_size, workers, named, price)


def _device_here() -> str:
    # A producer has no torch to ask; NVIDIA's driver shows itself here.
    return "cuda" if Path("/proc/driver/nvidia/version").exists() else "cpu"
