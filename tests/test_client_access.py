"""How the client reaches a server: credentials, proxies, TLS, and environments that prevent it."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chatcli.client.connection import AUTHORITIES
from chatcli.client.fetch import fetch
from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.conversation.events import Text, Tick
from chatcli.conversation.message import Message
from chatcli.errors import BadFile, BadValue, Unreachable
from tests.faults import Engine
from tests.raw_server import FIRST, STREAM, Script, whole

HELLO = Request("tiny", (Message.user("Hello"),), {"num_ctx": 2048})


def header(head: str, name: str) -> str | None:
    found = [line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith(f"{name}:")]
    return found[0] if found else None


VERSION = whole(b'{"version":"1.2.3"}')


def authorization(url: str, script: Script, **headers: str) -> str | None:
    with Client(url, headers=headers) as client:
        assert client.version() == "1.2.3"
    return header(script.heads[-1], "authorization")


@pytest.mark.parametrize("headers", [{}, {"Connection": "keep-alive"}])
def test_no_exchange_leaves_a_connection_that_another_could_take(headers: dict[str, str]) -> None:
    """It would be cut with the exchange that had it first: several are under way at once."""
    with Script(VERSION) as script, Client(script.url, headers=headers) as client:
        for _ in range(2):
            assert client.version() == "1.2.3"
        assert [header(head, "connection") for head in script.heads] == ["close", "close"]


def test_no_credentials_are_sent_that_nobody_gave() -> None:
    with Script(VERSION) as script:
        assert authorization(script.url, script) is None


def test_credentials_in_the_url_go_before_the_key_and_an_explicit_header_before_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "key")
    with Script(VERSION) as script:
        assert authorization(script.url, script) == "Bearer key"
        url = script.url.replace("http://", "http://me:pa%40ss@")
        assert authorization(url, script) == "Basic bWU6cGFAc3M="
        assert authorization(url, script, Authorization="mine") == "mine"


def test_the_key_is_not_sent_in_the_clear_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "key")
    with Script(VERSION) as script:
        monkeypatch.setenv("HTTP_PROXY", script.url)
        assert authorization("http://box.example:11434", script) is None
        assert script.heads[-1].startswith("GET http://box.example:11434/api/version ")


def test_a_key_that_cannot_be_one_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "ключ")
    with pytest.raises(BadValue, match="OLLAMA_API_KEY"):
        Client("http://127.0.0.1:1")


def test_a_proxy_is_used_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Script(VERSION) as script:
        assert authorization(script.url, script) is None
    with Client("http://box.example:11434") as client, pytest.raises(Unreachable):
        client.version()


@pytest.mark.parametrize(
    "environment",
    [
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"HTTPS_PROXY": "nonsense://x"},
        {"OLLAMA_HOST": "box:many"},
        {"SSL_CERT_FILE": "/nowhere/at/all.pem"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_an_environment_the_library_cannot_be_imported_in_does_not_matter(environment: dict[str, str]) -> None:
    program = """
import sys
from chatcli.client.ollama import Client
with Client(sys.argv[1]) as client:
    print(client.version())
"""
    with Engine() as engine:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, engine.url],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.stdout, done.stderr) == ("0.0.0\n", "")


@contextmanager
def certificate(folder: Path) -> Iterator[tuple[ssl.SSLContext, Path]]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run([*command, *more], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl here to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    yield context, cert


def test_over_tls_the_certificate_is_checked_and_closing_disconnects_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = threading.Event()

    def hang(connection: socket.socket) -> None:
        connection.sendall(STREAM + FIRST)
        with suppress(OSError):
            connection.recv(1)  # b"" once the client has hung up
        left.set()

    with certificate(tmp_path) as (context, cert), Script(hang, context) as script:
        with Client(script.url) as client, pytest.raises(Unreachable, match="certificate is not trusted"):
            client.version()
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        with Client(script.url) as client:
            events = client.chat(HELLO)
            assert next(event for event in events if not isinstance(event, Tick)) == Text("Hel")
            assert next(events) == Tick()
            events.close()
        assert left.wait(10)


def test_https_to_a_server_of_plain_http_is_told_as_such() -> None:
    told = pytest.raises(Unreachable, match="is it http://")
    with Script(whole(b"{}")) as script, Client(script.url.replace("http:", "https:")) as client, told:
        client.version()


@pytest.mark.parametrize("variable", AUTHORITIES)
@pytest.mark.parametrize("place", ["gone", "empty", "pipe"])
def test_certificates_that_cannot_be_read_are_named_alike_and_only_where_tls_needs_them(
    variable: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / place
    if place == "empty":
        named.touch()
    elif place == "pipe":
        os.mkfifo(named)
    monkeypatch.setenv(variable, str(named))
    said = rf"certificates in {named}, which {variable} names, cannot be read \("
    with Client("https://box.example") as client, pytest.raises(Unreachable, match=said) as failed:
        client.version()
    assert variable in failed.value.hint
    with pytest.raises(BadFile, match=said) as refused:
        list(fetch("https://box.example"))
    assert refused.value.hint == failed.value.hint
    monkeypatch.setenv("HTTP_PROXY", "https://127.0.0.1:1")
    with pytest.raises(BadFile, match=said):
        list(fetch("http://box.example"))
    with Script(VERSION) as script:
        assert authorization(script.url, script) is None


@pytest.mark.parametrize("variable", AUTHORITIES)
def test_an_authority_may_be_named_by_any_of_the_variables(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with certificate(tmp_path) as (context, cert), Script(VERSION, context) as script:
        monkeypatch.setenv(variable, str(cert))
        with Client(script.url) as client:
            assert client.version() == "1.2.3"


def test_directories_of_certificates_are_read_and_one_without_any_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with certificate(tmp_path) as (context, cert), Script(VERSION, context) as script:
        folder = tmp_path / "trusted"
        folder.mkdir()
        monkeypatch.setenv("SSL_CERT_DIR", os.pathsep.join(["/nowhere", str(folder)]))
        with Client(script.url) as client, pytest.raises(Unreachable, match="SSL_CERT_DIR names the authorities"):
            client.version()
        shutil.copy(cert, folder)
        subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
        with Client(script.url) as client:
            assert client.version() == "1.2.3"
