"""The exports of ChatGPT and Open WebUI become conversations, branches and all."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.errors import BadFile
from chatcli.store.import_chat import ImportedChat
from chatcli.store.transfer import read_chat, read_chats


def openai_node(parent: str | None, role: str, content: dict[str, Any] | None, **metadata: Any) -> dict[str, Any]:
    message = {"author": {"role": role}, "content": content, "create_time": 1.7e9, "metadata": metadata}
    return {"parent": parent, "children": [], "message": message if content is not None else None}


def said(text: str) -> dict[str, Any]:
    return {"content_type": "text", "parts": [text]}


CHATGPT = {
    "title": "Cats",
    "current_node": "recap2",
    "mapping": {
        "root": openai_node(None, "system", None),
        "hidden": openai_node("root", "system", said("secret"), is_visually_hidden_from_conversation=True),
        "profile": openai_node("hidden", "user", {"content_type": "user_editable_context", "user_profile": "x"}),
        "question": openai_node(
            "profile",
            "user",
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1"},
                    "Is it a cat?",
                ],
            },
        ),
        "empty": openai_node("question", "assistant", said("")),
        "reply1": openai_node("empty", "assistant", said("No."), model_slug="gpt-4"),
        "thoughts": openai_node(
            "question", "assistant", {"content_type": "thoughts", "thoughts": [{"content": "Whiskers."}]}
        ),
        "recap": openai_node("thoughts", "assistant", {"content_type": "reasoning_recap", "content": "2s"}),
        "reply2": openai_node("recap", "assistant", said("Yes."), model_slug="o3"),
        "recap2": openai_node("reply2", "assistant", {"content_type": "reasoning_recap", "content": "1s"}),
    },
}


def replies(chat: ImportedChat) -> list[tuple[str, str, str]]:
    nodes = chat.conversation.nodes.values()
    return [(n.message.text, n.message.thinking, n.turn.model) for n in nodes if n.turn is not None]


def test_chatgpt_conversations_are_read_with_their_branches() -> None:
    (chat,) = read_chats(json.dumps([CHATGPT]))
    assert chat.title == "Cats"
    assert [message.text for message in chat.messages] == ["Is it a cat?", "Yes."]
    assert replies(chat) == [("No.", "", "gpt-4"), ("Yes.", "Whiskers.", "o3")]
    assert chat.conversation.path()[0].created.year == 2023
    assert chat.repairs == ["message 4: its picture is not beside the file"]


OPEN_WEBUI = {
    "id": "1",
    "title": "Dogs",
    "chat": {
        "title": "Dogs",
        "history": {
            "currentId": "b",
            "messages": {
                "q": {
                    "id": "q",
                    "parentId": None,
                    "role": "user",
                    "content": "A dog?",
                    "timestamp": 1_700_000_000,
                    "files": [
                        {"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="},
                        {"type": "file", "name": "notes.pdf"},
                    ],
                },
                "a": {"id": "a", "parentId": "q", "role": "assistant", "content": "No.", "model": "llama3"},
                "b": {
                    "id": "b",
                    "parentId": "q",
                    "role": "assistant",
                    "model": "qwen3",
                    "content": '<details type="reasoning" done="true" duration="3">\n'
                    "<summary>Thought for 3 seconds</summary>\n> It barks.\n> So yes.\n</details>\nYes.",
                },
                "c": {"id": "c", "parentId": "a", "role": "user", "content": "Sure?"},
            },
        },
    },
}


def tool_call(parent: str, recipient: str, text: str, **more: Any) -> dict[str, Any]:
    made = openai_node(parent, "assistant", {"content_type": "code", "language": "unknown", "text": text})
    made["message"] |= {"recipient": recipient, **more}
    return made


PYTHON = {
    "title": None,
    "create_time": 1.6e9,
    "current_node": "end",
    "mapping": {
        # As in the real thing: the order says nothing, and what has no time is hidden, or at the beginning.
        "end": openai_node(
            "output", "assistant", said("It is 4.\ue200cite\ue202turn0search1\ue201"), model_slug="o3"
        ),
        "output": openai_node("call", "tool", {"content_type": "execution_output", "text": "4"}),
        "search": tool_call("q", "browser", 'search("2+2")'),
        "found": openai_node("search", "tool", {"content_type": "tether_browsing_display", "result": "four"}),
        "note": openai_node("found", "tool", said("Searching will not help.")),
        "aside": tool_call("note", "python", "secret()", channel="analysis"),
        "call": tool_call("aside", "python", "2 + 2"),
        "page": tool_call("end", "canmore.create_textdoc", json.dumps({"name": "sum", "content": "# A sum"})),
        "cut": openai_node("page", "assistant", said("And so"), finish_details={"type": "max_tokens"}),
        "aloud": openai_node(
            "q",
            "user",
            {
                "content_type": "multimodal_text",
                "parts": [
                    {"content_type": "audio_transcription", "text": "What else?"},
                    {"content_type": "audio"},
                ],
            },
            attachments=[{"name": "list.pdf", "mime_type": "application/pdf"}],
        ),
        "q": openai_node(None, "user", said("What is 2 + 2?")),
    },
}


def test_of_chatgpts_tools_the_code_and_what_came_of_it_is_kept() -> None:
    chat = read_chat(json.dumps(PYTHON))
    texts = [(message.role.value, message.text) for message in chat.messages]
    assert texts == [
        ("user", "What is 2 + 2?"),
        ("assistant", "```python\n2 + 2\n```"),
        ("tool", "4"),
        ("assistant", "It is 4."),
    ]
    others = [node for node in chat.conversation.nodes.values() if node not in chat.conversation.path()]
    assert {(node.message.text, node.ended.value) for node in others} == {
        ("# A sum", "complete"),
        ("And so", "length"),
        ("What else?", "complete"),
    }
    assert chat.repairs == [
        "message 10: the file 'list.pdf' is not read",
        "searches and tool calls are left out: browser",
    ]


def test_times_are_kept_and_what_has_none_was_said_when_its_parent_was() -> None:
    mapping = {
        "b2": openai_node("a", "assistant", said("second"), model_slug="x"),
        "b1": openai_node("a", "assistant", said("first"), model_slug="x"),
        "a": openai_node(None, "user", said("question")),
        "c": openai_node("b2", "user", said("and on")),
    }
    for name, time in (("a", None), ("b1", 1_700_000_010.5), ("b2", 1_700_000_020.25), ("c", None)):
        mapping[name]["message"]["create_time"] = time
    chat = read_chat(json.dumps({"create_time": 1_700_000_000, "mapping": mapping}))
    nodes = [(node.message.text, node.created.timestamp()) for node in chat.conversation.nodes.values()]
    assert nodes == [
        ("question", 1_700_000_000),
        ("first", 1_700_000_010.5),
        ("second", 1_700_000_020.25),
        ("and on", 1_700_000_020.25),
    ]
    assert [message.text for message in chat.messages] == ["question", "second", "and on"]


@pytest.mark.parametrize("packed", [True, False], ids=["in the ZIP", "unpacked"])
def test_pictures_are_found_where_chatgpt_puts_them(tmp_path: Path, packed: bool) -> None:
    picture = b"\x89PNG\r\n\x1a\n and so on"
    files = {
        "conversations.json": json.dumps([CHATGPT]).encode(),
        "user-abc/file_1-cat.png": picture,
        "chat.html": b"<html>",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    source = tmp_path / "conversations.json"
    if packed:
        source = tmp_path / "export.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in files:
                archive.write(tmp_path / name, name)
    chat = read_chat(source)
    assert chat.messages[0].attachments == (Attachment("image", "picture1.png", "image/png", picture),)
    assert chat.repairs == []


def test_an_archive_without_conversations_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "other.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("notes.txt", "hi")
    with pytest.raises(BadFile, match=r"conversations\.json"):
        read_chats(source)


def test_open_webui_tells_what_failed_and_what_its_tools_did() -> None:
    tools = (
        '<details type="tool_calls" done="true" name="clock" arguments="{}">\n<summary>Done</summary>\n</details>'
    )
    items = {
        "q": {"parentId": None, "role": "user", "content": "Time?", "timestamp": 1_700_000_000_000},
        "a": {"parentId": "q", "role": "assistant", "model": "m", "content": f"{tools}\nNoon.", "done": True},
        "b": {"parentId": "q", "role": "assistant", "model": "m", "content": "It", "error": {"content": "gone"}},
        "c": {"parentId": "q", "role": "assistant", "model": "m", "content": "It is", "done": False},
    }
    chat = {"title": "x", "params": {"system": "Be brief."}, "history": {"messages": items, "currentId": "a"}}
    read = read_chat(json.dumps([{"chat": chat}]))
    assert [message.text for message in read.messages] == ["Time?", "Noon."]
    assert read.conversation.settings == {"system": "Be brief."}
    assert [use.name for use in read.messages[1].calls] == ["clock"]
    assert read.repairs == []
    nodes = read.conversation.nodes.values()
    assert [node.ended.value for node in nodes] == ["complete", "complete", "broken", "interrupted"]
    assert {node.created.year for node in nodes} == {2023}


def test_open_webuis_older_lists_are_read() -> None:
    said_before = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello", "model": "m"}]
    read = read_chat(json.dumps([{"id": "1", "title": "old", "chat": {"messages": said_before}}]))
    assert [message.text for message in read.messages] == ["hi", "hello"]
    assert read.title == "old"


def test_open_webui_chats_are_read_with_their_branches() -> None:
    chats = read_chats(json.dumps([OPEN_WEBUI, OPEN_WEBUI["chat"]]))
    assert len(chats) == 2
    for chat in chats:
        assert chat.title == "Dogs"
        assert chat.messages == (
            Message.user("A dog?", (Attachment("image", "picture1.png", "image/png", b"\x89PNG\r\n\x1a\n"),)),
            Message.assistant("Yes.", "It barks.\nSo yes."),
        )
        assert replies(chat) == [("No.", "", "llama3"), ("Yes.", "It barks.\nSo yes.", "qwen3")]
        assert chat.repairs == ["message 1: the file 'notes.pdf' is not read"]
        assert [node.message.text for node in chat.conversation.nodes.values() if node.number == 3] == ["Sure?"]


def test_parents_that_go_round_in_a_circle_do_no_harm() -> None:
    mapping = {
        name: openai_node(parent, "user", said(name)) for name, parent in (("a", "b"), ("b", "a"), ("c", "x"))
    }
    chat = read_chat(json.dumps({"mapping": mapping, "current_node": "a"}))
    assert [message.text for message in chat.messages] == ["b", "a"]
    assert len(chat.conversation.nodes) == 3
    assert all(message.role is Role.USER for message in chat.messages)
