"""Start a process that writes its own log, `launch.py LOG COMMAND …`: it goes on when the supervisor is gone.

To a pipe that nobody reads any more a process writes once, and ends. Run as a file: it needs nothing but the standard
library, and every process of a stack begins here.
"""

import os
import sys


def main(log: str, *command: str) -> None:
    """Become the command, with both of its outputs at the end of the log."""
    try:
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        # To the supervisor, which writes it into its own log.
        sys.exit(f"cannot write its log: {error}")
    os.dup2(handle, sys.stdout.fileno())
    os.dup2(handle, sys.stderr.fileno())
    os.execvp(command[0], command)  # noqa: S606 - without a shell, as it shall be


if __name__ == "__main__":
    main(*sys.argv[1:])
