"""The arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="Write one JSON object a line to standard output, and nothing else there.")
]
CampaignFile = Annotated[Path, typer.Argument(metavar="FILE", help="A campaign file, YAML or JSON.")]
CampaignId = Annotated[
    str, typer.Argument(metavar="ID", help="The campaign: its id, its name, or a start of the id that fits one only.")
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The id of a job.")]
