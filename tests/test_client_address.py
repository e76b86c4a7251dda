"""How a server address may be written: Ollama's own forms, and what is not an address."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client import address
from chatcli.errors import BadValue

# What is written and what Ollama makes of it; of an empty or a bind-only host, what a client connects to.
FORMS = [
    ("1.2.3.4", "http://1.2.3.4:11434"),
    (":1234", "http://127.0.0.1:1234"),
    ("1.2.3.4:1234", "http://1.2.3.4:1234"),
    ("example.com", "http://example.com:11434"),
    ("example.com:1234", "http://example.com:1234"),
    ("my_box", "http://my_box:11434"),
    (":0", "http://127.0.0.1:0"),
    ("[::1]", "http://[::1]:11434"),
    ("::1", "http://[::1]:11434"),
    ("[::1", "http://[::1]:11434"),
    ("[::1]:1337", "http://[::1]:1337"),
    ("0:0:0:0:0:0:0:1", "http://[::1]:11434"),
    ("[::]", "http://[::1]:11434"),
    ("[::]:8080", "http://[::1]:8080"),
    ("0.0.0.0", "http://127.0.0.1:11434"),
    ("0.0.0.0:8080", "http://127.0.0.1:8080"),
    (" 1.2.3.4 ", "http://1.2.3.4:11434"),
    ('"1.2.3.4"', "http://1.2.3.4:11434"),
    (' " 1.2.3.4 " ', "http://1.2.3.4:11434"),
    ("'1.2.3.4'", "http://1.2.3.4:11434"),
    ("http://1.2.3.4", "http://1.2.3.4:80"),
    ("http://1.2.3.4:4321", "http://1.2.3.4:4321"),
    ("https://1.2.3.4", "https://1.2.3.4:443"),
    ("https://1.2.3.4:4321", "https://1.2.3.4:4321"),
    ("https://example.com/ollama", "https://example.com:443/ollama"),
    ("https://example.com/ollama/", "https://example.com:443/ollama"),
    ("example.com:56789/", "http://example.com:56789"),
    ("example.com/a/b", "http://example.com:11434/a/b"),
    ("http://", "http://127.0.0.1:80"),
    ("HTTPS://example.com", "https://example.com:443"),
    ("ollama.com", "https://ollama.com:443"),
    ("https://me:pa%40ss@example.com", "https://me:pa%40ss@example.com:443"),
    ("me:secret@[::1]:99", "http://me:secret@[::1]:99"),
]


@pytest.mark.parametrize(("written", "url"), FORMS)
def test_every_form_ollama_takes_is_understood(written: str, url: str) -> None:
    assert address.read(written, "--host") == url


@pytest.mark.parametrize(
    ("written", "url"),
    [
        (":66000", "http://127.0.0.1:11434"),
        (":-1", "http://127.0.0.1:11434"),
        ("localhost:abc", "http://localhost:11434"),
        ("http://localhost:abc", "http://localhost:80"),
        ("[::1]:", "http://[::1]:11434"),
    ],
)
def test_a_port_that_is_none_is_forgiven_where_ollama_forgives_it(written: str, url: str) -> None:
    assert address.read(written, "OLLAMA_HOST", forgive_ports=True) == url


@pytest.mark.parametrize(
    "written",
    [
        "localhost:abc",
        "localhost:99999",
        "ftp://example.com",
        "unix:///run/ollama.sock",
        "two words",
        "a:b:c",
        "http://x?y=1",
        "http://x/a b",
        "http://x/a?b",
        "-x",
        "a..b",
        "fe80::1%eth0:x",
    ],
)
def test_what_names_no_server_is_said_so_with_the_forms_that_do(written: str) -> None:
    with pytest.raises(BadValue) as caught:
        address.read(written, "--host")
    assert caught.value.message.startswith("--host does not name a server")
    assert "host:port" in caught.value.hint


@pytest.mark.parametrize("written", ["http://me:se/cret@host", "me:se?cret@host", "ftp://me:secret@host:port"])
def test_a_password_is_in_no_message(written: str) -> None:
    with pytest.raises(BadValue) as caught:
        address.read(written, "--host")
    assert "cret" not in caught.value.message + caught.value.hint


@settings(deadline=None)
@given(st.text(max_size=30), st.booleans())
def test_any_text_is_a_url_or_a_bad_value(written: str, forgive: bool) -> None:
    try:
        url = address.read(written, "OLLAMA_HOST", forgive_ports=forgive)
    except BadValue:
        return
    parts = urlsplit(url)
    assert parts.scheme in {"http", "https"}
    assert parts.hostname
    assert 0 <= (parts.port or 0) <= 65535
    assert address.read(url, "OLLAMA_HOST") == url


HOSTS = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(HOSTS, st.integers(1, 65535), st.sampled_from(["http", "https"]))
def test_a_host_with_its_port_means_the_same_however_it_is_dressed(host: str, port: int, scheme: str) -> None:
    plain = address.read(f"{scheme}://{host}:{port}", "--host")
    assert plain == f"{scheme}://{host}:{port}"
    for dressed in (f"{plain}/", f" {plain} ", f'"{plain}"', f"'{plain}/'"):
        assert address.read(dressed, "--host") == plain
    assert address.read(f"{host}:{port}", "--host") == f"http://{host}:{port}"


@settings(deadline=None)
@given(st.text(min_size=1, max_size=12), st.text(max_size=12))
def test_credentials_become_a_header_and_are_shown_nowhere(user: str, password: str) -> None:
    from urllib.parse import quote

    written = f"http://{quote(user, safe='')}:{quote(password, safe='')}@example.com:8080/x"
    bare, header = address.without_credentials(address.read(written, "--host"))
    assert bare == address.shown(written) == "http://example.com:8080/x"
    assert header is not None
    assert base64.b64decode(header.removeprefix("Basic ")) == f"{user}:{password}".encode()


def test_a_url_without_credentials_has_no_header() -> None:
    assert address.without_credentials("http://example.com:1") == ("http://example.com:1", None)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://ollama.localhost:1", True),
        ("http://127.0.0.1:1", True),
        ("http://127.8.8.8:1", True),
        ("http://[::1]:1", True),
        ("http://localhost.example.com:1", False),
        ("http://10.0.0.1:1", False),
        ("http://[fe80::1]:1", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, loopback: bool) -> None:
    assert address.is_loopback(url) is loopback
