"""Classifies a host by its IP address or name: this machine, a private network, or the internet."""

from __future__ import annotations

import ipaddress
import re
import socket

from chatcli.pattern import pattern

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_INTERNET = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Addresses that look public, but on which a cloud serves its own machines.
_CLOUD = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("168.63.129.16/32"))
_PLAIN = pattern(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})\.?")
# Names of hosts inside a network: the internet does not have them, or has reserved them.
_OWN = pattern(
    r"(?:.*\.)?(?:localhost|localdomain|local|lan|home|home\.arpa|internal|intranet|intern|private|corp|workgroup)\.?"
)
_OLD = pattern(r"(?:0[xX][0-9a-fA-F]{0,99}|[0-9]{1,99})(?:\.(?:0[xX][0-9a-fA-F]{0,99}|[0-9]{1,99})){0,3}")
_NUMBER_IN_NAME = pattern(r"(?<![0-9])(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})(?![0-9])")


def number(host: str) -> Address | None:
    """The IP address that `host` is, or None: also 127.1, 0x7f000001, 017700000001 and 2130706433, as systems and
    proxies read them.
    """
    host = host.strip("[]").partition("%")[0]
    return ipaddress.ip_address(host) if is_written_plainly(host) else _old_number(host.removesuffix("."))


def is_written_plainly(host: str) -> bool:
    """Whether it is an IP address in the usual notation. 010.1 is not: it may be 8.0.0.1 or 10.0.0.1."""
    try:
        return bool(ipaddress.ip_address(host.strip("[]")).version)
    except ValueError:
        return False


def is_this_machine(host: str) -> bool:
    """Whether it is certainly this machine: localhost or a loopback address."""
    found = number(host)
    if found is None:
        return re.fullmatch(r"(?:.*\.)?localhost\.?", host.lower()) is not None
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def is_private(ip: str) -> bool:
    """Whether that IP address belongs to this machine or a private network, and not to the internet."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    inner = _inner(address)
    if inner is None and address.version == 6 and address not in _INTERNET:
        return True
    address = inner or address
    return not address.is_global or address.is_multicast or any(address in network for network in _CLOUD)


def is_plain(host: str) -> bool:
    """Whether it is a usual host name of the internet: no number, no name that a network gives itself, and no
    letters that a proxy may change.
    """
    host = host.lower()
    return (
        len(host) <= 254 and _PLAIN.fullmatch(host) is not None and number(host) is None and not is_own_name(host)
    )


def is_own_name(host: str) -> bool:
    """Whether a name is one that a network gives itself."""
    return "." not in host.removesuffix(".") or _OWN.fullmatch(host.lower()) is not None


def numbers_in(host: str) -> list[str]:
    """IP addresses inside a name: 10.0.0.1.nip.io and the like resolve to those."""
    found = (".".join(str(int(part)) for part in parts) for parts in _NUMBER_IN_NAME.findall(host))
    return [ip for ip in found if is_written_plainly(ip)]


def look_up(host: str) -> list[str]:
    """The IP addresses that this machine finds for the name; none where it finds none."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside an IPv6 address, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _old_number(host: str) -> ipaddress.IPv4Address | None:
    """The IPv4 address as inet_aton reads it: one to four numbers, decimal, 0octal or 0xhex; the last fills the
    remaining bytes.
    """
    if not re.fullmatch(
        r"(?:0[xX][0-9a-fA-F]{0,20}|[0-9]{1,20})(?:\.(?:0[xX][0-9a-fA-F]{0,20}|[0-9]{1,20})){0,3}", host
    ):
        return None
    try:
        *first, last = [_part(part) for part in host.split(".")]
    except ValueError:
        return None
    if any(part > 255 for part in first) or last >= 256 ** (4 - len(first)):
        return None
    return ipaddress.IPv4Address(sum(part << 8 * (3 - at) for at, part in enumerate(first)) + last)


def _part(part: str) -> int:
    if part[:2] in {"0x", "0X"}:
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") else int(part)
