"""Which IP addresses belong to the internet at large: the judgement behind every outgoing call.

What is not known to be public is not.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# What is not for everybody, by the IANA registries of special-purpose addresses (RFC 6890 and its
# successors). Kept here because `ipaddress.is_global` differs between the Pythons we support.
_CLOSED_IPV4 = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network, unspecified
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by a carrier's customers; metadata of Alibaba Cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # the host of an Azure machine: public in form, local in effect
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Global unicast is all of IPv6 that is in public use. What lies outside needs no list: unspecified,
# loopback, IPv4-mapped and IPv4-compatible, 64:ff9b:1::/48, fc00::/7 (with fd00:ec2::254 and the
# other metadata services), fe80::/10, fec0::/10, ff00::/8.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_CLOSED_IPV6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo (2001::/32) hides an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: hides an IPv4 address
        "3fff::/20",  # documentation
    )
)
# A network with NAT64 and DNS64 reaches every IPv4 server by such an address (RFC 6052), so it is
# worth as much as the IPv4 address in its last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address belongs to the internet at large, not to somebody's inside.

    IPv6 forms that carry an IPv4 address are refused, except NAT64's, which counts as what it
    carries. What is no address is not public.
    """
    try:
        judged: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(judged, IPv6Address) and judged in _NAT64:
        judged = IPv4Address(judged.packed[-4:])
    if isinstance(judged, IPv4Address):
        return not any(judged in network for network in _CLOSED_IPV4)
    return judged in _GLOBAL_UNICAST and not any(judged in network for network in _CLOSED_IPV6)
