"""Hosts of a network on one machine: namespaces, each with a cable of its own to each server, which can be pulled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Addresses of this machine alone; what is sent to a host whose cable is pulled must not leave by another way.
NETWORK = "10.77.0.0/16"
SERVERS = {"broker": "10.77.0.1", "store": "10.77.0.2", "ledger": "10.77.0.3"}


@cache
def why_no_network() -> str:
    """Return why this machine cannot play several, empty when it can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    probe = f"factory-probe-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"network namespaces are not allowed here: {tried.stderr.strip()}"
    ip("netns", "del", probe)
    return ""


def ip(*words: str) -> None:
    """Run `ip`."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Host:
    """A machine with a cable to each server."""

    def __init__(self, number: int) -> None:
        self.name = f"factory-{number}"
        self._number = number
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        for place, (server, address) in enumerate(SERVERS.items()):
            near, far = self._cable(server), f"fh{number}{server[0]}"
            there = f"10.77.{number}.{4 * place + 1}"
            ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name)
            ip("addr", "add", f"{there}/30", "dev", near)
            ip("-n", self.name, "addr", "add", f"10.77.{number}.{4 * place + 2}/30", "dev", far)
            ip("link", "set", near, "up")
            ip("-n", self.name, "link", "set", far, "up")
            ip("-n", self.name, "route", "add", address, "via", there)

    def _cable(self, server: str) -> str:
        return f"fn{self._number}{server[0]}"

    def pull(self, server: str) -> None:
        """Pull the cable to a server: whatever is on its way is lost, and nobody is told."""
        ip("link", "set", self._cable(server), "down")

    def plug(self, server: str) -> None:
        """Put the cable back."""
        ip("link", "set", self._cable(server), "up")

    def remove(self) -> None:
        """Remove the host; its cables go with it."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        for server in SERVERS:
            subprocess.run(["ip", "link", "del", self._cable(server)], capture_output=True, check=False)


@contextmanager
def network(hosts: int) -> Iterator[list[Host]]:
    """Give this machine the addresses of the servers and hosts beside it, and take all of it away in the end."""
    made: list[Host] = []
    try:
        for address in SERVERS.values():
            ip("addr", "add", f"{address}/32", "dev", "lo")
        ip("route", "add", "blackhole", NETWORK)
        made.extend(map(Host, range(1, hosts + 1)))
        yield made
    finally:
        for host in made:
            host.remove()
        subprocess.run(["ip", "route", "del", "blackhole", NETWORK], capture_output=True, check=False)
        for address in SERVERS.values():
            subprocess.run(["ip", "addr", "del", f"{address}/32", "dev", "lo"], capture_output=True, check=False)
