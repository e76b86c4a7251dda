"""A server that a test scripts byte for byte, for behavior that the demo engine does not have."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

Play = Callable[[socket.socket], None]

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
FIRST = b'{"message":{"content":"Hel"},"done":false}\n'
LAST = b'{"message":{"content":""},"done":true,"done_reason":"stop"}\n'


class Script:
    """One connection after another gets `play`, once its request has come in; `heads` are the requests' heads."""

    def __init__(self, play: Play, tls: ssl.SSLContext | None = None) -> None:
        self._play = play
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._over = False
        self.heads: list[str] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{self.address}"

    def __enter__(self) -> Script:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        socket.create_connection(self._listener.getsockname()).close()  # wakes the waiting accept
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._over:
                connection.close()
                return
            with suppress(OSError), self._secured(connection) as ready:
                self._take(ready)
                self._play(ready)

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self._tls is None:
            return connection
        with connection:
            return self._tls.wrap_socket(connection, server_side=True)

    def _take(self, connection: socket.socket) -> None:
        """Read the whole request: closing with some of it unread would reset the connection."""
        if self._tls is None and connection.recv(1, socket.MSG_PEEK) == b"\x16":
            connection.recv(65536)  # the first record of TLS: no line will come
            return
        with connection.makefile("rb") as coming:
            lines = itertools.takewhile(lambda line: line not in {b"", b"\r\n"}, iter(coming.readline, None))
            head = b"".join(lines).decode("latin-1")
            length = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
            coming.read(int(length[0].split(":")[1]) if length else 0)
        self.heads.append(head)


def sends(*parts: bytes) -> Play:
    def play(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return play


def whole(body: bytes, status: str = "200 OK", *headers: str) -> Play:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return sends("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
