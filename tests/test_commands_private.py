"""/private: nothing of what is said is kept anywhere, and it can be ended, or kept after all."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatcli.commands.outcomes import Confirm, Show
from chatcli.errors import UserError
from chatcli.repl.toolbar_data import meter
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from tests.commanding import do, said, say, shown
from tests.faults import Engine
from tests.test_cli_oneshot import chatcli
from tests.test_terminal import terminal

SECRET, ANSWER = "the pangolin sings at midnight", "so the okapi has told me"


def leaked(home: Path) -> list[str]:
    """The files that have some of these words, however they are stored."""
    needles = [word.encode() for word in ("pangolin", "okapi")]
    files = [path for path in home.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(needle in path.read_bytes().lower() for needle in needles)]


def test_nothing_of_a_private_conversation_is_in_any_file(home: Path) -> None:
    with Engine() as engine:
        engine.say("Hello.", ANSWER, "Goodbye.")
        with terminal("-m", "demo", url=engine.url) as person:
            person.see("demo")
            person.enter("hello there")
            person.see("Hello.")
            person.enter("/private")
            person.see("A private conversation", "not saved")
            person.enter(SECRET)
            person.see(ANSWER)
            person.enter("/private --end")
            person.see("is lost then")
            person.enter("y")
            person.see("The private conversation is gone")
            person.enter("goodbye now")
            person.see("Goodbye.")
            person.enter("/bye")
            person.ends()
        assert [messages["content"] for messages in engine.chats[-1]["messages"]] == ["goodbye now"]
        engine.say(ANSWER)
        assert chatcli("-m", "demo", "--private", SECRET, url=engine.url).stdout == f"{ANSWER}\n"
    assert leaked(home) == []
    with Engine() as engine, terminal("-m", "demo", "--private", url=engine.url) as person:
        person.see("not saved")
    with Engine() as engine:
        chatcli("-m", "demo", SECRET, url=engine.url)
    assert leaked(home), "what is kept is found by this search"


def test_a_private_conversation_begins_and_ends_with_new_ones(session: Session, engine: Engine) -> None:
    say(session, "hello")
    before = session.conversation.id
    do(session, "private")
    assert session.conversation.tip is None
    assert meter(session).notes[0] == "not saved"
    say(session, SECRET)
    ending = do(session, "private --end")
    assert isinstance(ending, Confirm)
    assert said(session)[0] == SECRET
    ending.then()
    assert session.conversation.tip is None
    assert session.settings[table.SAVE]
    assert [entry.id for entry in session.store.entries(demo=False)] == [before]
    with pytest.raises(UserError, match="not private"):
        do(session, "private --end")


def test_ending_it_stores_again_though_a_flag_has_begun_it(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "save": "off"}))
    try:
        assert isinstance(do(session, "private --end"), Show)
        say(session, "hello")
        assert session.settings[table.SAVE]
        assert session.store.last(demo=False) == session.conversation.id
    finally:
        session.close()


def test_save_keeps_it_after_all_when_the_person_says_so(session: Session, engine: Engine, tmp_path: Path) -> None:
    do(session, "private")
    say(session, SECRET)
    do(session, f"save {tmp_path / 'talk.md'}")
    assert SECRET in (tmp_path / "talk.md").read_text(encoding="utf-8")
    assert not session.settings[table.SAVE]
    asked = do(session, "save Animals")
    assert isinstance(asked, Confirm)
    assert not session.settings[table.SAVE]
    assert 'Named "Animals"' in shown(asked.then())
    assert session.settings[table.SAVE]
    assert [entry.title for entry in session.store.entries(demo=False)] == ["Animals"]
    assert said(session)[0] == SECRET


def test_it_begins_with_the_model_that_was_used_last(engine: Engine) -> None:
    for wishes in ({"model": "demo-thinking"}, {"save": "off"}):
        session = build(Wishes({"host": engine.url, **wishes}))
        if "save" not in wishes:
            say(session, "hello")
        assert session.settings[table.MODEL] == "demo-thinking"
        session.close()
