"""A server's address: read in every form that OLLAMA_HOST takes, and shown without its password."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from chatcli import addresses
from chatcli.addresses import shown
from chatcli.client import hosts
from chatcli.errors import BadValue

__all__ = ["DEFAULT", "is_loopback", "read", "shown", "without_credentials"]

DEFAULT = "http://127.0.0.1:11434"
_PORTS = {"http": "80", "https": "443"}
_ESCAPE = "its user name or password has characters that must be written as %XX"
_FORMS = (
    "Use host, host:port, :port, or http(s)://host[:port][/path]; an IPv6 address with a port goes in [brackets]."
)


def read(text: str, source: str, *, forgive_ports: bool = False) -> str:
    """The URL that `text` means: scheme, credentials if any, host, port, and path; no slash at the end. Raises
    BadValue.

    `source` names where the text came from. With `forgive_ports` an invalid port becomes the default one, as in
    Ollama.
    """
    # As Ollama cleans it: spaces, then quotes, then the spaces that were inside them.
    written = text.strip().strip("\"'").strip()
    scheme, rest, default_port = _scheme(written)
    authority, _, path = rest.partition("/")
    credentials, at, host_and_port = authority.rpartition("@")
    host, port = _host_and_port(host_and_port, default_port)
    # A "/" in a password ends the authority too early: then nothing after it may be shown.
    bad = _ESCAPE if "@" in path else _what_is_wrong(scheme, host, path, credentials)
    if not _is_port(port):
        bad = bad or ("" if forgive_ports else f"{port!r} is not a port")
        port = default_port
    if bad:
        raise BadValue(f"{source} does not name a server: {bad}.", _FORMS)
    path = path.rstrip("/")
    return f"{scheme}://{credentials}{at}{_bracketed(host)}:{int(port)}{'/' + path if path else ''}"


def without_credentials(url: str) -> tuple[str, str | None]:
    """The URL without its user:password@, and these as a Basic Authorization header."""
    found = addresses.parse(url)
    return (url, None) if found is None or found.credentials is None else (found.bare, found.authorization)


def is_loopback(url: str) -> bool:
    """Whether it is certainly this machine: localhost or a loopback address."""
    return hosts.is_this_machine(urlsplit(url).hostname or "")


def _scheme(written: str) -> tuple[str, str, str]:
    scheme, mark, rest = written.partition("://")
    if mark:
        return scheme.lower(), rest, _PORTS.get(scheme.lower(), "11434")
    if written == "ollama.com":
        return "https", written, "443"
    return "http", written, "11434"


def _host_and_port(text: str, default_port: str) -> tuple[str, str]:
    """Split as Go's net.SplitHostPort does; what it would refuse is taken as a host without a port."""
    split = re.fullmatch(r"\[([^\[\]]*)\]:([^:\[\]]*)|([^:\[\]]*):([^:\[\]]*)", text)
    if split is None:
        host, port = text.strip("[]"), default_port
    else:
        host = split[1] or split[3] or ""
        port = (split[2] if split[2] is not None else split[4]) or default_port
    return _connectable(host or "127.0.0.1"), port


def _connectable(host: str) -> str:
    """A server listens on 0.0.0.0 or ::, but a client reaches it on loopback."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return address.compressed


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_port(port: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,9}", port) is not None and 0 <= int(port) <= 65535


def _what_is_wrong(scheme: str, host: str, path: str, credentials: str) -> str:
    if scheme not in _PORTS:
        return f"{scheme!r} is not http or https" if ":" not in scheme else _ESCAPE
    if not _is_host(host):
        return f"{host!r} is not a host"
    if re.search(r"[\s?#\x00-\x1f\x7f]", path):
        return f"{'/' + path!r} is not a path"
    if re.search(r"[\s?#\[\]\x00-\x1f\x7f]", credentials):
        return _ESCAPE
    return ""


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return "%" not in host and ipaddress.ip_address(host).version == 6
        except ValueError:
            return False
    # Letters of any script: names are sent in their IDNA form.
    return re.fullmatch(r"[\w]([\w.-]*[\w.])?", host) is not None and ".." not in host
