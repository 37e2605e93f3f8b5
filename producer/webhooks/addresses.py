"""Where webhooks may lead: to addresses that anybody could reach, never into this machine or its network.

A name is looked up once for each attempt, all of its addresses are judged, and the connection goes to one of those: a
name that points elsewhere a moment later leads nowhere else.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from core.errors import ImpossibleWorkError

# IPv4 inside IPv6, as gateways translate it.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, *, allow_private: bool) -> SplitResult:
    """Return the parts of an address to send to; raises ImpossibleWorkError for one that nothing may be sent to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ImpossibleWorkError(f"this is no address: {error}") from error
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise ImpossibleWorkError(
            "url: must begin with https://, so that nobody on the way reads or changes what is sent"
        )
    if not host or port == 0:
        raise ImpossibleWorkError("the address names no host; write it as https://example.com/hooks")
    if parts.username is not None or parts.password is not None:
        raise ImpossibleWorkError("the address holds a name or password; what is sent is signed instead")
    if not allow_private and (address := _literal(host)) and not is_public(address):
        raise ImpossibleWorkError(f"{host} is an address of a private network: name one that anybody can reach")
    return parts


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host; raises OSError when it has none, or one that nothing may be sent to."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        # One private address among others is a trap, or a mistake.
        if not allow_private and not is_public(ipaddress.ip_address(address)):
            raise OSError(f"{host} leads to the private address {address}; FACTORY_WEBHOOK_PRIVATE_ADDRESSES allows it")
    return addresses


def is_public(address: Address) -> bool:
    """Tell whether anybody could reach the address, through whatever it stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
