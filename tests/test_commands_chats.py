"""Conversations in lists, searches, files, models and the trash, in the chat and in the shell, on a real store."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chatcli.cli import main
from chatcli.commands import everything
from chatcli.commands.chats import open_named, title_in
from chatcli.commands.outcomes import Choose, Confirm, Opened, Watch
from chatcli.commands.share import EXPORTS, take_in
from chatcli.conversation.message import Message
from chatcli.errors import BadArgument, BadFile, ChatcliError, Missing, NotFound, UserError
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store.import_chat import chat_of
from tests.commanding import do, followed, said, say, shown, twigs_of
from tests.faults import Cut, Engine, Status


@pytest.fixture
def stored(session: Session, engine: Engine) -> Session:
    """Two conversations, whales and (on the table) snails."""
    engine.say("Whales are mammals.", "Snails are slow.")
    say(session, "tell me of whales")
    do(session, "clear")
    say(session, "tell me of snails")
    return session


# Inside


def test_chats_lists_the_newest_first_and_marks_the_one_on_the_table(stored: Session) -> None:
    rows = shown(do(stored, "chats")).splitlines()
    assert rows[0].startswith("* 2 tell me of snails 2")
    assert rows[1].startswith(" 1 tell me of whales 2")
    assert rows[0].endswith("demo")
    assert len(shown(do(stored, "chats 1")).splitlines()) == 1


def test_search_shows_hits_in_their_place(stored: Session) -> None:
    title, before, hit = shown(do(stored, "search mammals")).splitlines()
    assert title.startswith('/goto @2 · "tell me of whales" · ')
    assert before.split() == ["1", "you:", "tell", "me", "of", "whales"]
    assert hit == "> 2 reply: Whales are mammals."
    assert "not found" in shown(do(stored, "search mammals --here"))
    assert "Snails are slow" in shown(do(stored, "search slow --here"))
    assert "mammals" in shown(do(stored, 'search "are mammals"'))
    assert "not found" in shown(do(stored, "search dragonfly"))
    with pytest.raises(BadArgument):
        do(stored, "search")


def test_what_a_hit_says_to_type_goes_there(stored: Session, engine: Engine) -> None:
    """A hit in another conversation, one on the path, and one on another branch."""
    engine.say("Snails are snails.", "Because.")
    followed(stored, do(stored, "retry"))
    say(stored, "why")
    end = stored.conversation.tip
    for words, leads_to in (("mammals", "mammals."), ("tell of snails", "snails"), ("slow", "slow.")):
        title = shown(do(stored, f"search {words}")).splitlines()[0]
        go, _, where = title.removeprefix("/").partition(" · ")
        assert ("another branch" in where) is (words == "slow")
        assert isinstance(do(stored, go), Opened)
        last = stored.conversation.last
        assert last is not None
        assert last.message.text.endswith(leads_to)
        do(stored, f"goto @{end}")
    assert "/goto 1 ·" in shown(do(stored, "search tell"))


def test_the_neighbours_of_a_hit_are_those_on_its_path(stored: Session, engine: Engine) -> None:
    engine.say("Because.")
    say(stored, "why")
    do(stored, "goto 2")
    say(stored, "how slow")
    do(stored, "back")
    lines = shown(do(stored, "search slow --here")).splitlines()
    assert [line for line in lines if line.endswith("you: why")] != []


def test_an_address_that_leads_nowhere_is_said(stored: Session) -> None:
    for line in ("goto @99", "load @99", "goto @" + "9" * 30):
        with pytest.raises(NotFound):
            do(stored, line)
    do(stored, "delete 1 --yes")
    with pytest.raises(NotFound):
        do(stored, "goto @1")


def test_search_here_needs_a_conversation(session: Session) -> None:
    with pytest.raises(UserError):
        do(session, "search x --here")


def test_a_conversation_is_renamed(stored: Session) -> None:
    do(stored, "rename don't   hurry")
    assert stored.conversation.title == "don't hurry"
    assert stored.store.find("don't hurry")


def test_a_title_comes_from_the_first_words_or_from_the_model_aside(stored: Session, engine: Engine) -> None:
    do(stored, "rename x")
    assert "tell me of snails" in shown(do(stored, "title"))
    before = said(stored)
    engine.say('**Title: "On Slowness"**\nIt is about snails.')
    outcome = do(stored, "title --ask")
    assert isinstance(outcome, Watch)
    assert "On Slowness" in shown(followed(stored, outcome))
    assert stored.conversation.title == "On Slowness"
    assert said(stored) == before
    assert len(twigs_of(stored.store, stored.conversation.id)) == 2
    asked = engine.chats[-1]
    assert asked["messages"][:2] == engine.chats[-2]["messages"] + [{"role": "assistant", "content": before[1]}]
    assert asked["options"]["num_ctx"] == engine.chats[-2]["options"]["num_ctx"]
    assert asked["truncate"] is False


@pytest.mark.parametrize(
    ("answer", "title"),
    [("Whales", "Whales"), ("\n# The *Sea*.\n", "The *Sea"), ("Title: Big fish", "Big fish"), ("...\n", "")],
)
def test_a_title_is_found_in_what_the_model_says(answer: str, title: str) -> None:
    assert title_in(answer) == title


def test_delete_asks_and_puts_into_the_trash(stored: Session) -> None:
    outcome = do(stored, "delete tell me of whales")
    assert isinstance(outcome, Confirm)
    assert "whales" in outcome.question
    assert stored.store.find("whales")
    outcome.then()
    assert not stored.store.find("whales")
    here = do(stored, "delete")
    assert isinstance(here, Confirm)
    here.then()
    assert stored.conversation.tip is None
    assert [entry.title for entry in stored.store.trash()] == ["tell me of snails", "tell me of whales"]
    with pytest.raises(NotFound):
        do(stored, "delete tell me of whales")


def test_several_that_fit_are_asked_about(stored: Session) -> None:
    for name in ("load tell", "delete tell"):
        outcome = do(stored, name)
        assert isinstance(outcome, Choose)
        assert len(outcome.choices) == 2


def test_a_title_of_several_words_is_completed_whole(stored: Session) -> None:
    ((word, replaced),) = everything().suggest(stored, "/load tell me of w")
    assert (word.text, replaced) == ("tell me of whales", len("tell me of w"))


def test_resume_opens_by_name_or_asks_with_the_last_words(stored: Session) -> None:
    assert isinstance(open_named(stored, "@1"), Opened)
    assert said(stored) == ["tell me of whales"]
    assert isinstance(open_named(stored, "tell me of whales"), Opened)
    assert said(stored)[0] == "tell me of whales"
    outcome = open_named(stored, "")
    assert isinstance(outcome, Choose)
    assert outcome.choices == ("tell me of snails", "tell me of whales")
    assert outcome.detail is not None
    title, question, reply = outcome.detail(0)
    assert title.startswith("tell me of snails  (2 messages · ")
    assert title.endswith(" · demo)")
    assert (question, reply) == ("you: tell me of snails", "demo: Snails are slow.")
    assert outcome.find is not None
    assert outcome.find("mammals") == [1]
    again = do(stored, "load")
    assert isinstance(again, Choose)
    assert again.choices == outcome.choices
    with pytest.raises(NotFound):
        open_named(stored, "dragonfly")


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("Asia/Tokyo", datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
        ("America/New_York", datetime(1, 1, 1, tzinfo=UTC)),
    ],
    ids=["last", "first"],
)
def test_a_stored_date_at_the_end_of_the_calendar_does_no_harm(
    session: Session, monkeypatch: pytest.MonkeyPatch, zone: str, date: datetime
) -> None:
    """An earlier version took such dates in."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        taken = chat_of([Message.user("whales sing"), Message.assistant("They do.")], "old")
        taken.conversation.nodes = {
            at: replace(node, created=date) for at, node in taken.conversation.nodes.items()
        }
        number = take_in(session, taken).id
        assert "old" in shown(do(session, "chats"))
        assert "old" in shown(do(session, "search whales"))
        assert isinstance(do(session, f"load {number}"), Opened)
        assert "They do" in shown(do(session, "branches"))
        for question in ("what of whales in 9999-12", "and in 0000-05-03"):
            say(session, question)
    finally:
        monkeypatch.undo()
        time.tzset()


# Files and models


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_what_was_exported_comes_back_with_all_its_branches(stored: Session, tmp_path: Path, ending: str) -> None:
    followed(stored, do(stored, "retry"))
    file = tmp_path / f"my chat.{ending}"
    do(stored, f"save {file}")
    before = twigs_of(stored.store, stored.conversation.id)
    number = stored.conversation.id
    stored.store.delete(number)
    assert do(stored, f"import {file}") == Opened()
    after = twigs_of(stored.store, stored.conversation.id)
    assert stored.conversation.id != number
    assert [(twig.number, twig.beginning, twig.model) for twig in after] == [
        (twig.number, twig.beginning, twig.model) for twig in before
    ]
    assert stored.conversation.title == "tell me of snails"


def test_an_import_says_its_repairs_and_keeps_the_model(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([{"content": "who said this"}, {"role": "assistant"}]))
    outcome = do(session, f"import {file}")
    assert isinstance(outcome, Opened)
    assert str(outcome.note).count("Repaired:") == 2
    assert said(session) == ["who said this", ""]
    assert session.conversation.title == "who said this"
    assert session.settings[table.MODEL] == "demo"


@pytest.mark.parametrize(
    ("messages", "title"),
    [
        ([{"role": "user", "content": " "}, {"role": "assistant", "content": "Hello"}], "Hello"),
        ([{"role": "user", "content": ""}, {"role": "user", "content": "well"}], "well"),
        ([{"role": "user", "content": "\u200b"}], "(no words)"),
    ],
)
def test_an_import_has_a_title_whatever_is_in_it(
    session: Session, tmp_path: Path, messages: list[dict[str, str]], title: str
) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps(messages))
    do(session, f"import {file}")
    assert [entry.title for entry in session.store.entries()] == [title]


def test_several_conversations_in_one_file_are_all_taken_in(session: Session, tmp_path: Path) -> None:
    chats = [{"title": name, "messages": [{"role": "user", "content": name}]} for name in ("a", "b")]
    file = tmp_path / "all.json"
    file.write_text(json.dumps(chats))
    assert "2 conversations" in shown(do(session, f"import {file}"))
    assert {entry.title for entry in session.store.entries()} == {"a", "b"}


def test_what_is_no_conversation_is_refused(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("[]")
    with pytest.raises(UserError, match="no message"):
        do(session, f"import {file}")
    with pytest.raises(BadFile):
        do(session, "import /no/such/file.json")
    with pytest.raises(BadArgument):
        do(session, "import")
    assert session.store.entries() == []


def test_a_conversation_becomes_a_model_and_comes_back_out_of_it(stored: Session, engine: Engine) -> None:
    do(stored, "system Be brief.")
    assert "begins with this conversation" in shown(followed(stored, do(stored, "save --model snail-chat")))
    made = next(received.body for received in engine.requests if received.path == "/api/create")
    assert (made["model"], made["from"], made["system"]) == ("snail-chat", "demo", "Be brief.")
    assert [each["content"] for each in made["messages"]] == said(stored)
    assert isinstance(do(stored, "save --model snail-chat"), Confirm)
    assert isinstance(do(stored, "import --model snail-chat"), Opened)
    assert said(stored) == ["tell me of snails", "Snails are slow."]
    assert stored.settings[table.MODEL] == "demo"
    assert stored.settings[table.SYSTEM] == "Be brief."
    assert stored.conversation.title == "snail-chat"
    with pytest.raises(UserError, match="no messages"):
        do(stored, "import --model demo")
    with pytest.raises(Missing):
        do(stored, "import --model nope")


def test_what_a_models_own_modelfile_says_is_not_taken_for_the_conversation(
    session: Session, engine: Engine
) -> None:
    do(session, "model demo-brief")
    engine.say("Seven.")
    say(session, "a prime")
    followed(session, do(session, "save --model prime-chat"))
    made = next(received.body for received in engine.requests if received.path == "/api/create")
    assert len(made["messages"]) > 2
    assert isinstance(do(session, "import --model prime-chat"), Opened)
    assert said(session) == ["a prime", "Seven."]
    assert session.conversation.settings["model"] == "demo-brief"


def test_an_html_page_is_highlighted_and_harmless(session: Session, engine: Engine, tmp_path: Path) -> None:
    engine.say("# Hi\n\n<script>alert(1)</script>\n\n```python\nprint(1)\n```\n\n[x](javascript:alert(1))")
    say(session, "go <b>")
    file = tmp_path / "page.html"
    do(session, f"save {file}")
    page = file.read_text()
    assert "<h1>Hi</h1>" in page
    assert '<span class="nb">print</span>' in page
    assert "<script" not in page
    assert 'href="javascript' not in page
    assert "go &lt;b&gt;" in page


class _Labels(HTMLParser):
    """The elements of a page with their texts, by tag and class; and what it would fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.outside: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in {"meta", "img", "link"}:
            self._open.append((tag, given.get("class") or ""))
        if tag in {"script", "link", "iframe"} or not (given.get("src") or "data:").startswith("data:"):
            self.outside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, kind = self._open[-1]
            self.found.append((kind or tag, data))


def test_a_page_has_dates_and_a_heading_of_a_reply_is_no_speaker(
    session: Session, engine: Engine, tmp_path: Path
) -> None:
    engine.say("## You\n\nThat is a heading.\n\n# Second")
    say(session, "## Assistant")
    file = tmp_path / "page.html"
    do(session, f"save {file}")
    labels = _Labels(file.read_text())
    assert [text for kind, text in labels.found if kind == "who"] == ["You", "demo"]
    assert ("h2", "You") in labels.found
    days = [text for kind, text in labels.found if kind == "time"]
    assert len(days) == 2
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", day) for day in days)
    assert any(kind == "about" and "demo · 2 messages" in text for kind, text in labels.found)
    assert labels.outside == []


# In the shell


def shell(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main.run(words)
    out, err = capfd.readouterr()
    return code, out, err


@pytest.fixture
def closed(stored: Session) -> Session:
    stored.close()
    return stored


@pytest.mark.usefixtures("closed")
def test_the_shell_lists_searches_shows_and_renames(capfd: pytest.CaptureFixture[str]) -> None:
    assert "tell me of snails" in shell(capfd, "chats")[1]
    out = shell(capfd, "chats", "search", "mammals")[1]
    assert out.startswith('chatcli --resume @2 · "tell me of whales"')
    assert "tell me of whales" in shell(capfd, "chats", "search", "mamm*")[1]
    code, out, _ = shell(capfd, "chats", "show", "tell", "me", "of", "whales")
    assert (code, "Whales are mammals." in out) == (0, True)
    shell(capfd, "chats", "rename", "1", "sea", "mammals")
    assert "sea mammals" in shell(capfd, "chats", "1")[1] + shell(capfd, "chats")[1]


@pytest.mark.usefixtures("closed")
def test_the_shell_lists_by_either_name(capfd: pytest.CaptureFixture[str]) -> None:
    for words in ((), ("1",), ("--demo",)):
        listed = shell(capfd, "chats", "list", *words)
        assert listed[0] == 0
        assert listed == shell(capfd, "chats", *words)


@pytest.mark.usefixtures("closed")
def test_the_last_conversation_is_exported_as_it_is_and_imported_again(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = shell(capfd, "chats", "export", "--last", "--format", "json")
    plain = json.loads(out)
    assert (code, err) == (0, "")
    assert plain["title"] == "tell me of snails"
    assert [each["content"] for each in plain["messages"]] == ["tell me of snails", "Snails are slow."]
    file = tmp_path / "x.json"
    file.write_text(out)
    assert "is here already" in shell(capfd, "chats", "import", str(file))[2]
    assert shell(capfd, "chats", "delete", "2", "--yes")[0] == 0
    assert "tell me of snails" not in shell(capfd, "chats")[1]
    assert "Imported" in shell(capfd, "chats", "import", str(file))[2]
    assert shell(capfd, "chats")[1].count("tell me of snails") == 1


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("ending", EXPORTS)
def test_an_export_to_a_file_has_the_form_of_its_ending_and_replaces_none_unasked(
    ending: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / f"snails{ending}"
    command = ("chats", "export", "--last", "--to", str(file))
    assert shell(capfd, *command)[:2] == (0, "")
    assert file.read_text() == shell(capfd, "chats", "export", "--last", "--format", EXPORTS[ending])[1]
    file.write_text("mine")
    code, _, err = shell(capfd, *command)
    assert code == 2
    assert "already exists" in err
    assert "--yes" in err
    assert file.read_text() == "mine"
    assert shell(capfd, *command, "--yes")[0] == 0
    assert "Snails" in file.read_text()


@pytest.mark.usefixtures("closed")
def test_an_export_to_a_file_without_a_known_ending_needs_a_format(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "snails.txt"
    command = ("chats", "export", "--last", "--to", str(file))
    code, _, err = shell(capfd, *command)
    assert (code, file.exists()) == (2, False)
    assert ".html" in err
    assert shell(capfd, *command, "--format", "md")[0] == 0
    assert file.read_text() == shell(capfd, "chats", "export", "--last", "--to", "-")[1]


def test_a_last_conversation_without_any_reply_is_exported_too(
    session: Session, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    engine.script(*[Cut(after=0)] * 5)  # retries included
    with pytest.raises(Exception, match="broke off"):
        say(session, "is anybody there")
    session.close()
    code, out, _ = shell(capfd, "chats", "export", "--last", "--format", "json")
    assert code == 0
    plain = json.loads(out)
    assert [each["content"] for each in plain["messages"]] == ["is anybody there"]
    assert plain["tip"] == plain["messages"][0]["id"]
    for words in (("show", "--last"), ("export", "--last"), ("export", "--last", "--format", "html")):
        assert "is anybody there" in shell(capfd, "chats", *words)[1]


@pytest.mark.usefixtures("closed")
def test_the_trash_is_emptied_only_on_purpose(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = shell(capfd, "chats", "delete", "1")
    assert code == 2
    assert "--yes" in err
    assert shell(capfd, "chats", "delete", "1", "--yes")[0] == 0
    assert "whales" in shell(capfd, "chats", "restore")[1]
    assert shell(capfd, "chats", "restore", "1")[0] == 0
    assert "whales" in shell(capfd, "chats")[1]
    shell(capfd, "chats", "delete", "1", "--yes")
    assert "Remove 1 conversation in" in shell(capfd, "chats", "purge")[2]
    assert "1 conversation removed" in shell(capfd, "chats", "purge", "--yes")[2]
    assert "empty" in shell(capfd, "chats", "restore")[2]


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize(
    "words",
    [
        ("chats", "export"),
        ("chats", "export", "1", "--last"),
        ("chats", "export", "dragonfly"),
        ("chats", "export", "tell"),
        ("chats", "export", "--last", "--format", "pdf"),
        ("chats", "nonsense"),
        ("chats", "9" * 30),
        ("chats", "list", "all"),
        ("chats", "rename", "1"),
        ("chats", "import"),
        ("chats", "show"),
    ],
    ids=" ".join,
)
def test_what_the_shell_does_not_understand_is_said_and_prints_nothing(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = shell(capfd, *words)
    assert code == 2
    assert out == ""
    assert err


@pytest.mark.usefixtures("closed")
def test_a_wrong_subcommand_is_answered_with_those_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    code, _, err = shell(capfd, "chats", "nonsense", "and", "more")
    assert code == 2
    assert '"nonsense and more"' in err
    assert "delete, list, show, search" in err.replace("\n", " ")
    assert "Did you mean: chatcli chats export?" in shell(capfd, "chats", "exprot", "--demo")[2]


@pytest.mark.usefixtures("closed")
def test_words_that_begin_like_a_subcommand_but_are_one_argument_are_a_prompt() -> None:
    registry = everything()
    assert registry.subcommand(["chats export"]) is None
    assert registry.subcommand(["chatss"]) is None
    found = registry.subcommand(["chats", "export", "x"])
    assert found is not None
    assert found.subcommand == "chats export"
    plain = registry.subcommand(["chats", "12"])
    assert plain is not None
    assert plain.subcommand == "chats"


def test_a_question_that_failed_leaves_no_conversation_in_any_list_and_is_not_lost(
    session: Session, engine: Engine
) -> None:
    engine.script(Status(400, "the model has fallen over"))
    with pytest.raises(ChatcliError):
        say(session, "what of the tides?")
    number = session.conversation.id
    with pytest.raises(ChatcliError):
        do(session, "load")
    assert "tides" not in shown(do(session, "chats")) + repr(everything().suggest(session, "/load what"))
    said = shown(do(session, "clear"))
    assert f"/load {number} opens it again" in said
    assert isinstance(do(session, f"load {number}"), Opened)
    assert [node.message.text for node in session.store.whole(number).nodes.values()] == ["what of the tides?"]
    asked = do(session, "delete")
    assert isinstance(asked, Confirm)
    asked.then()
    assert [entry.id for entry in session.store.trash()] == [number]
