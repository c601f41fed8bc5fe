"""Which addresses are public: every special range at its edges, and every way to hide IPv4."""

import pytest

from scm_api.core.public_addresses import is_public

INSIDE = {
    "unspecified": ("0.0.0.0", "0.1.2.3", "::"),
    "private": ("10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1"),
    "carrier": ("100.64.0.1", "100.127.255.255", "100.100.100.200"),
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "link_local": ("169.254.0.1", "fe80::1", "febf::1", "fe80::1%eth0", "fec0::1"),
    "metadata": (
        "169.254.169.254",
        "169.254.170.2",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
    ),
    "unique_local": ("fc00::1", "fdff::1"),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "100::1", "4000::1", "5f00::1", "192.0.0.8"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "benchmarks": ("198.18.0.1", "198.19.255.255", "2001:2::1"),
    "mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:8.8.8.8"),
    "compatible": ("::127.0.0.1", "::169.254.169.254", "::8.8.8.8"),
    "translated": ("::ffff:0:127.0.0.1",),
    "nat64": ("64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254"),
    "local_nat64": ("64:ff9b:1::1", "64:ff9b:1:7f00:0:100::", "64:ff9b:1::8.8.8.8"),
    "six_to_four": ("2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:808:808::1", "192.88.99.1"),
    "teredo": ("2001::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    "no_address": ("", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "::g"),
}
OUTSIDE = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "64:ff9b::8.8.8.8",
)


@pytest.mark.parametrize(
    "address", [pytest.param(one, id=f"{k}-{one}") for k, v in INSIDE.items() for one in v]
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)
