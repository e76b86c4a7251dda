"""Own commands: what a file in the folder `commands` sends, and what is said of one that is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.commands import everything
from chatcli.commands.outcomes import Send
from chatcli.commands.own import OwnCommand
from chatcli.commands.perform import perform
from chatcli.errors import BadFile, NotFound, UnknownCommand
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from tests.commanding import Person, advised, do, said, shown
from tests.faults import Engine, Status
from tests.starting import run
from tests.test_terminal import terminal

REVIEW = """\
---
description: Review a change
model: demo-vision
system: "You review."
---
Review $1 of $2.

All: $ARGUMENTS
"""


@pytest.fixture
def folder(home: Path) -> Path:
    (home / "commands").mkdir(parents=True)
    return home / "commands"


@pytest.fixture
def chat(folder: Path, engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url, "model": "demo", "system": "You chat."}))
    yield opened
    opened.close()


def test_a_file_is_a_command_that_sends_its_text_with_the_arguments(chat: Session, folder: Path) -> None:
    (folder / "review.md").write_text("Review $1 of $2.\n\nAll: $ARGUMENTS\n")
    outcome = do(chat, 'review "main file" tests')
    assert outcome == Send('Review main file of tests.\n\nAll: "main file" tests', {})


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("Explain $ARGUMENTS.", "$1 and $ARGUMENTS", "Explain $1 and $ARGUMENTS."),
        ("It costs $100, $10 or $5 for $1", "me", "It costs $100, $10 or  for me"),
        ("[$1][$9]", "", "[][]"),
        ("Translate:", "good day", "Translate:\n\ngood day"),
        ("Translate:\n", "", "Translate:"),
        ("$ARGUMENTS_OLD $ARGUMENTS", "x", "$ARGUMENTS_OLD x"),
        ("$1", "it's", "it's"),
    ],
)
def test_arguments_are_put_where_the_text_has_a_place_for_them(text: str, arguments: str, message: str) -> None:
    assert OwnCommand("x", text, {}, "", Path("x.md")).expanded(arguments) == message


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_follows_the_name_is_sent_as_it_is(arguments: str) -> None:
    sent = OwnCommand("x", "<$ARGUMENTS>", {}, "", Path("x.md")).expanded(arguments)
    assert sent == f"<{arguments}>"


def test_its_settings_hold_for_its_message_only(chat: Session, folder: Path, engine: Engine) -> None:
    (folder / "review.md").write_text(REVIEW)
    perform(chat, do(chat, "review a b"), Person(chat))
    first = engine.chats[-1]
    assert first["model"] == "demo-vision"
    assert [each["content"] for each in first["messages"]] == ["You review.", "Review a of b.\n\nAll: a b"]
    perform(chat, Send("and now?"), Person(chat))
    assert engine.chats[-1]["model"] == "demo"
    assert engine.chats[-1]["messages"][0]["content"] == "You chat."
    stored = chat.store.conversation(chat.conversation.id).settings
    assert (stored["model"], stored["system"]) == ("demo", "You chat.")


def test_own_commands_are_listed_with_their_first_line_and_completed(chat: Session, folder: Path) -> None:
    (folder / "review.md").write_text(REVIEW)
    (folder / "haiku.md").write_text("\n# A haiku\n\non $ARGUMENTS")
    assert "own /haiku /review" in shown(do(chat, "help"))
    told = shown(do(chat, "help own"))
    assert "/review Review a change" in told
    assert "/haiku A haiku" in told
    assert "Review a change" in shown(do(chat, "help review"))
    assert {word.text: word.meaning for word, _ in everything().suggest(chat, "/hai")} == {"/haiku": "A haiku"}
    with pytest.raises(UnknownCommand) as caught:
        do(chat, "haikus")
    assert "/haiku" in advised(caught.value)
    (folder / "haiku.md").unlink()
    assert "haiku" not in shown(do(chat, "help own"))


BROKEN = {
    "an unknown key": (b"---\nmodel: demo\nmodle: x\n---\nhi", 'line 3: "modle" is none of its keys', "model"),
    "a wrong value": (b"---\nnum_ctx: many\n---\nhi", "line 2: num_ctx: ", ""),
    "a setting of the program": (b"---\nhost: elsewhere\n---\nhi", 'line 2: "host" is none', ""),
    "no colon": (b"---\n\nmodel\n---\nhi", "line 3: KEY: VALUE is expected", ""),
    "no end": (b"---\nmodel: demo\nhi", "line 1: the front matter has no end", ""),
    "no text": (b"hello\n\xff\xfe\xfa", "line 2: it is not UTF-8 text", "UTF-8"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_file_with_a_fault_is_named_with_its_line_and_the_others_work(
    what: str, chat: Session, folder: Path
) -> None:
    data, words, hint = BROKEN[what]
    (folder / "bad.md").write_bytes(data)
    (folder / "good.md").write_text("Good.")
    with pytest.raises(BadFile) as caught:
        do(chat, "bad")
    assert f"{folder / 'bad.md'}, {words}" in caught.value.message
    assert hint in advised(caught.value)
    assert words in shown(do(chat, "help own"))
    assert "/good (1 file with a fault)" in shown(do(chat, "help"))
    assert words in shown(do(chat, "doctor"))
    assert do(chat, "good") == Send("Good.", {})


@pytest.mark.parametrize("name", ["help", "q", "two words"])
def test_a_name_of_chatclis_own_or_none_that_can_be_typed_is_said(name: str, chat: Session, folder: Path) -> None:
    (folder / f"{name}.md").write_text("mine")
    assert f"{folder / name}.md: " in shown(do(chat, "help own"))
    assert "Rename the file." in shown(do(chat, "help own"))
    assert "/clear" in shown(do(chat, "help"))


def test_in_the_shell_it_is_sent_with_what_follows_and_what_is_piped_in(
    folder: Path, engine: Engine, tmp_path: Path
) -> None:
    (folder / "review.md").write_text(REVIEW.replace("$2", "@notes.txt"))
    (tmp_path / "notes.txt").write_text("the notes")
    place = {**os.environ, "OLLAMA_HOST": engine.url}
    done = run(["-t", "review", "it", "all"], place, b"piped in", str(tmp_path))
    assert done.returncode == 0, done.stderr
    request = engine.chats[-1]
    assert request["model"] == "demo-vision"
    assert request["messages"][0]["content"] == "You review."
    sent = request["messages"][-1]["content"]
    assert "Review it of @notes.txt" in sent.replace("`", "")
    assert "All: it all" in sent
    assert "the notes" in sent
    assert "piped in" in sent
    run(["-t", "review", "-m", "demo", "it"], place, None, str(tmp_path))
    assert engine.chats[-1]["model"] == "demo"
    wrong = run(["-t", "reveiw"], place)
    assert wrong.returncode == 2
    assert b'Did you mean "review"?' in wrong.stderr


def test_without_a_reply_the_line_is_back_as_it_was_typed(folder: Path, engine: Engine) -> None:
    (folder / "explain.md").write_text("Explain to a child: $ARGUMENTS")
    engine.script(Status(400, "no such thing"), path="/api/chat")
    with terminal("-m", "demo", url=engine.url) as person:
        person.see("Send a message")
        person.enter("/explain rain")
        person.see("no such thing")
        person.until(lambda: person.rows.count(">>> /explain rain") == 2)
        engine.say("Drops fall.")
        person.press("\r")
        person.see("Drops fall.")
        assert engine.chats[-1]["messages"][-1]["content"] == "Explain to a child: rain"


def test_without_own_commands_nothing_is_said_of_them(chat: Session) -> None:
    assert "own" not in shown(do(chat, "help")).split()
    with pytest.raises(NotFound, match="no own command"):
        everything().own().get("x")
    assert said(chat) == []
    assert chat.settings[table.MODEL] == "demo"
