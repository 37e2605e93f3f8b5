"""The command `factory`: one module for each noun; here errors become words and exit codes.

Exit code 0: all went well; 1: the action failed; 2: wrong usage; 130: Ctrl-C. Modules of the factory are imported
inside the commands that need them, so that help and completion load no database, queue or storage library.
"""

import os
import sys

import typer
from typer.exceptions import Abort, TyperException

from core.errors import FactoryError
from producer.cli import (
    access,
    backups,
    campaigns,
    exports,
    jobs,
    ledger,
    loop,
    models,
    ratings,
    schedules,
    stack,
    trainings,
    versions,
    webhooks,
)
from producer.cli.doors import load_settings
from producer.cli.overview import Overview
from producer.cli.render import as_json as json_of
from producer.cli.render import complain, note

app = typer.Typer(
    name="factory",
    cls=Overview,
    help="Make ad copy in campaigns: submit a file, workers write it in batches, export what passed every check.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (campaigns, jobs, ratings, exports, stack, ledger, loop, access, backups):
    app.add_typer(part.commands)
app.add_typer(schedules.commands, name="schedule", rich_help_panel=schedules.PANEL)
app.add_typer(schedules.process)
app.add_typer(ratings.files, name="ratings", rich_help_panel=ratings.PANEL)
models.commands.add_typer(versions.commands)
models.commands.add_typer(trainings.commands)
app.add_typer(models.commands, name="models", rich_help_panel="Factory")
app.add_typer(access.keys, name="keys", rich_help_panel=access.PANEL)
app.add_typer(access.tenants, name="tenants", rich_help_panel=access.PANEL)
app.add_typer(webhooks.commands, name="webhooks", rich_help_panel=access.PANEL)


def main() -> None:
    """Run the command line of this process and end it with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code. What a person can cause is a line, never a traceback."""
    is_json = "--json" in arguments
    try:
        answer = app(arguments, prog_name="factory", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        _explain_usage(error, is_json=is_json)
        return error.exit_code
    except (Abort, KeyboardInterrupt):
        note("interrupted")
        return 130
    except FactoryError as error:
        complain(error, is_json=is_json)
        return 1
    except BrokenPipeError:
        # The reader has gone, `head` does that. Python would complain again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if _wants_traceback():
            raise
        text = f"unexpected {type(error).__name__}: {error}; FACTORY_LOG_LEVEL=debug shows where, please report it"
        complain(RuntimeError(text), is_json=is_json)
        return 1
    return answer if isinstance(answer, int) else 0


def _explain_usage(error: TyperException, *, is_json: bool) -> None:
    """Say what is wrong with the command line, and how to ask for help."""
    message = error.format_message()
    if is_json:
        note(json_of({"error": message, "problems": []}))
    else:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "factory"
        is_help = message.startswith("Usage:")
        note(message if is_help else f"factory: {message}\n`{command} --help` shows how to use it")


def _wants_traceback() -> bool:
    try:
        return load_settings().log_level == "debug"
    except FactoryError:
        return False
