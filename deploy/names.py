"""Variables `FACTORY_…` that nobody reads: slips of the pen, in the environment or in `factory.env`."""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from core.settings import PREFIX, Settings, environment_names, variable
from deploy.embedded import RECORD, names_in

# Ours, and no settings: what `up` keeps, the marks of its processes, and the images that Compose takes.
OTHERS = {
    *(RECORD, "FACTORY_STACK", "FACTORY_STACK_PORTS"),
    *("FACTORY_TAG", "FACTORY_CPU_TAG", "FACTORY_GPU_TAG"),
}


def unknown(env_file: Path) -> Iterator[tuple[str, str]]:
    """Say of each variable that is no setting where it stands, and what was probably meant."""
    known = {variable(name) for name in Settings.model_fields}
    in_file = {name for name in names_in(env_file) if name.startswith(PREFIX)}
    for place, names in (("the environment", environment_names()), (env_file, in_file)):
        for name in sorted(names - known - OTHERS):
            # Without the prefix, by which all are alike.
            close = get_close_matches(name.removeprefix(PREFIX).lower(), Settings.model_fields, n=1)
            meant = f"did you mean {variable(close[0])}?" if close else "docs/reference/settings.md has all of them"
            yield f"{name} in {place} is no setting, and does nothing", meant
