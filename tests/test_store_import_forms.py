"""The exports of many programs become conversations; one that cannot be read is named, and the others are read."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.errors import UserError
from chatcli.store import import_message
from chatcli.store.import_chat import ImportedChat
from chatcli.store.import_forms import FORMS
from chatcli.store.reimport import Importer
from chatcli.store.store import Store
from chatcli.store.transfer import find_chats, read_chat, read_chats

PNG = b"\x89PNG\r\n\x1a\n and so on"
NIL = "00000000-0000-4000-8000-000000000000"
SAID = [("user", "What is rain?"), ("assistant", "Water.")]


def claude(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"uuid": "c", "name": "Rain", "created_at": "2024-05-01T10:00:00Z", "chat_messages": list(messages)}


CLAUDE = claude(
    {
        "uuid": "a",
        "text": "What is rain?",
        "content": [{"type": "text", "text": "What is rain?"}],
        "sender": "human",
        "created_at": "2024-05-01T10:00:00Z",
        "attachments": [],
        "files": [],
        "parent_message_uuid": NIL,
    },
    {
        "uuid": "b",
        "text": "Water.",
        "sender": "assistant",
        "content": [],
        "created_at": "2024-05-01T10:00:05Z",
        "parent_message_uuid": "a",
    },
)
SHAREGPT = {
    "id": "x",
    "conversations": [{"from": "human", "value": "What is rain?"}, {"from": "gpt", "value": "Water."}],
}
LIBRECHAT = {
    "conversationId": "1",
    "title": "Rain",
    "recursive": True,
    "options": {"model": "gpt-4"},
    "messages": [
        {
            "messageId": "a",
            "parentMessageId": "00000000-0000-0000-0000-000000000000",
            "text": "What is rain?",
            "sender": "User",
            "isCreatedByUser": True,
            "children": [
                {
                    "messageId": "b",
                    "parentMessageId": "a",
                    "text": "Water.",
                    "sender": "GPT-4",
                    "isCreatedByUser": False,
                    "children": [],
                }
            ],
        }
    ],
}
LLM = [
    {
        "id": "1",
        "model": "gpt-4",
        "prompt": "What is rain?",
        "response": "Water.",
        "conversation_id": "k",
        "conversation_name": "Rain",
        "datetime_utc": "2024-05-01T10:00:00",
    }
]
GROK = {
    "conversations": [
        {
            "conversation": {"id": "1", "title": "Rain"},
            "responses": [
                {
                    "response": {
                        "message": text,
                        "sender": who,
                        "create_time": {"$date": {"$numberLong": "1714557600000"}},
                    }
                }
                for who, text in (("human", "What is rain?"), ("ASSISTANT", "Water."))
            ],
        }
    ]
}
CHATGPT_NEW = {
    "title": "Rain",
    "mapping": {
        "a": {"parent": None, "message": {"author": {"role": "user"}, "content": {"parts": ["What is rain?"]}}},
        "b": {"parent": "a", "message": {"author": {"role": "assistant"}, "content": {"parts": ["Water."]}}},
    },
}
DEEPSEEK = {
    "title": "Rain",
    "mapping": {
        "root": {"parent": None, "message": None},
        "1": {
            "parent": "root",
            "message": {"model": "deepseek", "fragments": [{"type": "REQUEST", "content": "What is rain?"}]},
        },
        "2": {
            "parent": "1",
            "message": {
                "model": "deepseek",
                "fragments": [{"type": "THINK", "content": "Hm."}, {"type": "RESPONSE", "content": "Water."}],
            },
        },
    },
}
EXPORTS: dict[str, Any] = {
    "Claude": [CLAUDE],
    "Claude, one": CLAUDE,
    "ShareGPT": [SHAREGPT],
    "ShareGPT, one": SHAREGPT,
    "ShareGPT, older": {
        "items": [{"from": "human", "value": "What is rain?"}, {"from": "gpt", "value": "Water."}]
    },
    "LibreChat": LIBRECHAT,
    "llm": LLM,
    "Grok": GROK,
    "ChatGPT without a content type": [CHATGPT_NEW],
    "ChatGPT's messages alone": [node["message"] for node in CHATGPT_NEW["mapping"].values()],  # type: ignore[attr-defined]
    "a shared ChatGPT": {"title": "Rain", "linear_conversation": list(CHATGPT_NEW["mapping"].values())},  # type: ignore[attr-defined]
    "DeepSeek": [DEEPSEEK],
    "Gemini's API": {
        "contents": [
            {"role": "user", "parts": [{"text": "What is rain?"}]},
            {"role": "model", "parts": [{"text": "Water."}]},
        ]
    },
    "LangChain": [
        {"type": "human", "data": {"content": "What is rain?"}},
        {"type": "ai", "data": {"content": "Water."}},
    ],
    "conversations in an object": {
        "conversations": [{"messages": [dict(zip(("role", "content"), each, strict=True)) for each in SAID]}]
    },
    "lists in a list": [[dict(zip(("role", "content"), each, strict=True)) for each in SAID]],
}


def said(chat: ImportedChat) -> list[tuple[str, str]]:
    return [(message.role.value, message.text) for message in chat.messages]


@pytest.mark.parametrize("program", EXPORTS)
@pytest.mark.parametrize("lines", [False, True], ids=["JSON", "JSON lines"])
def test_the_exports_of_other_programs_are_read(program: str, lines: bool) -> None:
    value = EXPORTS[program]
    text = "\n".join(map(json.dumps, value)) if lines and isinstance(value, list) else json.dumps(value, indent=1)
    chat = read_chat(text)
    assert said(chat) == SAID
    assert chat.repairs == []


@pytest.mark.parametrize("program", ["Claude", "llm", "Grok"])
def test_times_and_titles_of_other_programs_are_kept(program: str) -> None:
    chat = read_chat(json.dumps(EXPORTS[program]))
    assert chat.title == "Rain"
    assert {node.created.isoformat()[:16] for node in chat.conversation.nodes.values()} == {"2024-05-01T10:00"}


@pytest.mark.parametrize(
    ("program", "model"), [("llm", "gpt-4"), ("LibreChat", "gpt-4"), ("DeepSeek", "deepseek")]
)
def test_the_models_of_other_programs_are_kept(program: str, model: str) -> None:
    turn = read_chat(json.dumps(EXPORTS[program])).conversation.path()[1].turn
    assert turn is not None
    assert turn.model == model


def test_claudes_thinking_tools_files_and_branches_are_kept_and_the_rest_is_named() -> None:
    parts = [
        {"type": "thinking", "thinking": "Clouds."},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "name": "search", "input": {"q": "rain"}},
        {"type": "tool_result", "content": [{"type": "text", "text": "wet"}]},
    ]
    files = [{"file_name": "notes.txt", "extracted_content": "my notes"}]
    chat = read_chat(
        json.dumps(
            [
                claude(
                    {
                        "uuid": "a",
                        "sender": "human",
                        "text": "Look",
                        "attachments": files,
                        "files": [{"file_name": "cat.png"}],
                        "parent_message_uuid": NIL,
                    },
                    {"uuid": "b", "sender": "assistant", "text": "No.", "parent_message_uuid": "a"},
                    {"uuid": "c", "sender": "assistant", "content": parts, "parent_message_uuid": "a"},
                )
            ]
        )
    )
    question, reply, result = chat.messages
    assert [(each.name, each.data) for each in question.attachments] == [("notes.txt", b"my notes")]
    search = ToolUse("search", {"q": "rain"})
    assert reply == Message(Role.ASSISTANT, "Let me look.", "Clouds.", (), (search,))
    assert result == Message.tool(search, "wet")
    assert len(chat.conversation.nodes) == 4
    assert chat.repairs == ["message 1: the file 'cat.png' is not read"]


def test_pictures_and_tools_of_a_request_to_claude_are_kept() -> None:
    data = base64.b64encode(PNG).decode()
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    request = {
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [picture, {"type": "text", "text": "What?"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "content": "a cat"}]},
        ],
    }
    chat = read_chat(json.dumps(request))
    assert [(each.role.value, each.text) for each in chat.messages] == [
        ("user", "What?"),
        ("assistant", ""),
        ("tool", "a cat"),
    ]
    assert chat.messages[0].attachments[0].data == PNG
    assert chat.conversation.settings == {"system": "Be brief."}
    assert chat.repairs == []


def called(**more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {**CLOCK}, **more}]}


ASKED = {"role": "user", "content": "Time?"}
NOON = {"role": "assistant", "content": "Noon."}
CLOCK = {"name": "clock", "arguments": {"zone": "UTC"}}
AS_TEXT = {"name": "clock", "arguments": '{"zone": "UTC"}'}
USED = {"type": "tool_use", "id": "c1", "name": "clock", "input": {"zone": "UTC"}}
GIVEN = {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "12:00"}]}
IN_HTML = (
    '<details type="tool_calls" done="true" id="c1" name="clock" arguments="&quot;{\\&quot;zone\\&quot;: '
    '\\&quot;UTC\\&quot;}&quot;" result="&quot;12:00&quot;">\n<summary>Done</summary>\n</details>\nNoon.'
)
# The same conversation as each program writes it: a question, a call, its result, an answer.
WITH_TOOLS: dict[str, Any] = {
    "a request of Ollama": {
        "messages": [ASKED, called(), {"role": "tool", "tool_name": "clock", "content": "12:00"}, NOON]
    },
    "an old request of Ollama": {"messages": [ASKED, called(), {"role": "tool", "content": "12:00"}, NOON]},
    "a request of OpenAI": {
        "messages": [
            ASKED,
            called(id="c1", type="function", function=AS_TEXT),
            {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
            NOON,
        ]
    },
    "an old request of OpenAI": {
        "messages": [
            ASKED,
            {"role": "assistant", "content": None, "function_call": AS_TEXT},
            {"role": "function", "name": "clock", "content": "12:00"},
            NOON,
        ]
    },
    "a request to Claude": {
        "messages": [ASKED, {"role": "assistant", "content": [USED]}, {"role": "user", "content": [GIVEN]}, NOON]
    },
    "Claude": claude(
        {"uuid": "a", "sender": "human", "text": "Time?", "parent_message_uuid": NIL},
        {
            "uuid": "b",
            "sender": "assistant",
            "content": [USED, GIVEN, {"type": "text", "text": "Noon."}],
            "parent_message_uuid": "a",
        },
    ),
    "LibreChat": {
        "conversationId": "c",
        "messages": [
            {"messageId": "a", "parentMessageId": NIL, "isCreatedByUser": True, "text": "Time?"},
            {
                "messageId": "b",
                "parentMessageId": "a",
                "isCreatedByUser": False,
                "content": [
                    {"type": "tool_call", "tool_call": {**AS_TEXT, "id": "c1", "output": "12:00"}},
                    {"type": "text", "text": "Noon."},
                ],
            },
        ],
    },
    "Open WebUI": {
        "chat": {
            "history": {
                "messages": {
                    "a": {"parentId": None, "role": "user", "content": "Time?"},
                    "b": {"parentId": "a", "role": "assistant", "content": IN_HTML, "done": True},
                },
                "currentId": "b",
            }
        }
    },
    "llm": [
        {
            "conversation_id": "c",
            "prompt": "Time?",
            "response": "",
            "tool_calls": [{**CLOCK, "tool_call_id": "c1"}],
        },
        {
            "conversation_id": "c",
            "prompt": "",
            "response": "Noon.",
            "tool_results": [{"name": "clock", "output": "12:00", "tool_call_id": "c1"}],
        },
    ],
}


@pytest.mark.parametrize("program", WITH_TOOLS)
def test_a_call_and_its_result_are_messages_of_their_own_and_know_each_other(program: str) -> None:
    chat = read_chat(json.dumps(WITH_TOOLS[program]))
    said = [(each.role.value, each.text) for each in chat.messages]
    assert said == [("user", "Time?"), ("assistant", ""), ("tool", "12:00"), ("assistant", "Noon.")]
    (use,) = chat.messages[1].calls
    assert (use.name, use.arguments) == ("clock", {"zone": "UTC"})
    assert chat.messages[2].answers == use
    assert chat.repairs == []


def test_results_find_their_calls_by_id_then_by_name_then_by_their_order() -> None:
    calls = [
        {"id": name, "function": {"name": tool, "arguments": {"of": name}}}
        for name, tool in (("c1", "f"), ("c2", "g"), ("c3", "f"), ("", "h"))
    ]
    results: list[dict[str, Any]] = [
        {"tool_call_id": "c3"},
        {"tool_name": "g"},
        {},
        {"name": "h"},
        {"tool_call_id": "unknown"},
    ]
    messages = [
        {"role": "assistant", "tool_calls": calls},
        *({"role": "tool", "content": "x", **r} for r in results),
    ]
    found = [each.answers for each in read_chat(json.dumps({"messages": [ASKED, *messages]})).messages[2:]]
    assert [use and use.arguments["of"] for use in found] == ["c3", "c2", "c1", "", None]


# One bad among many

GOOD = {"title": "Good", "messages": [{"role": "user", "content": "hi"}]}
BAD: dict[str, Any] = {
    "no message": {"title": "Bad", "messages": []},
    "an empty tree": {"title": "Bad", "mapping": {}},
    "no conversation": {"title": "Bad"},
    "a number": 7,
    "a text": "hello",
    "nothing": None,
    "a newer form": {"title": "Bad", "chatcli": 99, "messages": [{"role": "user", "content": "hi"}]},
}


@pytest.mark.parametrize("what", BAD)
def test_one_that_cannot_be_read_is_named_and_the_others_are_read(what: str) -> None:
    for text in (json.dumps([GOOD, BAD[what], GOOD]), "\n".join(map(json.dumps, [GOOD, BAD[what], GOOD]))):
        if "\n" in text and not isinstance(BAD[what], dict):
            continue
        found = find_chats(text)
        assert [chat.title for chat in found.chats] == ["Good", "Good"]
        (unread,) = found.unread
        assert "conversation 2" in unread
        assert "Bad" in unread or not isinstance(BAD[what], dict)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_cannot_be_read_is_named_and_the_others_are_read(place: int) -> None:
    lines = [json.dumps(GOOD), json.dumps(GOOD)]
    lines.insert(place, '{"messages": [{"role": "us')
    found = find_chats("\n".join(lines))
    assert len(found.chats) == 2
    assert f"line {place + 1} " in found.unread[0]


def test_of_a_zip_the_files_that_can_be_read_are_read(tmp_path: Path) -> None:
    for names in (("conversations-000.json", "conversations-001.json"), ("a.json", "b.jsonl")):
        source = tmp_path / f"{names[0]}.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(names[0], "[{")
            archive.writestr(names[1], json.dumps([GOOD]))
        found = find_chats(source)
        assert [chat.title for chat in found.chats] == ["Good"]
        assert names[0] in found.unread[0]


@pytest.mark.parametrize(
    "value",
    [
        [{"name": "apple"}, {"name": "pear"}],
        {"messages": [{"name": "apple"}]},
        ["apple", "pear"],
        [{"role": "user", "name": "bob"}, {"role": "admin", "name": "eve"}],
        [{"role": "admin", "text": "x"}],
        [{"title": "x", "text": "y"}],
        {"messages": [{"from": "Bob", "text": "hello"}]},
        [{"type": "message", "user": "U1", "text": "hello", "ts": "1.2"}],
        {"name": "package", "version": "1"},
        [1, 2],
        [[]],
        [{}],
        {},
        {"cells": [{"source": ["x"]}]},
    ],
    ids=str,
)
def test_what_is_no_conversation_is_refused_with_the_forms_that_are_read(value: Any) -> None:
    with pytest.raises(UserError) as caught:
        read_chats(json.dumps(value))
    assert str(caught.value.hint) == FORMS


# The same again


def taken(store: Store, text: str) -> list[tuple[int, bool]]:
    importer = Importer(store)
    return [(each.added, each.was_here) for each in map(importer.take, find_chats(text).chats)]


@pytest.mark.parametrize("program", EXPORTS)
def test_the_same_file_twice_adds_nothing(program: str) -> None:
    text = json.dumps(EXPORTS[program])
    with Store.open(None) as store:
        assert taken(store, text) == [(2, False)]
        assert taken(store, text) == [(0, True)]
        assert len(store.entries()) == 1


def grown(value: dict[str, Any]) -> dict[str, Any]:
    more = {
        "messages": [
            *value["messages"],
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": "x"},
        ]
    }
    return value | more


@pytest.mark.parametrize(
    "dates", [["2024-01-01T00:00:00Z", "2024-01-01T00:00:05Z"], [None, None]], ids=["dated", "undated"]
)
def test_of_a_conversation_that_grew_only_what_is_new_is_added(dates: list[str | None]) -> None:
    first = {
        "messages": [
            {"role": role, "content": text, "created_at": at} for (role, text), at in zip(SAID, dates, strict=True)
        ]
    }
    with Store.open(None) as store:
        for value, added in (
            (first, 2),
            (grown(first), 2),
            (grown(first), 0),
            (grown(grown(first)), 2),
            (first, 0),
        ):
            assert taken(store, json.dumps(value)) == [(added, value is not first or added == 0)]
        (entry,) = store.entries()
        path = store.conversation(entry.id).path()
        assert [node.message.text for node in path] == ["What is rain?", "Water.", "and?", "x", "and?", "x"]


def test_what_was_continued_here_stays_where_it_is_when_the_export_grew() -> None:
    first = {"messages": [{"role": role, "content": text} for role, text in SAID]}
    with Store.open(None) as store:
        number = Importer(store).take(read_chat(json.dumps(first))).conversation.id
        store.append(store.conversation(number), Message.user("mine"))
        assert taken(store, json.dumps(first)) == [(0, True)]
        assert taken(store, json.dumps(grown(first))) == [(4, False)]
        dated = json.loads(json.dumps(first))
        for each in dated["messages"]:
            each["created"] = "2024-01-01T00:00:00Z"
        number = Importer(store).take(read_chat(json.dumps(dated))).conversation.id
        store.append(store.conversation(number), Message.user("mine too"))
        assert taken(store, json.dumps(grown(dated))) == [(2, True)]
        last = store.conversation(number).last
        assert last is not None
        assert last.message.text == "mine too"
        assert len(store.whole(number).nodes) == 5


def test_two_conversations_that_begin_alike_are_two() -> None:
    chats = [
        {"messages": [{"role": "user", "content": "hi", "created": f"2024-01-0{day}T00:00:00Z"}]} for day in (1, 2)
    ]
    with Store.open(None) as store:
        mine = store.create()
        store.append(mine, Message.user("What is rain?"))
        store.append(mine, Message.assistant("Water."))
        assert taken(store, json.dumps(chats)) == [(1, False), (1, False)]
        assert taken(store, json.dumps(SHAREGPT)) == [(2, False)]
        store.delete(mine.id)
        assert len(store.entries()) == 3


# Whatever is in it

WORDS = sorted(
    {
        *("messages", "conversations", "chat_messages", "items", "responses", "response", "mapping", "children"),
        *(
            "conversation",
            "prompt",
            "conversation_id",
            "parent",
            "type",
            "source",
            "image_url",
            "tool_call",
            "input",
        ),
        *("fragments", "attachments", "files", "extracted_content", "system", "settings", "recipient", "author"),
        *(
            "content_type",
            "thoughts",
            "channel",
            "mime_type",
            "metadata",
            "isCreatedByUser",
            "current_node",
            "history",
            "chat",
            "chatcli",
        ),
        *(
            name
            for names in vars(import_message).values()
            if isinstance(names, tuple)
            for name in names
            if isinstance(name, str)
        ),
    }
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool_use", "tool_result", "human", "text", "multimodal_text", NIL])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(VALUES, min_size=1, max_size=3), st.sampled_from(sorted(EXPORTS)))
@settings(max_examples=150, deadline=None)
def test_whatever_an_export_says_is_read_or_refused_with_a_word_and_never_half(
    values: list[Any], program: str
) -> None:
    theirs = EXPORTS[program]
    mixed = {**theirs, **values[0]} if isinstance(theirs, dict) and isinstance(values[0], dict) else values
    for value in (values, values[0], mixed, {"messages": [*SAID_AS_MESSAGES, *values]}, [GOOD, *values]):
        try:
            found = find_chats(json.dumps(value))
        except UserError:
            continue
        with Store.open(None) as store:
            importer = Importer(store)
            for chat in found.chats:
                if chat.conversation.nodes:
                    number = importer.take(chat).conversation.id
                    assert len(store.whole(number).nodes) >= len(chat.conversation.nodes)


SAID_AS_MESSAGES = [{"role": role, "content": text} for role, text in SAID]
