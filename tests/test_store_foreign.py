"""The exports of ChatGPT and Open WebUI become conversations, branches and all."""

from __future__ import annotations

import json
from typing import Any

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.store.imported import ImportedChat
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
                "parts": [{"content_type": "image_asset_pointer"}, "Is it a cat?"],
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
    assert chat.repairs == ["message 4 has a part that is neither text nor a picture; left out"]


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
                    "files": [{"type": "image", "url": "data:image/png;base64,iVBORw=="}, {"type": "file"}],
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


def test_open_webui_chats_are_read_with_their_branches() -> None:
    chats = read_chats(json.dumps([OPEN_WEBUI, OPEN_WEBUI["chat"]]))
    assert len(chats) == 2
    for chat in chats:
        assert chat.title == "Dogs"
        assert chat.messages == (
            Message.user("A dog?", (Attachment("image", "picture1.png", "image/png", b"\x89PNG"),)),
            Message.assistant("Yes.", "It barks.\nSo yes."),
        )
        assert replies(chat) == [("No.", "", "llama3"), ("Yes.", "It barks.\nSo yes.", "qwen3")]
        assert chat.repairs == []
        assert [node.message.text for node in chat.conversation.nodes.values() if node.number == 3] == ["Sure?"]


def test_parents_that_go_round_in_a_circle_do_no_harm() -> None:
    mapping = {
        name: openai_node(parent, "user", said(name)) for name, parent in (("a", "b"), ("b", "a"), ("c", "x"))
    }
    chat = read_chat(json.dumps({"mapping": mapping, "current_node": "a"}))
    assert [message.text for message in chat.messages] == ["b", "a"]
    assert len(chat.conversation.nodes) == 3
    assert all(message.role is Role.USER for message in chat.messages)
