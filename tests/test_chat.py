"""chatcli as a library: from chatcli import Chat."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chatcli import Chat
from chatcli.client.models import Model
from chatcli.conversation.message import Role
from chatcli.errors import BadValue, Missing, UnknownSetting, UserError
from chatcli.session.context_window import memory_of_window, next_window
from tests.faults import Engine


def test_a_chat_sends_streams_remembers_and_forgets() -> None:
    with (
        Engine() as engine,
        Chat("demo", system="Be brief.", num_ctx=2048, host=engine.url, temperature="0") as chat,
    ):
        engine.say("Seven.", "Eleven, or thirteen.")
        assert chat.send("A prime?") == "Seven."
        assert "".join(chat.stream("Another?")) == "Eleven, or thirteen."
        roles = [message.role for message in chat.messages]
        assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT]
        assert engine.chats[1]["options"] == {"num_ctx": 2048, "temperature": 0.0}
        assert engine.chats[1]["messages"][0] == {"role": "system", "content": "Be brief."}
        chat.clear()
        assert [message.role for message in chat.messages] == [Role.SYSTEM]


def test_a_chat_takes_settings_as_python_has_them() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    with (
        Engine() as engine,
        Chat(
            "demo", host=engine.url, save=None, num_ctx="2k", num_predict=40, temperature=0, seed=None,
            format=schema, stop=["END OF"], keep_alive=300, verbose=False, top_p=0.5, system="",
        ) as chat,
    ):  # fmt: skip
        chat.send("A prime?")
        asked = engine.chats[0]
    assert asked["options"] == {
        "num_ctx": 2048, "num_predict": 40, "temperature": 0.0, "top_p": 0.5, "stop": ["END OF"]
    }  # fmt: skip
    assert (asked["format"], asked["keep_alive"]) == (schema, 300)
    assert [message["role"] for message in asked["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num_predict": 1.5}, "num_predict: 1.5 is not a whole number of at least -2"),
        ({"num_ctx": [1]}, r"num_ctx: \[1\] is not a size in tokens"),
        ({"system": Path("prompt.txt")}, "system: .* is not text"),
        ({"strategy": 3}, "strategy: 3 is not one of"),
        ({"save": "perhaps"}, "save: .* is not on or off"),
        ({"model": 5}, "model: 5 is not text"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting_and_what_that_takes(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadValue, match=words):
        Chat(**given)


def test_a_setting_that_there_is_not_is_an_error_of_our_own() -> None:
    with pytest.raises(UnknownSetting, match="num_predikt") as caught:
        Chat("demo", num_predikt=40)
    assert "num_predict" in caught.value.hint


def test_a_chat_leaves_nothing_on_disk_unless_asked_to(home: Path) -> None:
    with Engine() as engine:
        with Chat("demo", host=engine.url) as chat:
            chat.send("hi")
        assert not list(home.rglob("*.db"))
        with Chat("demo", host=engine.url, save=True) as chat:
            chat.send("hi")
            chat.save(home / "chat.md")
        assert list(home.rglob("*.db"))
        assert "hi" in (home / "chat.md").read_text(encoding="utf-8")


def test_a_page_is_highlighted_and_has_its_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"dot")
    with Engine() as engine, Chat("demo-vision", host=engine.url) as chat:
        engine.say("A dot:\n\n```python\nprint('.')\n```\n")
        with pytest.raises(UserError, match="Nothing has been said"):
            chat.save(tmp_path / "chat.html")
        chat.send("what is this", images=[picture])
        chat.save(tmp_path / "chat.html")
        with pytest.raises(UserError, match="pdf"):
            chat.save(tmp_path / "chat.pdf")
        chat.clear()
        assert chat.messages == ()
    page = (tmp_path / "chat.html").read_text(encoding="utf-8")
    assert '<span class="nb">print</span>' in page
    assert 'src="data:image/png;base64,' in page


def test_a_chat_that_is_closed_says_so_and_still_has_what_was_said(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.say("Seven.")
        chat = Chat("demo", host=engine.url)
        chat.send("A prime?")
        chat.close()
        chat.close()
        for again in (lambda: chat.send("More."), chat.clear, lambda: chat.save(tmp_path / "chat.md")):
            with pytest.raises(UserError, match="This chat is closed"):
                again()
        assert [message.text for message in chat.messages] == ["A prime?", "Seven."]


def test_its_errors_are_chatclis_own() -> None:
    with Engine() as engine, Chat("nope", host=engine.url) as chat, pytest.raises(Missing, match="nope"):
        chat.send("hi")


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "{'ollama', 'httpx', 'rich', 'tiktoken', 'prompt_toolkit', 'typer', 'pydantic'}"
    code = f"import sys, chatcli; from chatcli import Chat; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_windows_memory_is_told_from_the_models_shape() -> None:
    info = {
        "general.architecture": "llama",
        "llama.block_count": 32,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
        "llama.embedding_length": 4096,
    }
    model = Model("llama3", trained=8192, info=info)
    assert memory_of_window(model, 8192) == 8192 * 32 * 8 * 128 * 2 * 2
    assert memory_of_window(Model("unknown"), 8192) is None
    assert next_window(5000, model) == 8192
    assert next_window(9000, model) is None
