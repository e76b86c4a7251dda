"""HTTP on a loopback socket: one thread for each connection, chunked replies, and immediate notice when a client
leaves.

It does not decide the responses: a DemoServer gets a function from HttpRequest to HttpResponse (api.py).
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse


class DemoServer(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1; port 0 lets the system choose one. A context manager: it serves until it is left."""

    allow_reuse_address = sys.platform != "win32"
    request_queue_size = 64
    timeout = 0.5  # seconds until it looks whether it is being left, where nothing connects to tell it

    def __init__(self, answer: Answer, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._leaving = False
        self._loop = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> DemoServer:
        self._loop.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops listening, disconnects every client, and waits until their threads have ended."""
        self._leaving = True
        with contextlib.suppress(OSError):
            socket.create_connection(
                ("127.0.0.1", self.server_address[1]), self.timeout
            ).close()  # it waits for one
        self._loop.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def _serve(self) -> None:
        while not self._leaving:
            self.handle_request()

    def verify_request(self, *_: object) -> bool:
        """Whether it is to be answered."""
        return not self._leaving

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def close_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        super().close_request(request)
        self._open.discard(request)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: DemoServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's names
        """Logs nothing: the terminal belongs to chatcli."""

    def _exchange(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.answer(HttpRequest(self.command, self.path, body, self._pause, headers)))

    do_GET = do_HEAD = do_POST = do_DELETE = _exchange  # noqa: N815 - the library asks for these names

    def _send(self, response: HttpResponse) -> None:
        with closing_chunks(response) as chunks:
            first = next(chunks, b"")  # made before the headers are sent: a reply that cannot begin sends nothing
            self._send_headers(response)
            if self.command == "HEAD":
                return
            framed = response.length is None
            chunk: bytes | None = first
            while chunk is not None:
                if chunk:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if framed else chunk)
                chunk = next(chunks, None)
            if framed:
                self.wfile.write(b"0\r\n\r\n")

    def _send_headers(self, response: HttpResponse) -> None:
        self.send_response_only(response.status)
        if response.content_type:
            self.send_header("Content-Type", response.content_type)
        self.send_header("Date", self.date_time_string())
        if response.length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(response.length))
        self.end_headers()

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError("the client has left")
            time.sleep(max(0.0, until - time.monotonic()))  # the client's next request is already waiting


@contextlib.contextmanager
def closing_chunks(response: HttpResponse) -> Iterator[Iterator[bytes]]:
    """Yields the chunks; a generator is closed at once when nobody wants the rest."""
    chunks = iter(response.chunks)
    try:
        yield chunks
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
