"""Fetches what a person named, from servers that behave and from servers that do not."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import cast

import pytest

from chatcli.client.address import is_loopback
from chatcli.client.fetch import Limits, fetch
from chatcli.client.hosts import is_private, is_this_machine
from chatcli.errors import BadFile
from chatcli.reading.raw import Raw
from tests.raw_server import Play, Script, sends, whole

SMALL = Limits(size=100_000, redirects=3)


@pytest.fixture(autouse=True)
def no_reader_is_left_behind() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "chatcli-reader":
            thread.join(5)
            assert not thread.is_alive()


def fetched(
    address: str,
    limits: Limits = SMALL,
    private: Callable[[str], bool] = is_private,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Raw:
    steps = fetch(address, limits, private, lambda name: list((names or {}).get(name, ())))
    while True:
        try:
            assert "secret" not in next(steps).status
        except StopIteration as end:
            return cast("Raw", end.value)


def served(play: Play, path: str = "/page") -> Raw:
    with Script(play) as server:
        return fetched(server.url + path)


def refused(play: Play, words: str, limits: Limits = SMALL) -> BadFile:
    with Script(play) as server, pytest.raises(BadFile, match=words) as caught:
        fetched(server.url + "/page", limits)
    assert caught.value.hint
    return caught.value


def redirect(target: str, status: str = "302 Found", *headers: str) -> Play:
    return whole(b"", status, f"Location: {target}", *headers)


def in_turn(*plays: Play) -> Play:
    """The first connection gets the first of them, and so on; the last one stays."""
    waiting = list(plays)

    def play(connection: socket.socket) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(connection)

    return play


def test_a_page_comes_with_its_type_its_charset_and_its_address() -> None:
    with Script(whole(b"<p>hi", "200 OK", 'Content-Type: Text/HTML; Charset="KOI8-R"')) as server:
        assert fetched(f"{server.url}/a?b=c#d") == Raw(f"{server.url}/a?b=c", b"<p>hi", "text/html", "KOI8-R")


def test_what_declares_no_type_is_html_if_it_looks_like_it() -> None:
    assert served(whole(b" <!DOCTYPE html><p>hi")).media_type == "text/html"
    assert served(whole(b"plain")).media_type == ""


def test_nothing_is_sent_but_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "ours")
    play = in_turn(redirect("/there", "302 Found", "Set-Cookie: a=b"), whole(b"here"))
    with Script(play) as server:
        assert fetched(server.url + "/page").data == b"here"
    for head in server.heads:
        names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
        assert names == {"host", "connection", "user-agent", "accept", "accept-encoding"}
        assert "user-agent: chatcli/" in head.lower()


def test_a_password_in_the_address_goes_to_its_server_only_and_is_shown_nowhere() -> None:
    with Script(whole(b"other")) as other:
        play = in_turn(redirect("/there"), redirect(other.url + "/x"), whole(b""))
        with Script(play) as server:
            raw = fetched(f"http://me:secret@{server.address}/page")
    assert raw == Raw(f"{server.url}/page", b"other")
    assert ["authorization: basic" in head.lower() for head in (*server.heads, *other.heads)] == [
        True,
        True,
        False,
    ]


def test_a_password_that_a_redirect_brings_is_not_used() -> None:
    with Script(whole(b"there")) as other:
        with Script(redirect(f"http://you:trick@{other.address}/")) as server:
            assert fetched(server.url).data == b"there"
        assert "authorization" not in other.heads[0].lower()


@pytest.mark.parametrize(
    "address", ["http://me:se/cret@host/", "http:///path", "http://[::1", "https://", "http://a b:c@d\n/"]
)
def test_a_malformed_address_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(BadFile, match="no address") as caught:
        fetched(address)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["ftp://host/file", "file:///etc/passwd", "javascript://x"])
def test_only_http_is_spoken(address: str) -> None:
    with pytest.raises(BadFile, match="no way to fetch"):
        fetched(address)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/x"])
def test_a_redirect_leads_nowhere_else_than_to_the_web(target: str) -> None:
    refused(redirect(target), "which is not fetched")


@pytest.mark.parametrize(("target", "words"), [("/again", "too often"), ("http://host:port/", "no address")])
def test_a_redirect_without_end_or_sense_is_refused(target: str, words: str) -> None:
    refused(redirect(target), words)


def test_a_public_server_may_not_send_us_into_our_own_network() -> None:
    answers = [False, True]  # the first address is taken for one of the internet, the second for one of our own
    with Script(whole(b"inside")) as inside, Script(redirect(inside.url)) as outside:
        with pytest.raises(BadFile, match="your own network"):
            fetched(outside.url, private=lambda ip: answers.pop(0))
        assert not any(inside.heads)  # not even asked


def test_what_the_person_names_may_be_in_the_own_network_and_lead_on_in_it() -> None:
    with Script(whole(b"inside")) as inside, Script(redirect(inside.url)) as first:
        assert fetched(first.url).data == b"inside"


@pytest.mark.parametrize(
    ("ip", "private"),
    [
        ("127.0.0.1", True), ("10.1.2.3", True), ("192.168.0.1", True), ("169.254.169.254", True), ("::1", True),
        ("fe80::1", True), ("fd00::1", True), ("::ffff:127.0.0.1", True), ("0.0.0.0", True), ("224.0.0.1", True),
        ("fec0::1", True), ("::", True), ("::7f00:1", True), ("64:ff9b::7f00:1", True),
        ("64:ff9b::808:808", False),
        ("64:ff9b:1::808:808", True), ("2002:7f00:1::", True), ("2002:808:808::", False), ("2001:0:1::1", True),
        ("192.0.0.192", True), ("168.63.129.16", True), ("fe80::1%lo", True),
        ("100.64.0.1", True), ("8.8.8.8", False), ("2606:4700:4700::1111", False), ("::ffff:8.8.8.8", False),
    ],
)  # fmt: skip
def test_which_addresses_are_of_an_own_network(ip: str, private: bool) -> None:
    assert is_private(ip) is private


def test_what_is_too_large_is_cut_off_and_never_read_whole() -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with suppress(OSError):
            while sent < 10**9:
                sent += connection.send(b"endless words\n" * 500)

    refused(endless, "more than 0 MB")
    assert sent < 50_000_000  # what the sockets hold, and no more


def test_what_says_that_it_is_too_large_is_not_even_begun() -> None:
    refused(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"), "more than 0 MB")


def test_a_bomb_of_compression_does_not_go_off() -> None:
    packed = gzip.compress(b"a" * 30_000_000)
    assert len(packed) < 40_000
    refused(whole(packed, "200 OK", "Content-Encoding: gzip", "Content-Type: text/plain"), "more than 0 MB")


@pytest.mark.parametrize("head", [b"\x1f\x8b\x08\x08" + bytes(6), gzip.compress(b"text")], ids=["name", "behind"])
def test_what_unpacks_to_nothing_has_a_bound_too(head: bytes) -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n" + head)
        with suppress(OSError):
            while sent < 10**9:
                sent += connection.send(b"endless words\n" * 500)

    with Script(endless) as server, suppress(BadFile):
        assert fetched(server.url).data == b"text"
    assert sent < 50_000_000


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_what_comes_compressed_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    text = b"words of all kinds, again and again\n" * 2500
    encoding = "gzip" if pack is gzip.compress else "deflate"
    for behind in (b"", b"what follows the end", pack(text)):
        assert served(whole(pack(text) + behind, "200 OK", f"Content-Encoding: {encoding}")).data == text


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (b"no gzip at all", "gzip", "arrives damaged"),
        (gzip.compress(b"words " * 999, mtime=0)[:40], "gzip", "arrives cut off"),
        (b"x", "br", "was not asked for"),
    ],
    ids=["damaged", "cut off", "unasked"],
)
def test_broken_or_unasked_compression_is_refused(body: bytes, encoding: str, words: str) -> None:
    refused(whole(body, "200 OK", f"Content-Encoding: {encoding}"), words)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("404 Not Found", "there is nothing of that name"),
        ("401 Unauthorized", "wants a login"),
        ("403 Forbidden", "does not let us"),
        ("503 Busy", "cannot answer now"),
        ("418 Teapot", "refuses it .418."),
        ("304 Not Modified", "refuses it .304."),
    ],
)
def test_a_refusal_is_told_in_words(status: str, words: str) -> None:
    refused(whole(b"", status), words)


@pytest.mark.parametrize("media_type", ["image/png", "video/mp4", "audio/mpeg", "font/woff2"])
def test_what_is_no_text_by_its_own_account_is_not_read(media_type: str) -> None:
    def head_only(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n\r\n".encode())
        connection.recv(1)  # nothing more comes until we leave

    with Script(head_only) as server, pytest.raises(BadFile, match=f"no text but {media_type}"):
        fetched(server.url)


def test_what_calls_itself_text_and_is_none_is_given_up_after_its_beginning() -> None:
    def picture(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n\x89PNG" + bytes(9000))
        connection.recv(1)

    assert len(served(picture).data) < 10_000


def test_a_server_that_never_ends_is_left_when_the_time_is_over() -> None:
    def slow(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"slow ")
                time.sleep(0.05)

    assert "browser" in refused(slow, "took longer", Limits(seconds=0.5)).hint


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
def test_a_server_that_falls_silent_is_left(head: bytes) -> None:
    def silent(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.recv(1)

    refused(silent, "silent for too long", Limits(silence=0.3))


@pytest.mark.parametrize(
    ("play", "words"),
    [
        (sends(), "closed the connection"),
        (sends(b"SSH-2.0-OpenSSH\r\n\r\n"), "cannot be fetched"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf"), "cannot be fetched"),
    ],
)
def test_a_server_that_breaks_off_or_speaks_otherwise_is_told_of(play: Play, words: str) -> None:
    refused(play, words)


def test_a_host_that_is_not_there_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}/"
    with pytest.raises(BadFile, match="nothing is listening there"):
        fetched(address)


def test_closing_a_fetch_cuts_the_connection() -> None:
    left = threading.Event()

    def waiting(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf")
        connection.recv(1)
        left.set()

    with Script(waiting) as server:
        steps = fetch(server.url)
        assert next(steps).status == f"Fetching {server.url}"
        next(steps)
        steps.close()
        assert left.wait(10)


def test_progress_tells_how_much_of_how_much() -> None:
    with Script(whole(b"word " * 5000)) as server:
        told = [(step.done, step.total) for step in fetch(server.url)]
    assert told[-1] == (25_000, 25_000)


@pytest.mark.parametrize("proxy", ["socks9://nowhere", "http://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(BadFile, match=r"proxy|listening"):
        fetched("http://example.test/")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("a.localhost.", True), ("127.1", True), ("0x7f.1", True),
        ("017700000001", True), ("2130706433", True), ("127.0.0.1.", True), ("[::1]", True),
        ("[::ffff:127.0.0.1]", True), ("xlocalhost", False), ("localhost.example", False), ("8.8.8.8", False),
        ("0x8080808", False), ("256.1", False), ("1.2.3.4.5", False), ("08", False),
    ],
)  # fmt: skip
def test_this_machine_is_known_in_every_form_of_its_name(host: str, loopback: bool) -> None:
    assert is_this_machine(host) is loopback
    assert is_loopback(f"http://{host}:11434/") is loopback


NAMES = {
    "public.example": ["8.8.8.8"],
    "both.example": ["8.8.8.8", "10.0.0.1"],
    "inside.example": ["192.168.0.7"],
    "six.example": ["2606:4700::1", "64:ff9b::a00:1"],
    "wiki.lan": ["8.8.8.8"],  # as resolvers answer that send whatever is not there to a page of advertising
}
INSIDE = [
    "localhost", "localhost.", "LocalHost", "a.localhost", "127.0.0.1", "127.1", "127.0.0.1.", "127.1.",
    "0x7f000001",
    "0x7f.1", "017700000001", "2130706433", "2130706433.", "0", "0.0.0.0", "[::1]", "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]", "[fec0::1]",
    "169.254.169.254", "169.254.169.254.", "0xa9fea9fe", "192.168.0.1", "192.168.1", "010.8", "10.0.0.1",
    "100.64.1.1",
    "router", "router.", "router.lan", "nas.LOCAL.", "db.internal", "x.home.arpa", "intranet.corp", "wiki.lan",
    "inside.example", "both.example", "six.example", "127.0.0.1.nip.io", "10-0-0-1.sslip.io", "256.1", "1.2.3.4.5",
    "%6cocalhost", "127.0.0.1%2e", "127.0.0.1%2f.public.example", "public.example%00.lan", "public.example\\.lan",
    "a@localhost.", "public.example@127.1", "public.example:80@127.1", "u:secret@[::]", "127。0。0。1",
]  # fmt: skip
REFUSED = r"your own network|is no address|cannot be fetched"


def through(proxy: Script, variable: str, monkeypatch: pytest.MonkeyPatch) -> Raw:
    monkeypatch.setenv(variable, proxy.url)
    return fetched("http://example.test/", names=NAMES)


@pytest.mark.parametrize("host", INSIDE)
def test_a_proxy_is_not_asked_for_the_own_network_in_any_form(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for target in (f"http://{host}/", f"//{host}:80/x", f"https://{host}/", f"http://{host}:8080"):
        with Script(redirect(target)) as proxy, pytest.raises(BadFile, match=REFUSED):
            through(proxy, "ALL_PROXY", monkeypatch)
        assert [head.split()[1] for head in proxy.heads] == ["http://example.test/"], target


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_whatever_variable_names_the_proxy_the_own_network_is_guarded(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Script(redirect("http://router.lan/")) as proxy, pytest.raises(BadFile, match="your own network"):
        through(proxy, variable, monkeypatch)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    "host", ["localhost", "localhost.", "a.localhost", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
@pytest.mark.parametrize("proxied", [False, True])
def test_this_machine_is_not_even_connected_to_when_a_public_page_leads_there(
    host: str, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [False]  # the first address is taken for one of the internet
    with Script(redirect(f"http://{host}:9/")) as first:
        if proxied:
            monkeypatch.setenv("ALL_PROXY", first.url)
        with pytest.raises(BadFile, match="your own network"):
            fetched(
                "http://example.test/" if proxied else first.url,
                private=lambda ip: is_private(ip) if proxied or not answers else answers.pop(),
            )


def test_what_no_proxy_lets_through_is_judged_by_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost")
    with Script(whole(b"inside")) as inside, Script(redirect(inside.url)) as proxy:
        with pytest.raises(BadFile, match="your own network"):
            through(proxy, "HTTP_PROXY", monkeypatch)
        assert not any(inside.heads)


@pytest.mark.parametrize(
    "host",
    ["public.example", "PUBLIC.example", "known.to.the.proxy.example.", "8.8.8.8", "[2606:4700::1]", "bücher.de"],
)
def test_a_proxy_is_asked_for_what_is_plainly_public(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Script(in_turn(redirect(f"http://{host}/x"), whole(b"there"))) as proxy:
        assert through(proxy, "HTTP_PROXY", monkeypatch).data == b"there"


@pytest.mark.parametrize(
    "first", ["http://router/", "http://inside.example/", "http://192.168.0.7/", "http://a.lan/"]
)
def test_a_page_of_the_own_network_may_lead_on_in_it_through_a_proxy(
    first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = in_turn(
        redirect("http://nas.local/"), redirect("http://public.example/"), redirect("http://10.0.0.1/")
    )
    with Script(plays) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(BadFile, match="your own network"):
            fetched(first, names=NAMES)
    assert [head.split()[1] for head in proxy.heads] == [first, "http://nas.local/", "http://public.example/"]


def test_a_model_names_no_address_of_the_own_network_and_is_led_to_none(monkeypatch: pytest.MonkeyPatch) -> None:
    public = [False]  # the first address is taken for one of the internet
    with Script(whole(b"inside")) as inside, Script(redirect(inside.url)) as outside:
        with pytest.raises(BadFile, match="own network"):
            list(fetch(inside.url, from_model=True))
        with pytest.raises(BadFile, match="own network"):
            list(fetch(outside.url, private=lambda ip: not public or public.pop(), from_model=True))
    assert (len(inside.heads), len(outside.heads)) == (0, 1)
    with Script(whole(b"there")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for name in ("http://nas.local/", "http://inside.example/", "http://10.0.0.1.nip.io/"):
            with pytest.raises(BadFile, match="own network"):
                list(fetch(name, look_up=lambda name: list(NAMES.get(name, ())), from_model=True))
        list(fetch("http://public.example/", look_up=lambda name: list(NAMES.get(name, ())), from_model=True))
    assert [head.split()[1] for head in proxy.heads] == ["http://public.example/"]


def test_what_a_model_fetches_is_not_sent_on_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = "http://other.example/?q=1"
    plays = in_turn(redirect("/there"), redirect(elsewhere), whole(b"there"))
    with Script(plays) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(BadFile, match=r"another host: http://other\.example/"):
            list(fetch("http://public.example/", look_up=lambda _: ["93.184.216.34"], from_model=True))
    assert [head.split()[1] for head in proxy.heads] == ["http://public.example/", "http://public.example/there"]


def test_a_name_is_looked_up_only_where_a_page_sends_us_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plays = in_turn(whole(b"one"), redirect("/there"), whole(b"two"))
    with Script(plays) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for _ in range(2):
            list(fetch("http://example.test/", look_up=lambda name: asked.append(name) or []))  # type: ignore[func-returns-value]
    assert asked == []
    assert len(proxy.heads) == 3


@pytest.mark.parametrize("port", ["99999", "-1", "1e3"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(BadFile):
        fetched(f"http://127.0.0.1:{port}/")
    refused(redirect(f"http://127.0.0.1:{port}/"), "no address|cannot be fetched")


def test_a_proxy_of_the_environment_is_asked_and_may_not_be_led_into_the_own_network_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Script(redirect("http://192.168.0.1/router")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(BadFile, match="your own network"):
            fetched("http://example.test/")
    assert [head.split()[1] for head in proxy.heads] == ["http://example.test/"]
