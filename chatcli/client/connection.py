"""How a connection is made: through which proxy, and whose certificates are trusted; and why one failed."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import stat
from pathlib import Path

import httpx

from chatcli import addresses
from chatcli.client import failures
from chatcli.client.proxies import Proxy
from chatcli.client.server import USUAL, Trust
from chatcli.paths import why

CONNECT = 5.0  # seconds to reach a server
_CLOSED = "it closed the connection without an answer"


# The first of these that is set names the authorities whose certificates are trusted: a file, or a directory.
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class NoWay(Exception):
    """A setting of the environment prevents every connection. `cause` is a clause, `remedy` what to change."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


def transport(url: str, proxy: Proxy | None, trust: Trust = USUAL) -> httpx.HTTPTransport:
    """The connection to that server, through the proxy if there is one. Raises NoWay. Never kept alive: every
    exchange has its own socket, so cutting one affects no other. `trust` is about the server, not the proxy.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    # Plain HTTP needs no certificates, which are slow to load.
    verify = trusted_by(trust) if is_over_tls(url) else False
    if proxy is None:
        return httpx.HTTPTransport(verify=verify, limits=limits)
    try:
        if (read := addresses.parse(proxy.url)) is None or not read.sound:
            raise ValueError("it names no host")
        through = httpx.Proxy(proxy.url, ssl_context=authorities() if is_over_tls(proxy.url) else None)
        return httpx.HTTPTransport(verify=verify, limits=limits, proxy=through)
    except ImportError:
        raise NoWay(
            f"{proxy}, needs a library for SOCKS", "Install that library: pip install 'chatcli[socks]'."
        ) from None
    except (ValueError, httpx.InvalidURL, UnicodeError):
        forms = "http://host:port, https://host:port or socks5://host:port"
        raise NoWay(f"{proxy}, is none that can be used", f"Write {proxy.source} as {forms}.") from None


def is_over_tls(url: str) -> bool:
    return url.lower().startswith("https:")


def trusted_by(trust: Trust) -> ssl.SSLContext:
    """What a server's certificate is checked with. Raises NoWay where the authorities cannot be read."""
    if not trust.checked:
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        return unchecked
    return _readable(trust.ca, trust.source) if trust.ca else authorities()


def authorities(variable: str | None = None) -> ssl.SSLContext:
    """What a server's certificate is checked with: what that variable names, by default the first that is set; ""
    for the authorities of Python's certifi. Raises NoWay where they cannot be read.
    """
    variable = named_authorities() if variable is None else variable
    return _readable(os.environ[variable] if variable else "", variable)


def _readable(place: str, source: str) -> ssl.SSLContext:
    """The authorities at that place, which `source` names; without a place, those of certifi. Raises NoWay."""
    try:
        return _trusting(place) if place else httpx.create_ssl_context(trust_env=False)
    except (OSError, ValueError) as error:
        where = f"in {place}, which {source} names," if place else "of Python's certifi"
        reason = "none is in it" if isinstance(error, ssl.SSLError) else why(error)
        remedy = f"Correct {source}, or unset it." if place else "Install certifi again."
        raise NoWay(f"the certificates {where} cannot be read ({reason})", remedy) from None


def _trusting(place: str) -> ssl.SSLContext:
    """`place`: a file, or directories as OpenSSL writes them. Raises OSError and ValueError."""
    folders = [each for each in place.split(os.pathsep) if Path(each).is_dir()]
    for each in folders:
        next(Path(each).iterdir(), None)  # raises where it may not be read, which OpenSSL does not say
    if folders:
        return ssl.create_default_context(capath=os.pathsep.join(folders))
    if not stat.S_ISREG(Path(place).stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    return ssl.create_default_context(cafile=place)


def named_authorities() -> str:
    """The variable that names the authorities; "" for those that come with Python's certifi."""
    return next(iter(set_authorities()), "")


def set_authorities() -> list[str]:
    """The variables that are set; the first is used."""
    return [name for name in AUTHORITIES if os.environ.get(name)]


def is_close(error: Exception) -> bool:
    """Whether the other side closed the connection."""
    words = str(error)
    return isinstance(error, httpx.ReadError | httpx.WriteError) or (
        isinstance(error, httpx.RemoteProtocolError)
        and ("disconnected" in words or "closed connection" in words or "incomplete" in words)
    )


def is_reset(error: BaseException) -> bool:
    return isinstance(_root(error), ConnectionResetError)


def _root(error: BaseException) -> BaseException:
    """The system's own error, at the root of the chain of causes."""
    root = error
    while root.__cause__ is not None or root.__context__ is not None:
        root = root.__cause__ or root.__context__ or root
    return root


def cause(error: BaseException, trust: Trust = USUAL) -> str:
    """Why the network failed, as a clause."""
    root = _root(error)
    for kind, clause in _CAUSES:
        if isinstance(error, kind) or isinstance(root, kind):
            return clause
    if isinstance(root, ssl.SSLCertVerificationError):
        by = trust.source or named_authorities()
        none = "SSL_CERT_FILE, or ca of a host in the settings file, can name an authority"
        trusted = f"{by} names the authorities" if by else none
        return f"its certificate is not trusted ({root.verify_message}; {trusted})"
    said = failures.one_line(str(root)) or type(root).__name__
    if isinstance(root, ssl.SSLError):
        return f"no secure connection came about ({said}); is it http:// instead of https://?"
    return f"the proxy on the way refused ({said})" if isinstance(error, httpx.ProxyError) else said


_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (httpx.ConnectTimeout, f"it did not answer within {CONNECT:.0f} seconds"),
    (httpx.TimeoutException, "it was silent for too long"),
    (socket.gaierror, "there is no host of that name"),
    (UnicodeError, "there is no host of that name"),
    (ConnectionRefusedError, "nothing is listening there"),
    (ConnectionResetError, _CLOSED),
    (httpx.RemoteProtocolError, _CLOSED),
)
