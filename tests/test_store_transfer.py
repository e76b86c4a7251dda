"""Export and import return the same conversation; foreign files are read forgivingly, and guesses are reported."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Count, Turn, Usage
from chatcli.errors import BadFile, UserError
from chatcli.store.codec import AS_OLDER
from chatcli.store.import_chat import chat_of
from chatcli.store.reimport import Importer
from chatcli.store.store import Store
from chatcli.store.transfer import export, read_chat
from chatcli.text import UNWANTED

TEXT = st.text(st.one_of(st.characters(), st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)), max_size=20)
NAMES = st.text(min_size=1, max_size=10)
PNG = b"\x89PNG\r\n\x1a\n"
TEXTS = st.builds(Attachment, st.just("text"), NAMES, st.just("text/plain"), st.binary(max_size=10))
PICTURES = st.builds(
    Attachment, st.just("image"), NAMES, st.just("image/png"), st.binary(max_size=10).map(PNG.__add__)
)
ATTACHMENTS = TEXTS | PICTURES
MESSAGES = st.builds(
    Message,
    st.sampled_from(Role),
    TEXT,
    TEXT,
    st.lists(ATTACHMENTS, max_size=2).map(tuple),
    st.lists(
        st.builds(ToolUse, NAMES, st.dictionaries(NAMES, TEXT | st.integers()), st.just("") | NAMES), max_size=2
    ).map(tuple),
)
TURNS = st.builds(
    Turn,
    NAMES,
    NAMES,
    st.dictionaries(NAMES, TEXT | st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Count, st.integers(), st.booleans()),
    st.builds(Usage, prompt_tokens=st.none() | st.integers()),
)


KEYS = [
    "messages",
    "role",
    "content",
    "id",
    "parent",
    "turn",
    "ended",
    "state",
    "names",
    "attachments",
    "mapping",
    "message",
    "history",
    "chat",
    "parts",
]


def nodes_of(conversation: Conversation) -> st.SearchStrategy[int | None]:
    return st.sampled_from([None, *sorted(conversation.nodes)])


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Trees of any shape, times growing along every path, as the store makes them."""
    conversation = Conversation(
        id=0,
        title=draw(st.sampled_from(["", "A title"])),
        demo=draw(st.booleans()),
        settings=draw(st.dictionaries(st.just("system"), TEXT)),
    )
    for node_id in range(1, draw(st.integers(1, 8))):
        parent = draw(nodes_of(conversation))
        number = conversation.nodes[parent].number + 1 if parent is not None else 1
        created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=node_id)
        message, turn = draw(MESSAGES), draw(st.none() | TURNS)
        ended = draw(st.sampled_from([each for each in Ended if each not in AS_OLDER or message.tool_uses]))
        conversation.add(Node(node_id, parent, number, message, created, ended, turn))
    tip, pin = draw(nodes_of(conversation)), draw(nodes_of(conversation))
    conversation.go_to(tip)
    pins = frozenset([pin] if pin is not None else [])
    if tip is not None:
        conversation.names = {draw(NAMES): tip}
    conversation.state = State(
        tip, Summary(draw(TEXT), tip, specifics=(draw(TEXT),)) if tip is not None else None, pins
    )
    return conversation


@given(conversations(), st.sampled_from(["json", "jsonl"]))
@settings(max_examples=60, deadline=None)
def test_export_then_import_gives_the_same_conversation(conversation: Conversation, format_: str) -> None:
    chat = read_chat(export(conversation, format_))
    assert chat.repairs == []
    assert chat.conversation == conversation
    with Store.open(None) as store:
        store.append(store.create(), Message.user("so that ids differ"))
        stored = store.whole(store.take_in(chat.conversation).id)
    if conversation.title or not conversation.nodes:
        assert export(stored, format_) == export(conversation, format_)
    assert len(stored.nodes) == len(conversation.nodes)


def test_imported_branches_and_files_are_there() -> None:
    conversation = Conversation(0, "A title")
    files = (Attachment("image", "a.png", "image/png", PNG),)
    now = datetime.now(UTC)
    for node_id, parent, text in ((1, None, "question"), (2, 1, "first"), (3, 1, "second"), (4, 2, "more")):
        conversation.add(Node(node_id, parent, {1: 1, 4: 3}.get(node_id, 2), Message.user(text, files), now))
    plain = json.loads(export(conversation, "json"))
    assert [message["content"] for message in plain["messages"]] == ["question", "first", "more"]
    assert [message["content"] for message in plain["elsewhere"]] == ["second"]
    assert len(plain["files"]) == 1
    with Store.open(None) as store:
        copy = store.take_in(read_chat(json.dumps(plain)).conversation)
        assert [node.message.text for node in copy.path()] == ["question", "first", "more"]
        assert copy.path()[2].message.attachments == files
        assert [node.message.text for node in store.children(copy, copy.path()[0].id)] == ["first", "second"]


def test_an_old_import_does_not_become_the_last_conversation() -> None:
    old = '{"messages": [{"role": "user", "content": "long ago", "created": "2020-01-01T00:00:00Z"}]}'
    with Store.open(None) as store:
        recent = store.create()
        store.append(recent, Message.user("today"))
        copy = store.take_in(read_chat(old).conversation)
        assert [entry.id for entry in store.entries()] == [recent.id, copy.id]
        assert (copy.title, store.last()) == ("long ago", recent.id)
        store.append(copy, Message.assistant("and now again"))
        assert store.last() == copy.id


def test_messages_alone_become_a_conversation() -> None:
    messages = (Message.system("Be brief."), Message.user("hi"), Message.assistant("hello"))
    chat = chat_of(messages, "saved")
    assert chat.messages == messages
    with Store.open(None) as store:
        assert store.take_in(chat.conversation).title == "saved"


def test_a_plain_list_is_repaired_and_it_is_said() -> None:
    chat = read_chat('[{"content": "hi"}, {"role": "assistant"}, "and?", {"role": "robot", "content": 3}, 7]')
    assert chat.messages == (
        Message.user("hi"),
        Message.assistant(""),
        Message.user("and?"),
        Message.user("3"),
    )
    assert chat.repairs == [
        "message 1 has no role; taken as the user's",
        "message 2 has no content; taken as empty",
        "message 3 is bare text; taken as the user's",
        "message 4 has content that is no text; taken as it is written",
        "message 4 has the role 'robot', which means nothing here; taken as the user's",
        "message 5 is no message; left out",
    ]


@pytest.mark.parametrize(
    "date", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "yesterday", float("inf"), -1e9]
)
def test_a_date_that_no_message_can_be_of_is_repaired_with_a_word(date: str | float) -> None:
    began = datetime.now(UTC)
    chat = read_chat(json.dumps([{"role": "user", "content": "hi", "created": date}]))
    assert chat.repairs == ["message 1: its date cannot be read; taken as today's"]
    assert chat.conversation.path()[0].created >= began


@pytest.mark.parametrize("tip", ["nowhere", 9, 0, [2], {}, 1.5])
def test_a_tip_that_is_no_message_is_taken_to_be_the_last_one(tip: object) -> None:
    chat = read_chat(json.dumps({"chatcli": 1, "tip": tip, "messages": [{"role": "user", "content": "hi"}]}))
    assert chat.messages == (Message.user("hi"),)
    assert chat.repairs == ["where the conversation stood cannot be read; it goes on from the last message"]


def test_json_lines_of_role_and_content_are_read() -> None:
    chat = read_chat('{"role": "user", "content": "a"}\n\n{"role": "assistant", "content": "b"}\n')
    assert chat.messages == (Message.user("a"), Message.assistant("b"))


def test_openai_parts_pictures_and_tool_calls_are_read() -> None:
    picture = "data:image/png;base64,iVBORw0KGgo="
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    request = {
        "model": "x",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
    }
    chat = read_chat(json.dumps(request))
    image = Attachment("image", "picture1.png", "image/png", b"\x89PNG\r\n\x1a\n")
    assert chat.messages == (
        Message.system("Be brief."),
        Message.user("What is this?", (image,)),
        Message(Role.ASSISTANT, "", tool_uses=(ToolUse("look", {"at": 1}, "1"),)),
    )
    assert chat.repairs == []


@pytest.mark.parametrize(
    "text", ["", "hello", "3", '{"a": 1}', '"text"', "null", "[" * 100_000, '{"messages": 3}']
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        read_chat(text)


def test_a_file_is_read_and_a_missing_one_is_said(tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    file.write_bytes(b'\xef\xbb\xbf[{"role": "user", "content": "hi \xff"}]')
    assert read_chat(file).messages == (Message.user("hi �"),)
    with pytest.raises(BadFile, match="There is no file"):
        read_chat(tmp_path / "missing.json")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | TEXT,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            )
        ),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused_with_a_word(value: object) -> None:
    ours = {"chatcli": 1, "messages": [value], "elsewhere": [value]}
    theirs = [{"mapping": {"a": value}}, {"chat": {"history": {"messages": {"b": value}}}}]
    for text in map(json.dumps, (value, ours, *theirs)):
        try:
            chat = read_chat(text)
        except UserError:
            continue
        with Store.open(None) as store:
            store.take_in(chat.conversation)


def test_markdown_and_html_show_the_path() -> None:
    conversation = Conversation(0, "<Cats> & dogs")
    now = datetime.now(UTC)
    picture = Attachment("image", '"><script>', "image/png", b"\x89PNG")
    script = Attachment("image", "x.svg", "image/svg+xml", b"<svg onload=alert(1)>")
    conversation.add(Node(1, None, 1, Message.user("Is <b>this</b> a cat? \udc80", (picture, script)), now))
    reply = Message.assistant("# Yes", thinking="Whiskers.\nTail.")
    conversation.add(Node(2, 1, 2, reply, now, Ended.STOPPED, Turn("llama")))
    markdown = export(conversation, "md")
    assert "## You\n\n*Picture:" in markdown
    assert "## llama (stopped)\n\n> Whiskers.\n> Tail.\n\n# Yes\n" in markdown
    page = export(conversation, "html")
    assert "Is &lt;b&gt;this&lt;/b&gt; a cat? ?" in page
    assert "data:image/png;base64,iVBORw==" in page
    assert "<script" not in page
    assert "<svg" not in page
    assert "svg+xml" not in page


def with_calls(text: str, ended: Ended = Ended.COMPLETE, at: str | None = None) -> Conversation:
    """A question, a reply that calls a tool, its result, and an answer."""
    conversation, now = Conversation(0, "Tools"), datetime(2026, 1, 1, tzinfo=UTC)
    use = ToolUse("look", {"at": text if at is None else at}, "c1")
    conversation.add(Node(1, None, 1, Message.user("Look"), now))
    conversation.add(Node(2, 1, 2, Message(Role.ASSISTANT, "", tool_uses=(use,)), now))
    conversation.add(Node(3, 2, 3, Message.tool(use, text), now, ended))
    conversation.add(Node(4, 3, 4, Message.assistant("Seen."), now))
    return conversation


@pytest.mark.parametrize(
    "text", ["plain", "```", "a\n````\n# b\n~~~\n", "</pre></details><script>", "\n\n  x\n\n"]
)
def test_a_call_and_its_result_are_whole_in_what_is_read_and_end_where_they_end(text: str) -> None:
    from html.parser import HTMLParser

    from markdown_it import MarkdownIt

    blocks = [each for each in MarkdownIt().parse(export(with_calls(text), "md")) if each.type == "fence"]
    call, result = (each.content for each in blocks)
    assert json.loads(call) == {"at": text}
    assert result.strip("\n") == text.strip("\n")
    shown: list[str] = []
    parser = HTMLParser()
    parser.handle_data = shown.append  # type: ignore[method-assign, assignment]
    page = export(with_calls(text), "html")
    parser.feed(page)
    assert text in shown
    assert "<script>" not in page
    assert page.count("<details") == page.count("</details>") == 2


@pytest.mark.parametrize(("ended", "words"), [*CUT_SHORT.items(), (Ended.COMPLETE, "")])
@pytest.mark.parametrize("format_", ["md", "html"])
def test_what_became_of_a_call_is_in_the_heading_of_its_result(ended: Ended, words: str, format_: str) -> None:
    page = export(with_calls("grey", ended), format_)
    assert ("Tool look (" in page) == bool(words)
    assert (f"Tool look ({words})" if words else "Tool look") in page


def test_a_state_of_a_call_that_is_not_known_is_taken_as_failed() -> None:
    plain = json.loads(export(with_calls("grey", Ended.RUNNING), "json"))
    assert plain["messages"][2]["ended"] == "running"
    for message in plain["messages"]:
        message["ended"] = "postponed"
    path = read_chat(json.dumps(plain)).conversation.path()
    assert [node.ended for node in path] == [Ended.COMPLETE, Ended.COMPLETE, Ended.FAILED, Ended.COMPLETE]


@pytest.mark.parametrize("format_", ["json", "jsonl"])
def test_an_export_with_calls_is_taken_in_once_also_when_a_call_has_come_further(format_: str) -> None:
    early, late = export(with_calls("", Ended.ASKED, "grey"), format_), export(with_calls("grey"), format_)
    with Store.open(None) as store:
        added = [Importer(store).take(read_chat(each)).added for each in (late, late, early)]
        (entry,) = store.entries()
        use = store.whole(entry.id).path()[2].message.answers
    assert added == [4, 0, 0]
    assert use == ToolUse("look", {"at": "grey"}, "c1")


# Colors, the clipboard, a title that never ends, C1 forms of both, and marks that turn the text round.
CODES = (
    "\x1b[31m",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x1b]0;evil",
    "\x9b31m",
    "\x9d0;evil\x9c",
    "\u202e",
    "\x07",
    "\x7f",
    "\x08",
)


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize("format_", ["md", "html", "json", "jsonl"])
def test_no_export_has_anything_that_a_terminal_would_obey(code: str, format_: str) -> None:
    conversation = Conversation(0, f"Cats{code}")
    now = datetime.now(UTC)
    files = (Attachment("text", f"notes{code}.txt", "text/plain", f"one{code}".encode()),)
    conversation.add(Node(1, None, 1, Message.user(f"hi{code}", files), now))
    reply = Message(Role.ASSISTANT, f"yes{code}", f"hm{code}", (), (ToolUse(f"f{code}", {"a": code}),))
    conversation.add(Node(2, 1, 2, reply, now, Ended.COMPLETE, Turn(f"m{code}")))
    conversation.add(Node(3, 2, 3, Message.tool(reply.tool_uses[0], f"seen{code}"), now, Ended.FAILED))
    text = export(conversation, format_)
    assert UNWANTED.search(text) is None
    if format_ in {"md", "html"}:
        assert "evil" not in text
        assert "cm0gLXJm" not in text
        assert "31m" not in text
        assert text.count("</pre>") == text.count("<pre>")
    else:
        assert read_chat(text).messages == tuple(node.message for node in conversation.path())


def test_html_takes_rendered_replies() -> None:
    conversation = Conversation(0, "Cats")
    now = datetime.now(UTC)
    conversation.add(Node(1, None, 1, Message.user("*hi*"), now))
    conversation.add(Node(2, 1, 2, Message.assistant("*hi*"), now))
    page = export(conversation, "html", rendered=lambda text: f"<em>{text[1:-1]}</em>", style="em { color: red }")
    assert "<pre>*hi*</pre>" in page
    assert "<em>hi</em>" in page
    assert "em { color: red }" in page


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UserError, match="docx"):
        export(Conversation(0), "docx")
