import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ImpossibleWorkError
from producer.webhooks.addresses import addresses_of, check_url, is_public

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    # The same addresses in other clothes.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_leads_into_a_network_of_ones_own_is_not_public(address: str):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_what_anybody_reaches_is_public(address: str):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_inside_ipv6_as_by_itself(address: ipaddress.IPv4Address):
    mapped = ipaddress.IPv6Address(int(address) | 0xFFFF << 32)

    assert is_public(mapped) == is_public(address)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/hooks", "must begin with https://"),
        ("ftp://example.com", "must begin with https://"),
        ("https://", "names no host"),
        ("https://example.com:0/", "names no host"),
        ("https://example.com:99999/", "is no address"),
        ("https://[::1/", "is no address"),
        ("https://ann:secret@example.com/", "holds a name or password"),
        ("https://127.0.0.1/", "private network"),
        ("https://[::ffff:10.0.0.1]/", "private network"),
    ],
)
def test_an_address_that_nothing_may_be_sent_to_is_refused_with_the_reason(url: str, told: str):
    with pytest.raises(ImpossibleWorkError, match=told):
        check_url(url, allow_private=False)


def test_insiders_may_be_told_over_http_when_a_setting_allows_it():
    assert check_url("http://127.0.0.1:8000/hooks", allow_private=True).port == 8000


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "::1"])
def test_every_way_to_write_this_machine_leads_nowhere(host: str):
    with pytest.raises(OSError, match=r"private address|not known|No address|failure"):
        addresses_of(host, 80, allow_private=False)
