"""The home folder: where the embedded stack keeps its data, its logs and what is running."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from core.errors import SettingsError
from core.settings import Settings

# Unix systems take about 104 bytes; supervisord adds a dot and its process id while it opens the socket.
LONGEST_SOCKET_PATH_BYTES = 92
# Each of these means something in the configuration files of the servers.
REFUSED_CHARACTERS = "\"'\\%;#\n"


@dataclass(frozen=True)
class Home:
    """The folder of one stack. Its path tells one stack on a machine from another."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the home of these settings; raises SettingsError when no stack can live at its path."""
        home = cls(settings.home.resolve())
        refused = sorted(set(str(home.root)) & set(REFUSED_CHARACTERS))
        if refused:
            raise SettingsError(f"FACTORY_HOME: {str(home.root)!r} contains {' '.join(refused)}: choose another path")
        surplus = len(os.fsencode(home.socket)) - LONGEST_SOCKET_PATH_BYTES
        if surplus > 0:
            raise SettingsError(
                f"FACTORY_HOME: {home.root} is {surplus} bytes too long for a socket in it: choose a shorter path"
            )
        return home

    @property
    def data(self) -> Path:
        """Return the folder of what the servers store."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """Return the folder of one log a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Return the folder of generated configuration, sockets and locks: written anew by every start."""
        return self.root / "run"

    @property
    def env_file(self) -> Path:
        """Return the file of settings and secrets that every command reads."""
        return self.root / "factory.env"

    @property
    def socket(self) -> Path:
        """Return the socket of the supervisor."""
        return self.run / "supervisor.sock"

    @property
    def lock(self) -> Path:
        """Return the file that only one `up` or `down` at a time may hold."""
        return self.run / "lock"

    def create(self) -> None:
        """Make the folders, for this user alone; those that are there stay as they are."""
        try:
            for folder in (self.root, self.data, self.logs, self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"FACTORY_HOME: cannot make {error.filename}: {error.strerror}") from error
