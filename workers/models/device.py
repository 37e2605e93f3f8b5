"""The device that a setting names."""

import torch

from core.errors import ModelLoadError


def device_of(device: str) -> torch.device:
    """Return the device of a name such as `auto`, `cpu` or `cuda:1`; raises ModelLoadError when it is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ModelLoadError(f"device {device!r} is not known: use auto, cpu, cuda or cuda:1") from error
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise ModelLoadError(f"device {device!r} is not there ({torch.cuda.device_count()} found): use auto or cpu")
    return place
