"""From a path, a pattern or an address to what is sent with the message: /file, @mentions, --file, the library."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from chatcli import Chat
from chatcli.attachments.compose import attached, attaching, each_once
from chatcli.attachments.files import mentioned, sizes, without_passwords
from chatcli.client.fetch import fetch
from chatcli.commands.outcomes import Show, Watch
from chatcli.conversation.message import Attachment
from chatcli.errors import BadFile
from chatcli.prompt.history import LineHistory
from chatcli.session.session import Session
from chatcli.turn import ask
from tests import commanding
from tests.commanding import followed, shown
from tests.faults import Engine
from tests.papers import docx, paragraph, pdf
from tests.raw_server import Script, whole
from tests.test_cli_oneshot import chatcli

PAGE = whole("<title>Wale</title><p>Blauwale für alle.".encode(), "200 OK", "Content-Type: text/html")


def texts(*named: str, cwd: Path) -> dict[str, str]:
    return {each.name: each.data.decode() for each in attached(named, fetch, cwd)}


def test_a_path_a_pattern_and_an_address_all_become_text(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / "report.pdf").write_bytes(pdf(["Of whales"]))
    (tmp_path / "a.docx").write_bytes(docx(paragraph("Of foxes")))
    with Script(PAGE) as server:
        assert texts("latin.txt", "*.*f", "a.docx", server.url + "/w?x=1#part", cwd=tmp_path) == {
            "latin.txt": "Größe",
            "report.pdf": "# Page 1\n\nOf whales\n",
            "a.docx": "Of foxes\n",
            server.url + "/w?x=1": "# Wale\n\nBlauwale für alle.\n",
        }


def test_the_kind_is_judged_by_the_content(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(pdf(["Of whales"]))
    (tmp_path / "notes.pdf").write_text("only notes")
    assert texts("report.txt", "notes.pdf", cwd=tmp_path) == {
        "report.txt": "# Page 1\n\nOf whales\n",
        "notes.pdf": "only notes",
    }


def test_a_long_document_shows_how_far_it_is_and_a_text_is_just_there(tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(pdf(["one", "two"]))
    (tmp_path / "a.txt").write_text("text")
    steps = [(each.done, each.total, each.unit) for each in attaching(["report.pdf"], print, fetch, tmp_path)]
    assert steps == [(None, 2, "pages"), (1, 2, "pages"), (2, 2, "pages")]
    assert list(attaching(["a.txt"], print, fetch, tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "words"), [("none.txt", "There is no file"), (".", "is a folder"), ("*.rs", "No file fits")]
)
def test_what_cannot_be_read_is_said_with_what_to_do(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=words) as caught:
        attached([name], fetch, tmp_path)
    assert caught.value.hint


def test_a_file_that_is_attached_and_mentioned_goes_along_once(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("text")
    question = ask(session, "what is this", attached(["a.txt", "./a.txt", f"{tmp_path}/a.txt", "*.txt"], fetch))
    assert [each.name for each in question.message.attachments] == ["a.txt", "b.txt"]
    odd = tuple(Attachment("text", name, "", b"x") for name in ("~nobody/x", "a\0b", "https://x.example/~y", ""))
    assert each_once((*odd, *odd)) == odd


def test_nothing_is_attached_when_one_of_several_fails(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    outcome = commanding.do(session, f"file {tmp_path}/a.txt {tmp_path}/none.txt")
    assert isinstance(outcome, Watch)
    with pytest.raises(BadFile):
        followed(session, outcome)
    assert session.pending == ()


def test_a_page_is_attached_by_command_stored_and_sent(session: Session, engine: Engine) -> None:
    with Script(PAGE) as server:
        outcome = followed(session, commanding.do(session, f"file http://me:secret@{server.address}/w"))
    assert isinstance(outcome, Show)
    assert f"{server.url}/w" in shown(outcome)
    assert "secret" not in shown(outcome)
    ask(session, "What of whales?", tuple(session.pending))
    (kept,) = session.conversation.path()[0].message.attachments
    assert (kept.name, kept.data.decode()) == (f"{server.url}/w", "# Wale\n\nBlauwale für alle.\n")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see @a.txt, and @a.txt", ["a.txt"]),
        ("see @https://x.org/a_(b).", ["https://x.org/a_(b)"]),
        ("(see @HTTP://x.org/a?b=c#d)!", ["HTTP://x.org/a?b=c#d"]),
        ('"@https://x.org/"', []),
        ('see @"https://x.org/a b"', ["https://x.org/a b"]),
        ("see https://x.org and me@https://x.org", []),
        ("see @ftp://x.org, @b.txt, @https://", []),
        ("what does `fetch @https://x.org` do", []),
        ("read this:\n" + "a line @https://x.org/pasted\n" * 9 + "the end", []),
        ("read @https://x.org/mine\n" + "a line of a paste\n" * 9, ["https://x.org/mine"]),
    ],
)
def test_only_what_is_marked_with_an_at_sign_is_meant(text: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    found, _ = mentioned(text, tmp_path)
    assert [each.name for each in found] == names


def test_sizes_are_told_of_texts_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "a.pdf").write_bytes(pdf(["x"]))
    assert sizes("@a.txt @a.pdf @https://x.org/", tmp_path) == [4]


@pytest.mark.parametrize(
    ("line", "cleaned"),
    [
        ("@https://me:secret@x.org/ what", "@https://x.org/ what"),
        ("so @http://secret@x.org @https://a:secret@y.org", "so @http://x.org @https://y.org"),
        ("why does https://me:word@x.org fail", "why does https://me:word@x.org fail"),
        ("@https://x.org/@handle", "@https://x.org/@handle"),
    ],
)
def test_passwords_in_addresses_to_be_fetched_are_not_kept(line: str, cleaned: str, tmp_path: Path) -> None:
    assert without_passwords(line) == cleaned
    history = LineHistory(tmp_path / "lines.db")
    history.add(line)
    assert history.lines() == [cleaned]
    if "secret" in line:
        with sqlite3.connect(tmp_path / "lines.db") as database:
            assert "secret" not in "".join(database.iterdump())
        database.close()


def test_a_pipe_takes_files_and_addresses_by_flag_and_by_mention(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The cat sleeps.")
    with Engine() as engine, Script(PAGE) as server:
        engine.say("Yes.")
        done = chatcli(
            "-m", "demo", "--file", "a.txt", f"is that so? @http://me:secret@{server.address}/w",
            url=engine.url, stdin="I ask:", cwd=tmp_path,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "Yes.\n")
        assert done.stderr == f"Fetching {server.url}/w\n"
        content = engine.chats[0]["messages"][-1]["content"]
    assert "The cat sleeps." in content
    assert "Blauwale für alle." in content
    assert content.endswith(f"I ask:\n\nis that so? @{server.url}/w")
    assert "secret" not in content


def test_a_file_alone_is_sent_and_json_stays_alone_on_stdout(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The cat sleeps.")
    with Engine() as engine, Script(PAGE) as server:
        done = chatcli("-m", "demo", "--json", "-f", str(tmp_path / "a.txt"), "-f", server.url, url=engine.url)
        assert json.loads(done.stdout)["content"]
        assert done.stderr == ""
        assert "The cat sleeps." in engine.chats[0]["messages"][-1]["content"]


def test_a_page_that_fails_ends_a_pipe_before_anything_is_sent() -> None:
    with Engine() as engine, Script(whole(b"", "404 Not Found")) as server:
        done = chatcli("-m", "demo", f"what is @{server.url}/x", url=engine.url)
        assert done.returncode == 2
        assert "there is nothing of that name (404)" in done.stderr
        assert engine.chats == []


def test_an_address_in_ordinary_words_is_not_fetched() -> None:
    with Engine() as engine, Script(PAGE) as server:
        engine.say("A page.")
        assert chatcli("-m", "demo", f"what is {server.url}/x", url=engine.url).returncode == 0
        assert server.heads == []


def test_a_python_program_attaches_the_same_things(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(pdf(["Of whales"]))
    with Chat("demo", host=engine.url) as chat:
        engine.say("Whales.")
        assert chat.send("Of what?", files=[tmp_path / "report.pdf"]) == "Whales."
    assert "Of whales" in engine.chats[-1]["messages"][-1]["content"]
