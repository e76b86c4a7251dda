"""Servers by name: [hosts.NAME] of the settings file, with headers, token and certificates, none of them shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcli.client.ollama import Client
from chatcli.commands import everything
from chatcli.errors import BadValue, ConfigError, NotFound, Unreachable
from chatcli.paths import find_paths
from chatcli.session import named_hosts
from chatcli.session.build import Wishes, build
from chatcli.session.named_hosts import find_server, remarks
from chatcli.session.session import Session
from chatcli.session.wishes import read_settings
from chatcli.settings import table
from tests.commanding import do, say, shown
from tests.faults import Cut, Engine, Status
from tests.raw_server import Script
from tests.starting import run
from tests.test_client_access import VERSION, certificate
from tests.test_terminal import terminal

TOKEN, HEADER = "t0ken-a81c", "s3cret-77fe"
PRINTS = [sys.executable, "-c", f"print('{TOKEN}')"]


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    return home / "config.toml"


def host(file: Path, url: str, *lines: str, name: str = "gpu") -> None:
    with file.open("a") as out:
        out.write("\n".join([f"[hosts.{name}]", f'address = "{url}"', *lines, ""]))


def client_of(name: str, **values: object) -> Client:
    settings = read_settings(find_paths(), Wishes({"host": name, **values}))
    server = find_server(settings, find_paths())
    access = server.access()
    return Client(server.url, headers=access.headers, trust=access.trust)


def sent(engine: Engine, name: str = "gpu") -> dict[str, str]:
    with client_of(name) as client:
        client.version()
    return dict(engine.requests[-1].headers)


@pytest.fixture
def secret(file: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host "gpu" whose token and header appear nowhere but in its requests, and in the settings file."""
    monkeypatch.setenv("GPU_TOKEN", TOKEN)
    host(file, engine.url, 'token_env = "GPU_TOKEN"', f'headers = {{ X-Key = "{HEADER}" }}')
    yield
    files = [path for path in file.parent.rglob("*") if path.is_file() and path != file]
    assert files
    for path in files:
        data = path.read_bytes()
        assert TOKEN.encode() not in data, path
        assert HEADER.encode() not in data, path


def test_a_host_by_name_gets_its_headers_and_the_token_of_a_variable(
    file: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    host(file, engine.url, 'token_env = "GPU_TOKEN"', 'headers = { X-Key = "abc" }')
    monkeypatch.setenv("GPU_TOKEN", TOKEN)
    headers = sent(engine)
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["x-key"] == "abc"
    monkeypatch.delenv("GPU_TOKEN")
    with pytest.raises(BadValue, match=r"GPU_TOKEN, which hosts\.gpu names"):
        client_of("gpu")


def test_a_token_command_prints_the_token(file: Path, engine: Engine) -> None:
    host(file, engine.url, f"token_command = {json.dumps(PRINTS)}")
    assert sent(engine)["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (f"import sys; print('{TOKEN}'); sys.exit(3)", "failed (exit code 3)"),
        (f"import time; print('{TOKEN}', flush=True); time.sleep(60)", "did not end within"),
        ("import time; time.sleep(60)", "did not end within"),
        (f"print('{TOKEN} and more')", "gives no token"),
        ("pass", "printed nothing"),
        ("print('ü')", "gives no token"),
    ],
)
def test_a_token_command_that_fails_is_said_and_what_it_printed_is_not(
    file: Path, program: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_hosts, "PATIENCE", 1.0 if "sleep" in program else 20.0)
    host(file, "127.0.0.1:1", f"token_command = {json.dumps([sys.executable, '-c', program])}")
    with pytest.raises(BadValue) as caught:
        client_of("gpu")
    assert said in caught.value.message
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


def test_a_token_command_that_is_not_there_is_said(file: Path) -> None:
    host(file, "127.0.0.1:1", 'token_command = "no-such-program-at-all show"')
    with pytest.raises(BadValue, match=r"token_command of hosts\.gpu cannot be started"):
        client_of("gpu")


def test_an_unknown_name_gets_the_nearest_and_all_that_there_are(file: Path, session: Session) -> None:
    host(file, "127.0.0.1:1")
    host(file, "127.0.0.1:2", name="cellar")
    with pytest.raises(NotFound) as caught:
        build(Wishes({"host": "gpuu"}))
    assert "Did you mean gpu? There are: gpu, cellar." in caught.value.hint
    before = session.server.url
    with pytest.raises(NotFound):
        do(session, "set host gpuu")
    assert session.server.url == before
    assert session.settings.written(table.HOST) == before


@pytest.mark.parametrize("named", ["box:11434", "http://box", "10.0.0.5", "localhost", "box.lan"])
def test_an_address_stays_an_address(file: Path, named: str) -> None:
    host(file, "127.0.0.1:1")
    assert find_server(read_settings(find_paths(), Wishes({"host": named})), find_paths()).name == ""


def test_without_hosts_in_the_file_a_word_is_the_name_of_a_machine() -> None:
    assert (
        find_server(read_settings(find_paths(), Wishes({"host": "box"})), find_paths()).url == "http://box:11434"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'token = "{TOKEN}"', "no such key"),
        (f'headers = "X-Key: {TOKEN}"', "a table of texts"),
        (f'headers = ["{TOKEN}"]', "a table of texts"),
        (f'headers = {{ X-Key = ["{TOKEN}"] }}', "a table of texts"),
        (f'headers = {{ "X Key" = "{TOKEN}" }}', "a table of texts"),
        (f'headers = {{ X-Key = "{TOKEN}\\n" }}', "has a value with characters that no header has"),
    ],
)
def test_a_host_with_a_fault_is_named_with_its_line_and_no_value_of_it(file: Path, line: str, said: str) -> None:
    host(file, "127.0.0.1:1", line)
    with pytest.raises(ConfigError) as caught:
        build(Wishes({"host": "gpu"}))
    text = f"{caught.value.message} {caught.value.hint}"
    assert said in text
    assert "line 3: hosts.gpu" in text
    assert TOKEN not in text


def test_a_host_without_an_address_is_said(file: Path) -> None:
    file.write_text("[hosts.gpu]\nverify = true\n")
    with pytest.raises(ConfigError, match=r"line 1: hosts\.gpu: it has no address"):
        build(Wishes({"host": "gpu"}))


def test_set_host_switches_by_name_and_completion_knows_the_names(
    file: Path, session: Session, secret: None, engine: Engine
) -> None:
    assert [word.text for word, _ in everything().suggest(session, "/set host g")] == ["gpu"]
    do(session, "set host gpu")
    say(session, "hello")
    assert engine.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    assert "the host gpu" in shown(do(session, "doctor"))


def test_an_own_authority_is_trusted_for_its_host_alone(file: Path, tmp_path: Path) -> None:
    with certificate(tmp_path) as (context, cert), Script(VERSION, context) as script:
        (file.parent / "own.pem").write_bytes(cert.read_bytes())
        host(file, script.url, 'ca = "own.pem"')
        host(file, script.url, name="other")
        with client_of("gpu") as client:
            assert client.version() == "1.2.3"
        with client_of("other") as client, pytest.raises(Unreachable, match="certificate is not trusted"):
            client.version()


@pytest.mark.parametrize("ca", ["", "missing.pem"])
def test_a_certificate_of_another_authority_or_a_file_that_is_none_is_said(
    file: Path, tmp_path: Path, ca: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with (
        certificate(tmp_path) as (context, _),
        certificate(other) as (_, cert),
        Script(VERSION, context) as script,
    ):
        host(file, script.url, f'ca = "{ca or cert}"')
        with client_of("gpu") as client, pytest.raises(Unreachable, match=r"ca of hosts\.gpu"):
            client.version()


@pytest.mark.parametrize("way", ["verify", "insecure"])
def test_a_certificate_is_not_checked_only_where_that_is_asked_for_and_said(
    file: Path, tmp_path: Path, way: str
) -> None:
    with certificate(tmp_path) as (context, _), Script(VERSION, context) as script:
        host(file, script.url, *(["verify = false"] if way == "verify" else []))
        values = {"insecure": True} if way == "insecure" else {}
        with client_of("gpu", **values) as client:
            assert client.version() == "1.2.3"
        settings = read_settings(find_paths(), Wishes({"host": "gpu", **values}))
        told = remarks(find_server(settings, find_paths()), settings, find_paths())
        assert len(told) == 1
        assert "certificate" in str(told[0])


def test_a_secret_over_plain_http_to_another_machine_is_said(file: Path) -> None:
    host(file, "http://box.example:11434", 'token_env = "GPU_TOKEN"')
    settings = read_settings(find_paths(), Wishes({"host": "gpu"}))
    assert "not encrypted" in str(remarks(find_server(settings, find_paths()), settings, find_paths()))
    file.write_text("")
    host(file, "127.0.0.1:11434", 'token_env = "GPU_TOKEN"')
    assert remarks(find_server(settings, find_paths()), settings, find_paths()) == []


@pytest.mark.usefixtures("secret")
def test_nothing_that_the_program_writes_has_token_or_headers(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question, its export, the doctor and failures, in a pipe; the fixture reads all files."""
    flags = ["--host", "gpu", "-m", "demo"]
    asked: list[list[str]] = [
        ["--json", *flags, "hello"],
        [*flags, "--verbose", "hello"],
        ["doctor", "--host", "gpu"],
        ["models", "--host", "gpu"],
        ["chats", "export", "--last", "--format", "json", "--host", "gpu"],
        ["--json", *flags, "fails"],
        [*flags, "breaks off"],
    ]
    for arguments in asked:
        if "fails" in arguments:
            engine.script(Status(401, "no"))
        if "breaks off" in arguments:
            engine.script(Cut(after=1))
        done = run(arguments, dict(os.environ), b"")
        written = (done.stdout + done.stderr).decode()
        assert written
        assert TOKEN not in written
        assert HEADER not in written
    assert {each.headers.get("authorization") for each in engine.requests} == {f"Bearer {TOKEN}"}


@pytest.mark.usefixtures("secret")
def test_nothing_on_the_screen_has_token_or_headers(engine: Engine) -> None:
    with terminal("-m", "demo", "--host", "gpu", url="http://127.0.0.1:1") as person:
        engine.say("Here I am.")
        person.see("Send a message")
        person.enter("hello")
        person.see("Here I am.")
        person.enter("/set host")
        text = person.see("host = gpu")
        person.enter("/doctor")
        text += person.see("the host gpu")
        person.enter("/bye")
        assert person.ends() == 0
    assert TOKEN not in text
    assert HEADER not in text


def test_a_profile_with_an_unknown_host_changes_nothing(file: Path, session: Session) -> None:
    host(file, "127.0.0.1:1")
    with file.open("a") as out:
        out.write('[profiles.far]\nhost = "gpuu"\nseed = 7\n')
    before = session.settings.values()
    with pytest.raises(NotFound):
        do(session, "profile far")
    assert session.settings.values() == before


def test_the_doctor_says_that_a_certificate_is_not_verified_also_when_nothing_answers(file: Path) -> None:
    host(file, "https://127.0.0.1:1", "verify = false")
    done = run(["doctor", "--host", "gpu"], dict(os.environ), b"")
    assert b"The certificate of gpu is not verified" in done.stdout


def test_a_download_from_a_registry_without_a_certificate_is_asked_for(engine: Engine) -> None:
    for flags in ([], ["--insecure"]):
        run(["pull", "llama3.2", "--host", engine.url, *flags], dict(os.environ), b"")
    assert [each.body.get("insecure") for each in engine.requests if each.path == "/api/pull"] == [None, True]
