"""Addresses with a user name and a password: the password reaches only the intended server."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chatcli import Chat, addresses
from chatcli.attachments.compose import compose
from chatcli.attachments.files import as_kept, without_passwords
from chatcli.client import address
from chatcli.client.fetch import fetch
from chatcli.errors import BadFile, BadValue, ChatcliError
from chatcli.prompt.history import LineHistory
from chatcli.session.session import Session
from tests import commanding
from tests.commanding import followed, shown
from tests.faults import Engine
from tests.raw_server import Script, whole
from tests.test_cli_oneshot import chatcli

SECRET = "S3CR3T"
PAGE = whole(b"A page.", "200 OK", "Content-Type: text/plain")
# Passwords as people have them, and as they should not write them.
PASSWORDS = [
    "S3CR3T",
    "S3CR3T'x",
    'a"S3CR3T',
    "p@S3CR3T",
    "a:S3CR3T",
    "100%S3CR3T",
    "a\\S3CR3T",
    "éS3CR3T",
    "a)S3CR3T]",
]
UNSOUND = ["a/S3CR3T", "a?S3CR3T", "a#S3CR3T", "a b S3CR3T", "/S3CR3T"]


def kept(home: Path, *but: str) -> bytes:
    """All that is on the disk."""
    return b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file() and file.name not in but)


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("http://u:s3cr3t'x@HOST/page", "http://HOST/page"),
        ("https://me@x.org", "https://x.org"),
        ("https://u:p@ss@x.org/@handle", "https://x.org/@handle"),
        ("HTTPS://U:P@X.org?q=a@b", "HTTPS://X.org?q=a@b"),
        ("https://u:p@[::1]:80/x#y@z", "https://[::1]:80/x#y@z"),
        ("https://u:a/b@x.org/c", "https://x.org/c"),
        ("https://u:/b@x.org", "https://x.org"),
        ("https://me@home.org:a/b@x.org/c", "https://x.org/c"),
        ("https:/u:p@x.org", "https:/x.org"),
        ("https:u:p@x.org", "https:x.org"),
        (r"https:\\u:p@x.org\a", r"https:\\x.org\a"),
        ("ftp://u:p@x.org", "ftp://x.org"),
        ("https://x.org/@handle", "https://x.org/@handle"),
        ("http://localhost:4873/@scope/it@1.2", "http://localhost:4873/@scope/it@1.2"),
        (r"C:\users\me@home", r"C:\users\me@home"),
        ("me@x.org", "me@x.org"),
    ],
)
def test_an_address_is_shown_without_user_and_password(written: str, bare: str) -> None:
    assert addresses.shown(written) == bare
    assert addresses.cleaned(f"Cannot reach {written}: gone") == f"Cannot reach {bare}: gone"


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        (
            "/file a.txt https://me:secret@x.org 'http://b:secret@y.org'",
            "/file a.txt https://x.org 'http://y.org'",
        ),
        ("/file https:/me:secret@x.org", "/file https:/x.org"),
        ('/file "https://me:a secret@x.org/b c"', '/file "https://x.org/b c"'),
        ("/file https://me:a secret@x.org", "/file https://x.org"),
        ("/set host http://me:secret@x.org", "/set host http://x.org"),
        ("/set host me:secret@x.org:11434", "/set host x.org:11434"),
        ("/set --always host http://me:se/cret@x.org", "/set --always host http://x.org"),
        ('/set parameter HOST "me:a secret@x.org"', '/set parameter HOST x.org"'),
        ("/pull http://me:secret@x.org/model", "/pull http://x.org/model"),
        ("//set host http://me:secret@x.org", "//set host http://me:secret@x.org"),
    ],
)
def test_the_line_history_keeps_no_password_of_a_command(line: str, cleaned: str, tmp_path: Path) -> None:
    assert as_kept(line) == cleaned
    history = LineHistory(tmp_path / "lines.db")
    history.add(line)
    assert history.lines() == [cleaned]


@pytest.mark.parametrize(
    "around",
    [
        "see @{}", "see @{}, please", "(@{})", "[page](@{})", "<@{}>", 'see @"{}"', "see @'{}'.", "a@{}", "`@{}`",
        "`fetch @{} now`", "```\nfetch @{}\n```", "first\n" + "a line\n" * 9 + "@{}\n" + "last\n", "@{0} and @{0}",
        "x" * 2000 + "\na @{}\nb",
    ],
)  # fmt: skip
@pytest.mark.parametrize("password", [*PASSWORDS, *UNSOUND])
def test_a_marked_address_loses_its_password_wherever_it_stands(around: str, password: str) -> None:
    if " " in password and re.search(r"`|line|xx|\(@|<@", around):
        pytest.skip("in code an address ends at a blank")
    text = around.format(f"https://me:{password}@x.org/page")
    assert SECRET not in without_passwords(text)
    assert without_passwords(text).startswith(text[:5])
    assert "x.org/page" in without_passwords(text)


@st.composite
def addressed(draw: st.DrawFn) -> tuple[str, str]:
    """A place, and an address of it with a password of odd characters around the secret."""
    odd = st.text(st.sampled_from("@:/%'\"\\ \tabé?#()[]{}<>|`*,.~&=+"), max_size=8)
    before, after = draw(odd), draw(odd)
    # What would name another host if it were read as it stands means that host.
    password = before + SECRET + after
    assume(not re.search(r"@[^/?#\s]*[/?#\s]", password) and not re.match(r"[\W_]*\s", password))
    user = draw(st.sampled_from(["me", "me.too", "me@home.org", "é", ""]))
    scheme = draw(st.sampled_from(["http://", "https://", "HTTP://", "hTTps:/", "https:", "https:\\\\"]))
    place = draw(st.sampled_from(["127.0.0.1:1/page", "[::1]:1", "127.0.0.1:1?a=b", "127.0.0.1:1/@x"]))
    return place, f"{scheme}{user}:{password}@{place}"


@given(addressed(), st.sampled_from(["@{}", "what is @{}", '@"{}"', "see @'{}'", "a line\n@{}\na line", "(@{})"]))
@settings(max_examples=300)
def test_no_password_however_odd_comes_through(address: tuple[str, str], around: str) -> None:
    _, written = address
    text = around.format(written)
    assert SECRET not in without_passwords(text)
    for line in (text, f"/file {written}", f'/file "{written}"', f"/set host {written}", f"/set host '{written}'"):
        assert SECRET not in as_kept(line)
    assert SECRET not in addresses.shown(written)
    assert SECRET not in as_host(written)


def as_host(written: str) -> str:
    """What is said of it as the server's address."""
    try:
        return address.shown(address.read(written, "--host"))
    except BadValue as error:
        return f"{error.message} {error.hint}"


@given(addressed())
@example(("127.0.0.1:1/page", "hTTps:/me:S3CR3T/'@127.0.0.1:1/page"))
@example(("127.0.0.1:1/page", "hTTps:/me:S3CR3T @127.0.0.1:1/page"))
@settings(max_examples=40)
def test_what_cannot_be_fetched_is_refused_without_its_password(address: tuple[str, str]) -> None:
    for text in (f"what is @{address[1]}", f'what is @"{address[1]}"'):
        try:
            said = compose(text, fetch).text
        except BadFile as error:
            said = f"{error.message} {error.hint} {error}"
        assert SECRET not in said


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_goes_to_its_server_whole(password: str) -> None:
    with Script(PAGE) as server:
        written = f"http://me:{password}@{server.address}/page"
        for text in (f"what is @{written}", f'what is @"{written}", please', f"@'{written}'"):
            composed = compose(text, fetch)
            assert [(each.name, each.data) for each in composed.attachments] == [
                (f"{server.url}/page", b"A page.")
            ]
            assert composed.text == text.replace(f"me:{password}@", "")
    sent = base64.b64encode(f"me:{password}".encode()).decode()
    assert [f"authorization: basic {sent}".lower() in head.lower() for head in server.heads] == [True] * 3


def test_what_is_written_in_percent_signs_is_undone_once() -> None:
    for written, sent in (("me:a%2Fb%25", "me:a/b%"), ("me", "me:"), ("me:", "me:"), ("a%3Ab:c", "a:b:c")):
        header = f"Basic {base64.b64encode(sent.encode()).decode()}"
        assert address.without_credentials(f"http://{written}@x.org/") == ("http://x.org/", header)


def test_an_error_quotes_no_password() -> None:
    error = ChatcliError("Get https://me:S3CR3T@x.org: no", "Try https://me:S3CR3T@x.org/.")
    assert SECRET not in f"{error} {error.message} {error.hint}"


@pytest.mark.parametrize(
    "lines",
    [["file {}"], ["set host {}", "set host", "set", "doctor"], ["set --always host {}", "set host", "set"]],
    ids=["file", "set host", "set always"],
)
def test_a_command_shows_and_stores_no_password(
    lines: list[str], engine: Engine, session: Session, home: Path
) -> None:
    host = f"http://me:{SECRET}'x@{engine.url.removeprefix('http://')}"
    for line in lines:
        told = shown(followed(session, commanding.do(session, line.format(f'"{host}"'))))
        assert SECRET not in told
    commanding.say(session, "hi")
    session.store.close()
    assert SECRET not in json.dumps(engine.chats)
    assert SECRET.encode() not in kept(home, "config.toml")


@pytest.mark.parametrize(
    "surface", ["prompt", "file", "host", "bad host", "config", "environment", "proxy", "missing"]
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_pipe_shows_sends_and_keeps_no_password(
    surface: str, as_json: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["--json"] if as_json else []
    with Engine() as engine, Script(PAGE) as server:
        credentials, place = f"me:{SECRET}'x@", engine.url.removeprefix("http://")
        url = engine.url
        match surface:
            case "prompt":
                asked = [f'see @"http://{credentials}{server.address}/page"']
            case "file":
                asked = ["-f", f"http://{credentials}{server.address}/page", "hi"]
            case "host":
                asked = ["--host", f"http://{credentials}{place}", "hi"]
            case "bad host":
                asked = ["--host", f"http://me:a/{SECRET}@{place}", "hi"]
            case "config":
                home.mkdir(exist_ok=True)
                (home / "config.toml").write_text(f'host = "{credentials}{place}"\n')
                asked = ["hi"]
            case "environment":
                asked, url = ["hi"], f"{credentials}{place}"
            case "proxy":
                monkeypatch.setenv("HTTP_PROXY", f"http://me:{SECRET}@127.0.0.1:1")
                asked = ["see @http://x.example/page"]
            case _:
                asked = [f"see @http://me:{SECRET}@127.0.0.1:1/page"]
        done = chatcli("-m", "demo", *more, *asked, url=url)
        assert (done.returncode == 0) is (surface not in {"bad host", "proxy", "missing"}), done.stderr
        assert SECRET not in done.stdout + done.stderr + json.dumps(engine.chats)
    assert SECRET.encode() not in kept(home, "config.toml")


def test_a_python_program_reads_what_a_text_names_as_the_prompt_does(engine: Engine, home: Path) -> None:
    def ask(chat: Chat, text: str, mentions: bool = True) -> str:
        chat.send(text, mentions=mentions)
        return str(engine.chats[-1]["messages"][-1]["content"])

    home.mkdir(exist_ok=True)
    (home / "notes.txt").write_text("The cat sleeps.")
    with Script(PAGE) as server, Chat("demo", host=f"http://me:{SECRET}@{engine.url[7:]}", save=True) as chat:
        asked = f"see @http://me:{SECRET}@{server.address}/page and @{home}/notes.txt"
        sent = ask(chat, asked)
        assert "A page." in sent
        assert "The cat sleeps." in sent
        assert sent.endswith(f"see @{server.url}/page and @{home}/notes.txt")
        assert len(server.heads) == 1
        assert ask(chat, asked, mentions=False) == f"see @{server.url}/page and @{home}/notes.txt"
        assert len(server.heads) == 1
        with pytest.raises(BadFile, match=r"no such\.png"):
            chat.send("what is './no such.png'")
        assert ask(chat, "what is './no such.png'", mentions=False) == "what is './no such.png'"
        assert SECRET not in str(chat.messages)
        for ending in (".md", ".json", ".html"):
            chat.save(home / f"chat{ending}")
    assert SECRET.encode() not in kept(home)
    assert SECRET not in json.dumps(engine.chats)
