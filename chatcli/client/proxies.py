"""Decides which proxy a request goes through, if any: by the variables of the environment, and NO_PROXY as curl
reads it.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from chatcli.addresses import shown
from chatcli.client import hosts
from chatcli.dataclass import dataclass
from chatcli.pattern import pattern

_PORTS = {"http": 80, "https": 443}
_SYSTEM = "the system's settings"
_NAME = pattern(r"(?:\*?\.)?([\w-]+(?:\.[\w-]+)*)\.?")
_WITH_PORT = pattern(
    r"\[(?P<six>[^\[\]]*:[^\[\]]*)\](?P<bits>/[0-9]+)?(?::(?P<port6>.*))?|(?P<host>[^:]*):(?P<port>.*)"
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """`url` may have a user name and password; `source`: the variable that sets it; `unread`: what of NO_PROXY
    cannot be read.
    """

    url: str
    source: str
    unread: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"the proxy {shown(self.url)}, set by {self.source}"

    def remedy(self, url: str) -> str:
        """What to do where `url` cannot be reached through it."""
        host = urlsplit(url).hostname or url
        direct = "" if self.source == _SYSTEM else f", or name {host} in NO_PROXY to go there directly"
        return f"Is that proxy running? Change {self.source}{direct}. {self.not_read}".strip()

    @property
    def not_read(self) -> str:
        """What to say of the entries of NO_PROXY that cannot be read; "" where there are none."""
        entries = ", ".join(self.unread)
        return f"NO_PROXY has what is no host, address or network, and is ignored: {entries}." if entries else ""


@dataclass(frozen=True, slots=True)
class Route:
    """`why` there is no proxy although one is set, as a clause."""

    proxy: Proxy | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of NO_PROXY: a network, or a name with the names under it; both None for every host. `scheme` and
    `port` limit it where given.
    """

    written: str
    name: str | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    scheme: str = ""
    port: int | None = None

    def matches(self, scheme: str, host: str, port: int) -> bool:
        if self.scheme not in {"", scheme} or self.port not in {None, port}:
            return False
        address = hosts.number(host)
        if self.network is not None:
            return address is not None and (getattr(address, "ipv4_mapped", None) or address) in self.network
        if self.name is not None:
            return address is None and f".{_ascii(host.removesuffix('.'))}".endswith(f".{self.name}")
        return True


def route(url: str, environment: Mapping[str, str] = os.environ) -> Route:
    """The way to that URL. This machine is never reached through a proxy."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    proxy = _set_for(scheme, environment)
    if proxy is None:
        return _by_system(scheme, host)
    if hosts.is_this_machine(host):
        return Route(None, "it is this machine")
    source, text = _value("no_proxy", environment)
    exempt, unread = read_no_proxy(text)
    port = parts.port or _PORTS.get(scheme, 0)
    found = next((each.written for each in exempt if each.matches(scheme, host, port)), "")
    return Route(None, f"{source} has {found}") if found else Route(replace(proxy, unread=unread))


def read_no_proxy(text: str) -> tuple[list[Exempt], tuple[str, ...]]:
    """The entries, separated by commas or blanks, and those that cannot be read."""
    written = [each for each in re.split(r"[,\s]+", text) if each]
    found = [(each, _exempt(each)) for each in written]
    return [read for _, read in found if read is not None], tuple(each for each, read in found if read is None)


def _exempt(written: str) -> Exempt | None:
    scheme, _, place = written.rpartition("://")
    scheme, host, port = scheme.lower(), place, None
    if scheme not in {"", "all", *_PORTS}:
        return None
    if place.count(":") == 1 or place.startswith("["):
        split = _WITH_PORT.fullmatch(place)
        if split is None:
            return None
        host = split["host"] if split["six"] is None else split["six"] + (split["bits"] or "")
        port = split["port"] if split["six"] is None else split["port6"]
        if port is not None and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
            return None
    make = partial(
        Exempt, written, scheme="" if scheme == "all" else scheme, port=None if port is None else int(port)
    )
    if host == "*":
        return make()
    try:
        network = ipaddress.ip_network(re.sub(r"%[^/]*", "", host), strict=False)
    except ValueError:
        found = _NAME.fullmatch(host)
        is_name = found is not None and not found[1].rpartition(".")[2].isdigit()
        return make(name=_ascii(found[1])) if found and is_name else None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        network = ipaddress.ip_network((mapped, network.prefixlen - 96))
    return make(network=network)


def _ascii(name: str) -> str:
    """A host name as it is sent, in lower case."""
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return name.lower()


def _value(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable in lower case goes before the one in upper case, also where it is empty, as for curl."""
    found = name if name in environment else name.upper()
    return found, environment.get(found, "").strip()


def _set_for(scheme: str, environment: Mapping[str, str]) -> Proxy | None:
    for name in (f"{scheme}_proxy", "all_proxy"):
        source, url = _value(name, environment)
        # A CGI program's HTTP_PROXY is the header "Proxy" of whoever asks it.
        if url and not (source == "HTTP_PROXY" and "REQUEST_METHOD" in environment):
            return Proxy(url if "://" in url else f"http://{url}", source)
    return None


def _by_system(scheme: str, host: str) -> Route:
    """Where no variable sets a proxy: what macOS and Windows have in their settings."""
    import urllib.request

    url = urllib.request.getproxies().get(scheme)
    if not url or hosts.is_this_machine(host):
        return Route(None)
    if urllib.request.proxy_bypass(host):
        return Route(None, f"{_SYSTEM} say so")
    return Route(Proxy(url, _SYSTEM))
