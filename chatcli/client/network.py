"""How to connect by httpx, and what a failure of the network is in words: for whatever speaks HTTP here."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import httpx

from chatcli.client import address, failures

CONNECT = 5.0  # seconds to reach a server
_CLOSED = "it closed the connection without an answer"


# Goes with every request. Without it httpcore holds a connection that is done for idle until it is closed, and at
# that moment another thread may take it for a request of its own, which is then cut with the exchange before it.
ALONE = {"connection": "close"}


def connection(url: str) -> dict[str, Any]:
    """How to connect, as httpx.Client takes it. Never kept alive: every exchange has its own socket, so cutting
    one touches no other.

    This machine is never reached through a proxy, whatever the environment says; plain HTTP needs no certificates,
    whose loading takes time.
    """
    limits = httpx.Limits(max_keepalive_connections=0)
    verify = url.startswith("https:")
    if address.is_loopback(url):
        return {"transport": httpx.HTTPTransport(verify=verify, limits=limits)}
    return {"verify": verify, "limits": limits}


def is_close(error: Exception) -> bool:
    """Whether the other side closed the connection."""
    words = str(error)
    return isinstance(error, httpx.ReadError | httpx.WriteError) or (
        isinstance(error, httpx.RemoteProtocolError)
        and ("disconnected" in words or "closed connection" in words or "incomplete" in words)
    )


def cause(error: BaseException) -> str:
    """Why the network failed, as a clause. The system's own error is at the root of the chain of causes."""
    root = error
    while root.__cause__ is not None or root.__context__ is not None:
        root = root.__cause__ or root.__context__ or root
    for kind, clause in _CAUSES:
        if isinstance(error, kind) or isinstance(root, kind):
            return clause
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({root.verify_message}; SSL_CERT_FILE can name an authority)"
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
