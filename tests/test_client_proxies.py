"""Which proxy a request goes through, by the variables and NO_PROXY; and what is said of one that is dead."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
import sys
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.client.fetch import fetch
from chatcli.client.ollama import Client
from chatcli.client.proxies import read_no_proxy, route
from chatcli.errors import BadFile, BadReply, ChatcliError, Refused, Unreachable
from tests.faults import nobody_there
from tests.raw_server import Script, whole

PROXY = "http://proxy.example:3128"
VERSION = whole(b'{"version":"1.2.3"}')


def is_direct(url: str, no_proxy: str) -> bool:
    return route(url, {"all_proxy": PROXY, "no_proxy": no_proxy}).proxy is None


# An entry; what it exempts; what it does not. Where curl has no word for an entry, it is Go's, which Ollama reads.
ENTRIES = [
    ("example.com", "http://example.com http://www.example.com http://EXAMPLE.com.", "http://nonexample.com"),
    (".example.com", "http://example.com http://www.example.com", "http://example.com.evil"),
    ("Example.Com.", "http://a.b.example.com:8080", "http://example.co"),
    ("box", "http://box:11434", "http://boxer http://inbox"),
    ("192.0.2.2", "http://192.0.2.2:11434", "http://192.0.2.20 http://2.192.0.2 http://x192.0.2.2"),
    ("192.0.2.0/24", "http://192.0.2.2 https://192.0.2.255", "http://192.0.3.1 http://[fd00::1]"),
    ("192.0.2.77/24", "http://192.0.2.2", "http://192.0.1.2"),
    ("fd00::/8", "http://[fd00::1]:11434 http://[fdff::2]", "http://[fe80::1] http://192.0.2.2"),
    ("[fd00::]/8", "http://[fd00::1]", "http://[fe00::1]"),
    ("fd00::1", "http://[fd00::1] http://[fd00:0::0:1]:80", "http://[fd00::11]"),
    ("[fd00::1]", "http://[fd00::1]:11434", "http://[fd00::2]"),
    ("fe80::1%eth0", "http://[fe80::1]", "http://[fe80::2]"),
    ("*", "http://x https://192.0.2.2 http://[fd00::1]", ""),
]
OURS = [
    ("*.example.com", "http://www.example.com", "http://example.org"),
    ("example.com:8080", "http://example.com:8080 http://a.example.com:8080", "http://example.com"),
    ("example.com:80", "http://example.com", "https://example.com"),
    ("example.com:443", "https://example.com", "http://example.com"),
    ("192.0.2.0/24:11434", "http://192.0.2.2:11434", "http://192.0.2.2"),
    ("[fd00::1]:11434", "http://[fd00::1]:11434", "http://[fd00::1]:80"),
    ("[fd00::]/8:11434", "http://[fd00::1]:11434", "http://[fd00::1]"),
    ("https://example.com", "https://example.com", "http://example.com"),
    ("10.0.0.0/8", "http://[::ffff:10.0.0.1]", "http://11.0.0.1"),
    ("::ffff:10.0.0.0/104", "http://10.0.0.1", "http://11.0.0.1"),
    ("bücher.example", "http://xn--bcher-kva.example", "http://bucher.example"),
    ("a.example,*", "http://b.example", ""),
]


@pytest.mark.parametrize("others", ["{}", "localhost,fd00::9/128, {} ", "a {} b", ",,{},\t,", "10.*,{},[::1"])
@pytest.mark.parametrize(("entry", "exempts", "not_these"), ENTRIES + OURS)
def test_no_proxy_names_hosts_domains_ports_and_networks(
    entry: str, exempts: str, not_these: str, others: str
) -> None:
    text = others.format(entry)
    assert [url for url in exempts.split() if not is_direct(url, text)] == []
    assert [url for url in not_these.split() if is_direct(url, text)] == []


UNREADABLE = [
    *("10.*", "192.168.1", "10.0.0.0/33", "10.0.0.0/8/8", "300.1.1.1", "fd00:::/8", "fd00::/129", "[fd00::1]x"),
    *(
        "[::1",
        "[box]",
        "box:many",
        "box:0",
        "box:70000",
        ":80",
        "box/x",
        "me@box",
        "ftp://box",
        "*box",
        "a*b",
        ".",
    ),
]


@pytest.mark.parametrize("entry", UNREADABLE)
def test_what_cannot_be_read_is_told_and_the_others_hold(entry: str) -> None:
    read, unread = read_no_proxy(f"a.example,{entry} fd00::/8")
    assert unread == (entry,)
    assert len(read) == 2
    found = route("http://192.0.2.2", {"http_proxy": PROXY, "NO_PROXY": entry}).proxy
    assert found is not None
    assert entry in found.not_read


LABEL = st.sampled_from(["a", "b", "ab", "box", "example", "com"])
NAME = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
PORT = st.sampled_from(["", ":80", ":8080"])


@given(st.lists(st.tuples(st.sampled_from(["", "."]), NAME, PORT).map("".join), max_size=3), NAME, PORT)
@settings(max_examples=200)
def test_names_and_ports_are_read_as_python_reads_them(entries: list[str], host: str, port: str) -> None:
    """But that a port may be the one that the scheme has."""
    text = ",".join(entries)
    python = any(proxy_bypass_environment(host + each, {"no": text}) for each in {port, port or ":80"})
    assert is_direct(f"http://{host}{port}", text) is python


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
ADDRESS = st.ip_addresses().filter(lambda address: not getattr(address, "ipv4_mapped", None))


@given(ADDRESS, st.integers(0, 32), ADDRESS)
@settings(max_examples=200)
def test_an_address_is_exempt_where_its_first_bits_are_the_networks(
    inside: Address, bits: int, other: Address
) -> None:
    def first(address: Address) -> tuple[int, int]:
        return address.version, int(address) >> (address.max_prefixlen - bits)

    for host in (inside, other):
        url = f"http://[{host}]:1" if host.version == 6 else f"http://{host}:1"
        local = route(url, {"http_proxy": PROXY}).proxy is None  # this machine
        assert is_direct(url, f"x.example {inside}/{bits}") is (first(host) == first(inside) or local)


@given(st.text(alphabet="ab.:/[]*%,- 019f@", max_size=30))
@settings(max_examples=300)
def test_any_no_proxy_is_read(text: str) -> None:
    read, unread = read_no_proxy(text)
    assert len(read) + len(unread) == len(re.split(r"[ ,]+", text.strip(" ,"))) - (not text.strip(" ,"))
    is_direct("http://192.0.2.2", text)


def test_curl_reads_no_proxy_alike() -> None:
    """Names and addresses lead to a port of this machine where nobody listens, and so does the proxy. Without
    IPv6, where not every curl does what its manual says.
    """
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl here")

    def goes_direct(url: str, text: str) -> bool:
        done = subprocess.run(
            [curl, "-sS", "--max-time", "5", "--connect-to", f"::{direct.removeprefix('http://')}", url],
            env={"http_proxy": proxy, "https_proxy": proxy, "no_proxy": text},
            capture_output=True,
            text=True,
            check=False,
        )
        reached = [port for port in (direct, proxy) if port.rpartition(":")[2] in done.stderr]
        assert len(reached) == 1, done.stderr
        return reached == [direct]

    asks = [
        (url, entry if entry == "*" else f"x.example,{entry}")
        for entry, exempts, not_these in ENTRIES
        for url in (*exempts.split()[:1], *not_these.split()[:1])
        if "[" not in url
    ]
    with nobody_there() as direct, nobody_there() as proxy:
        wrong = [ask for ask in asks if goes_direct(*ask) is not is_direct(*ask)]
    assert wrong == []


@pytest.mark.parametrize(
    ("variables", "url", "source"),
    [
        ("http_proxy", "http://box.example", "http_proxy"),
        ("HTTP_PROXY", "http://box.example", "HTTP_PROXY"),
        ("HTTP_PROXY http_proxy", "http://box.example", "http_proxy"),
        ("all_proxy HTTPS_PROXY", "https://box.example", "HTTPS_PROXY"),
        ("ALL_PROXY https_proxy", "http://box.example", "ALL_PROXY"),
        ("https_proxy", "http://box.example", None),
        ("HTTP_PROXY REQUEST_METHOD", "http://box.example", None),
        ("ALL_PROXY", "http://127.1:11434", None),
        ("ALL_PROXY", "http://localhost:11434", None),
    ],
)
def test_the_variable_that_sets_the_proxy_is_known(variables: str, url: str, source: str | None) -> None:
    found = route(url, dict.fromkeys(variables.split(), "proxy.example:3128")).proxy
    assert (found.source if found else None) == source
    assert found is None or str(found) == f"the proxy http://proxy.example:3128, set by {source}"


def test_an_empty_variable_in_lower_case_goes_before_the_other() -> None:
    assert route("http://box.example", {"http_proxy": "", "HTTP_PROXY": PROXY}).proxy is None


def server(url: str) -> object:
    with Client(url) as client:
        return client.version()


def pull(url: str) -> object:
    with Client(url) as client:
        return list(client.pull("tiny"))


def page(url: str) -> object:
    return list(fetch(url))


@pytest.mark.parametrize("ask", [server, pull, page])
@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("http_proxy", "http://192.0.2.2:11434"),
        ("HTTPS_PROXY", "https://box.example"),
        ("ALL_PROXY", "http://[fd00::1]:11434"),
    ],
)
def test_a_dead_proxy_is_named_with_its_variable(
    ask: object, variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(ask)
    with nobody_there() as proxy:
        monkeypatch.setenv(variable, proxy.replace("//", "//me:secret@"))
        with pytest.raises((Unreachable, BadFile)) as failed:
            ask(url)
    assert f"through the proxy {proxy}, set by {variable}: nothing is listening there" in str(failed.value)
    assert variable in failed.value.hint
    assert "NO_PROXY" in failed.value.hint
    assert "secret" not in failed.value.message + failed.value.hint


@pytest.mark.parametrize(
    "proxy", ["nonsense://x:1", "socks4://127.0.0.1:9", "http://", "http://:9", "a b", "http://h:99999", "[::1"]
)
@pytest.mark.parametrize("ask", [server, page])
def test_a_proxy_that_is_none_is_named_with_its_variable(
    ask: object, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(ask)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises((Unreachable, BadFile), match=r"the proxy .*, set by ALL_PROXY, is none") as failed:
        ask("http://192.0.2.2")
    assert "ALL_PROXY" in failed.value.hint
    monkeypatch.setenv("NO_PROXY", "192.0.2.0/24")
    assert route("http://192.0.2.2").proxy is None


@pytest.mark.parametrize("ask", [server, page])
def test_without_the_library_for_socks_that_is_said_plainly(ask: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(ask)
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises((Unreachable, BadFile), match="set by ALL_PROXY, needs a library for SOCKS") as failed:
        ask("http://192.0.2.2")
    assert "chatcli[socks]" in failed.value.hint


def test_a_proxy_of_socks_is_asked_where_no_proxy_does_not_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("socksio")
    with nobody_there() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.replace("http:", "socks5:"))
        with pytest.raises(Unreachable, match=r"through the proxy socks5://.*, set by ALL_PROXY: nothing is"):
            server("http://192.0.2.2")
        monkeypatch.setenv("NO_PROXY", "192.0.2.0/24")
        assert route("http://192.0.2.2").proxy is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "named"),
    [
        ("407 Proxy Authentication Required", b"<html>login</html>", Refused, "http_proxy"),
        ("502 Bad Gateway", b"<html>squid</html>", Unreachable, "set by http_proxy"),
        ("403 Forbidden", b"<html>squid</html>", Refused, "set by http_proxy"),
        ("200 OK", b"<html>Please log in</html>", BadReply, "set by http_proxy"),
    ],
)
def test_an_answer_that_may_be_the_proxys_names_it(
    status: str, body: bytes, kind: type[ChatcliError], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Script(whole(body, status)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(kind) as failed:
            server("http://192.0.2.2")
    assert named in failed.value.hint


def test_an_answer_of_ollamas_own_does_not_name_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Script(whole(b'{"error":"unauthorized"}', "401 Unauthorized")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(Refused) as failed:
            server("http://192.0.2.2")
    assert "proxy" not in failed.value.message + failed.value.hint


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 Service Unavailable"])
def test_a_page_that_a_proxy_refuses_names_it(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Script(whole(b"no", status)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(BadFile, match="set by http_proxy"):
            page("http://192.0.2.2")
