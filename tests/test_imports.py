"""What an imported conversation may bring: no settings that read, send or cost more than itself, no files except
pictures of its own export, and no more than there is room for.
"""

from __future__ import annotations

import base64
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatcli.commands import everything
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.errors import BadFile, UserError
from chatcli.reading import zips
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import NAMED_HERE, Layer, Settings
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE
from chatcli.store import transfer
from chatcli.store.import_chat import ImportedChat, chat_of
from chatcli.store.store import Store
from chatcli.store.transfer import export, read_chat, read_chats
from tests.commanding import say
from tests.faults import Engine

PNG = b"\x89PNG\r\n\x1a\n and so on"
# Of a setting: a value that a conversation from outside may bring ("": none), and ones that it may not. One that
# is not here may not be set at all.
FROM_OUTSIDE: dict[str, tuple[str, tuple[str, ...]]] = {
    "model": (
        "llama3.2",
        ("/etc/passwd", "~/x", "file:///x", "evil.example/x", "gpt-oss:120b-cloud", "glm:cloud"),
    ),
    "system": ("Be brief.", ()),
    "format": ("json", ("/etc/passwd", "schema.json", "~/secret.json", "@/etc/passwd", "file:///x")),
    "think": ("low", ("loud",)),
    "keep_alive": ("", ("-1", "5m")),
    "strategy": ("summary", ("other",)),
    "window_messages": ("7", ("-1",)),
    "history_budget": ("4096", ()),
    "keep_recent": ("4", ()),
    "summary_model": ("", ("llama3.2", "gpt-oss:120b-cloud")),
    "memory": ("off", ("on",)),
    "recall": ("off", ("always",)),
    "recall_share": ("30%", ()),
    "recall_patience": ("off", ()),
    "document_share": ("30%", ()),
    "embedding_model": ("", ("nomic-embed-text",)),
    "tools": ("off", ("on", "calculate", "run")),
    "tool_share": ("30%", ()),
    "reserve": ("512", ()),
    "truncate": ("off", ()),
    "shift": ("off", ()),
    "tokenizer": ("", ("model",)),
    "thinking": ("", ("show",)),
    "verbose": ("", ("on",)),
    "plain": ("", ("on",)),
    "theme": ("", ("light",)),
    "code_theme": ("", ("monokai",)),
    "host": ("", ("http://evil.example", "127.0.0.1")),
    "history": ("", ("off", "on")),
    "save": ("", ("off", "on")),
    "vi": ("", ("on",)),
    "generate": ("on", ()),
    "complete": ("on", ()),
    "num_ctx": ("8192", ("1m", "2147483647", "9" * 5000)),
    "num_predict": ("100", ()),
    "temperature": ("0.123456789", ("nan",)),
    "seed": ("1", ()),
    "top_k": ("1", ()),
    "top_p": ("0.5", ()),
    "min_p": ("0.5", ()),
    "typical_p": ("0.5", ()),
    "repeat_last_n": ("64", ()),
    "repeat_penalty": ("1.1", ()),
    "presence_penalty": ("1", ()),
    "frequency_penalty": ("1", ()),
    "stop": ('"END"', ()),
    "num_keep": ("4", ()),
    "num_batch": ("", ("512",)),
    "num_gpu": ("", ("99",)),
    "main_gpu": ("", ("1",)),
    "use_mmap": ("", ("on",)),
    "num_thread": ("", ("64",)),
    "draft_num_predict": ("", ("64",)),
}


def imported(settings: dict[str, Any]) -> ImportedChat:
    return read_chat(json.dumps({"messages": [{"role": "user", "content": "hi"}], "settings": settings}))


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_an_import_sets_only_what_is_harmless_and_the_rest_is_named(setting: Setting[Any]) -> None:
    harmless, harmful = FROM_OUTSIDE.get(setting.name, ("", setting.kind.words or ("1",)))
    for name in (setting.name, *setting.aliases):
        if harmless:
            chat = imported({name: harmless})
            assert chat.conversation.settings == {setting.name: harmless}
            assert chat.repairs == []
        for value in harmful:
            chat = imported({name: value})
            assert chat.conversation.settings == {}, "an import may set it: FROM_OUTSIDE is to say to what"
            (repair,) = chat.repairs
            assert f"the setting {name} " in repair
            assert "left out" in repair


def test_a_schema_that_an_import_brings_itself_names_no_file() -> None:
    for schema in ({"type": "object"}, '{"type": "object"}'):
        assert imported({"format": schema}).conversation.settings == {"format": '{"type": "object"}'}


@pytest.mark.parametrize("value", [None, {}, [[1]], {"a": {}}, 1e999, "x" * 100_000, "\ud800"])
def test_what_is_no_value_of_a_setting_comes_to_nothing(value: Any) -> None:
    for setting in TABLE:
        chat = imported({setting.name: value, "from_the_future": value, NAMED_HERE: value})
        Settings().take_up(chat.conversation.settings)
        assert NAMED_HERE not in chat.conversation.settings


def schema(path: Path) -> Path:
    path.write_text('{"type": "object", "title": "my secret"}')
    return path


def sent(engine: Engine) -> str:
    return json.dumps([chat.get("format") for chat in engine.chats])


def test_a_file_that_an_import_names_does_not_go_to_the_server(engine: Engine, tmp_path: Path) -> None:
    secret = schema(tmp_path / "secret.json")
    file = tmp_path / "chat.json"
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    file.write_text(json.dumps({"messages": messages, "settings": {"format": str(secret)}}))
    session = build(Wishes({"host": engine.url, "model": "demo"}))
    outcome = everything().dispatch(session, f"import {file}")
    assert "the setting format" in str(outcome)
    say(session, "one")
    session.close()
    session = build(Wishes({"host": engine.url}, resume=True))
    say(session, "two")
    session.close()
    assert len(engine.chats) == 2
    assert "my secret" not in sent(engine)


def test_a_file_that_an_older_import_left_in_the_store_is_not_read(engine: Engine, tmp_path: Path) -> None:
    secret = schema(tmp_path / "secret.json")
    session = build(Wishes({"host": engine.url, "model": "demo"}))
    stored = chat_of([Message.user("hi"), Message.assistant("yes")], "Old").conversation
    stored.settings = {"format": str(secret), "model": "demo"}
    session.store.take_in(stored)
    session.close()
    for opened in (Wishes({"host": engine.url}, resume=True), Wishes({"host": engine.url})):
        session = build(opened)
        told = "".join(map(str, session.warnings))
        if not opened.resume:
            told = str(everything().dispatch(session, "load Old"))
        if not engine.chats:
            assert "format (it names a file" in told
        say(session, "and?")
        session.close()
    assert len(engine.chats) == 2
    assert "my secret" not in sent(engine)


def test_a_file_that_was_named_here_is_taken_up_again(engine: Engine, tmp_path: Path) -> None:
    mine = schema(tmp_path / "mine.json")
    session = build(Wishes({"host": engine.url, "model": "demo"}))
    everything().dispatch(session, f"set format {mine}")
    say(session, "one")
    text = export(session.store.whole(session.conversation.id), "json")
    session.close()
    session = build(Wishes({"host": engine.url}, resume=True))
    assert session.warnings == ()
    say(session, "two")
    session.close()
    assert [chat["format"]["title"] for chat in engine.chats] == ["my secret"] * 2
    assert NAMED_HERE not in text
    assert "format" not in read_chat(text).conversation.settings


def test_a_saved_model_sets_no_more_than_a_file(session: Session, engine: Engine) -> None:
    say(session, "hello")
    everything().dispatch(session, "set num_ctx 262144")
    engine.forget()
    outcome = everything().dispatch(session, "save --model saved")
    for _ in getattr(outcome, "progress", ()):
        pass
    told = str(everything().dispatch(session, "import --model saved"))
    assert "the setting num_ctx (262144) is left out" in told


# Pictures


def chatgpt(*pointers: str) -> dict[str, Any]:
    parts: list[Any] = [{"content_type": "image_asset_pointer", "asset_pointer": pointer} for pointer in pointers]
    content = {"content_type": "multimodal_text", "parts": [*parts, "What is it?"]}
    message = {"author": {"role": "user"}, "content": content}
    return {"title": "T", "mapping": {"q": {"parent": None, "message": message}}, "current_node": "q"}


def beside(place: Path, pointer: str) -> ImportedChat:
    source = place / "conversations.json"
    source.write_text(json.dumps([chatgpt(pointer)]))
    return read_chat(source)


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(PNG)
    path.symlink_to(target)


def _linked_folder(place: Path) -> None:
    (place.parent / "private").mkdir()
    (place.parent / "private" / "file-abc.png").write_bytes(PNG)
    (place / "user-x").symlink_to(place.parent / "private")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(PNG)
        file.truncate(60_000_000)


NO_PICTURES: dict[str, Callable[[Path], object]] = {
    "a text": lambda place: (place / "file-abc.txt").write_text("my secret"),
    "a text called a picture": lambda place: (place / "file-abc.png").write_text("my secret"),
    "an SVG": lambda place: (place / "file-abc.png").write_text("<svg/>"),
    "an empty file": lambda place: (place / "file-abc.png").write_bytes(b""),
    "a link out": lambda place: _link(place / "file-abc.png", place.parent / "private" / "cat.png"),
    "a link inside": lambda place: _link(place / "file-abc.png", place / "cat.png"),
    "a linked folder": _linked_folder,
    "a pipe": lambda place: os.mkfifo(place / "file-abc.png"),
    "a device": lambda place: (place / "file-abc.png").symlink_to("/dev/zero"),
    "a folder": lambda place: (place / "file-abc.png").mkdir(),
    "too large": lambda place: _sparse(place / "file-abc.png"),
    "another's": lambda place: (place / "file-abcdef.png").write_bytes(PNG),
    "nothing": lambda _: None,
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices are POSIX")
@pytest.mark.parametrize("what", NO_PICTURES)
def test_an_export_brings_no_file_that_is_no_picture_of_its_own(what: str, tmp_path: Path) -> None:
    place = tmp_path / "export"
    place.mkdir()
    NO_PICTURES[what](place)
    chat = beside(place, "file-service://file-abc")
    assert chat.messages == (Message.user("What is it?"),)
    (repair,) = chat.repairs
    assert "picture" in repair


@pytest.mark.parametrize(
    "pointer",
    [
        "secretfile",
        "../file-abc",
        "..",
        "/etc/passwd",
        "*",
        "file-",
        "file_?",
        "IMG",
        "file-[a]bc",
        "sub/file-abc",
    ],
)
def test_only_what_is_called_like_a_file_of_an_export_is_looked_for(pointer: str, tmp_path: Path) -> None:
    place = tmp_path / "export"
    (place / "sub").mkdir(parents=True)
    for name in ("secretfile.png", "IMG_1.png", "sub/file-abc.png", "../file-abc.png", "file-xyz.png"):
        (place / name).write_bytes(PNG)
    chat = beside(place, f"file-service://{pointer}")
    assert chat.messages[0].attachments == ()
    assert chat.repairs


def test_pictures_of_an_export_are_taken(tmp_path: Path) -> None:
    for name in ("file-abc-cat.png", "file-abcdef.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    chat = beside(tmp_path, "file-service://file-abc")
    assert [each.data for each in chat.messages[0].attachments] == [PNG + b"file-abc-cat.png"]
    assert chat.repairs == []


@pytest.mark.parametrize("data", [b"my secret", b"<svg onload=x>", b"", b"RIFF1234AVI ", b"BM1234"])
def test_no_importer_takes_something_else_as_a_picture(data: bytes, tmp_path: Path) -> None:
    written = base64.b64encode(data).decode()
    url = f"data:image/png;base64,{written}"
    ours = {"kind": "image", "name": "a.png", "media_type": "image/png", "data": written}
    for message in (
        {"role": "user", "content": "hi", "images": [written]},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"image_url": {"url": url}}]},
        {"role": "user", "content": "hi", "attachments": [ours]},
    ):
        chat = read_chat(json.dumps([message]))
        assert chat.messages == (Message.user("hi"),)
        assert len(chat.repairs) == 1
    history = {"messages": {"q": {"role": "user", "content": "hi", "files": [{"type": "image", "url": url}]}}}
    assert read_chat(json.dumps({"chat": {"history": history}})).messages == (Message.user("hi"),)
    packed = zipped({"conversations.json": json.dumps([chatgpt("x://file-a")]).encode(), "file-a.png": data})
    assert read_chat(saved(tmp_path, packed)).messages == (Message.user("What is it?"),)


def test_a_picture_named_a_thousand_times_is_in_memory_once(tmp_path: Path) -> None:
    conversations = json.dumps([chatgpt(*["x://file-a"] * 1000)]).encode()
    chat = read_chat(saved(tmp_path, zipped({"conversations.json": conversations, "file-a.png": PNG})))
    assert len({id(each.data) for each in chat.messages[0].attachments}) == 1
    assert len(chat.messages[0].attachments) == 1000


def test_all_pictures_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LARGEST_FILES", len(PNG))
    files = {f"file-{at}.png": PNG for at in range(5)}
    conversations = json.dumps([chatgpt(*(f"x://file-{at}" for at in range(5)))]).encode()
    chat = read_chat(saved(tmp_path, zipped({"conversations.json": conversations, **files})))
    assert len(chat.messages[0].attachments) == 2
    assert len(chat.repairs) == 3


# ZIPs


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return made.getvalue()


def saved(place: Path, data: bytes) -> Path:
    (place / "export.zip").write_bytes(data)
    return place / "export.zip"


SMALL = json.dumps([chatgpt()]).encode()


def _flagged(data: bytes) -> bytes:
    changed = bytearray(data)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = changed.find(mark)
        while place >= 0:
            changed[place + at] |= 1
            place = changed.find(mark, place + 4)
    return bytes(changed)


def _method(data: bytes, number: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<H", changed, data.find(b"PK\x03\x04") + 8, number)
    struct.pack_into("<H", changed, data.find(b"PK\x01\x02") + 10, number)
    return bytes(changed)


def _lying(data: bytes, size: int) -> bytes:
    """The size in both headers, which is what is believed."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, data.find(b"PK\x03\x04") + 22, size)
    struct.pack_into("<I", changed, data.find(b"PK\x01\x02") + 24, size)
    return bytes(changed)


def _damaged(data: bytes) -> bytes:
    begin = 30 + len("conversations.json")
    return data[:begin] + b"\xff" * 20 + data[begin + 20 :]


ODD_ZIPS = {
    "says a gigabyte": (
        _lying(zipped({"conversations.json": SMALL}), 1_000_000_000),
        "unpacks to more than 256 MB",
    ),
    "says less than it has": (_lying(zipped({"conversations.json": SMALL}), 9), "cannot be unpacked"),
    "encrypted": (_flagged(zipped({"conversations.json": SMALL})), "encrypted"),
    "bzip2": (zipped({"conversations.json": SMALL}, zipfile.ZIP_BZIP2), "in a way that is not read"),
    "LZMA": (zipped({"conversations.json": SMALL}, zipfile.ZIP_LZMA), "in a way that is not read"),
    "AES": (_method(zipped({"conversations.json": SMALL}), 99), "in a way that is not read"),
    "nested": (zipped({"inner.zip": zipped({"conversations.json": SMALL})}), "no conversations.json"),
    "empty": (zipped({}), "no conversations.json"),
    "damaged": (_damaged(zipped({"conversations.json": SMALL})), "cannot be unpacked"),
    "a conversation that is a ZIP": (zipped({"conversations.json": zipped({"x": b"y"})}), "neither JSON"),
}


@pytest.mark.parametrize("what", ODD_ZIPS)
def test_an_odd_zip_is_refused_with_what_is_odd_about_it(what: str, tmp_path: Path) -> None:
    data, words = ODD_ZIPS[what]
    with pytest.raises(UserError, match=words) as caught:
        read_chats(saved(tmp_path, data))
    assert caught.value.hint


def test_a_zip_that_unpacks_to_a_gigabyte_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed, packed.open("conversations.json", "w") as member:
        for _ in range(300):
            member.write(b" " * 1_000_000)
    assert path.stat().st_size < 2_000_000
    read: list[int] = []
    with zips.opened(path, "it") as opened:
        (member_info,) = opened.members()
        opened._archive.open = lambda *_: read.append(1)  # type: ignore[assignment,method-assign]
        with pytest.raises(BadFile, match="unpacks to more than"):
            opened.read(member_info, transfer.LARGEST_CONVERSATIONS)
    assert read == []
    with pytest.raises(BadFile, match="unpacks to more than 256 MB"):
        read_chats(path)


def test_a_zip_of_endlessly_many_members_is_refused_before_they_are_looked_at() -> None:
    data = zipped({f"{at}": b"" for at in range(2000)})
    with pytest.raises(BadFile, match="too many members"), zips.opened(data, "it", longest_list=50_000):
        pass
    with zips.opened(data, "it", longest_list=500_000) as opened:
        assert len(opened.members()) == 2000


# Depth


def deep(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def called(arguments: Any) -> str:
    call = {"function": {"name": "f", "arguments": arguments}}
    return json.dumps(
        [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
    )


@pytest.mark.parametrize("arguments", ["[" * 5000, deep(5000), deep(150), "9" * 5000, "[" * 300 + "]" * 300])
def test_arguments_of_a_tool_that_go_too_deep_stay_text(arguments: str, session: Session) -> None:
    chat = read_chat(called(arguments))
    assert chat.messages[1].tool_uses == (ToolUse("f", {"text": arguments}),)
    stored = session.store.whole(session.store.take_in(chat.conversation).id)
    for form in ("json", "jsonl"):
        assert read_chat(export(stored, form)).messages == chat.messages


def test_arguments_as_deep_as_is_taken_come_through_every_export(session: Session) -> None:
    chat = read_chat(called(json.loads(deep(100))))
    stored = session.store.whole(session.store.take_in(chat.conversation).id)
    for form in ("json", "jsonl"):
        assert read_chat(export(stored, form)).messages == chat.messages
    too_deep = read_chat(called(json.loads(deep(101))))
    assert list(too_deep.messages[1].tool_uses[0].arguments) == ["text"]


@pytest.mark.parametrize("depth", [250, 900])
def test_what_an_older_version_took_in_can_be_opened_and_exported(depth: int, tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        deep_value: Any = json.loads(deep(depth))
        message = Message(Role.ASSISTANT, "yes", tool_uses=(ToolUse("f", deep_value),))
        number = store.take_in(chat_of([Message.user("hi"), message], "Old").conversation).id
    with Store.open(tmp_path / "store.db") as store:
        whole = store.whole(number)
        (use,) = whole.path()[1].message.tool_uses
        assert '"a":{"a":' in use.arguments["text"]
        for form in ("json", "jsonl", "md", "html"):
            assert export(whole, form)
        assert read_chat(export(whole, "json")).messages[1].tool_uses == (use,)


@pytest.mark.parametrize(
    "turn",
    [
        {"model": 5},
        {"model": "m", "usage": {"prompt_tokens": "many"}},
        {"model": "m", "usage": {"prompt_seconds": [1]}},
        {"model": "m", "planned": {"tokens": {}, "exact": True}},
        {"model": "m", "options": {"a": {"b": {}}}},
        {"model": "m", "first_token_seconds": "soon"},
        {"model": "m", "read": "much"},
        {"model": "m", "quoted": None},
        {"model": "m", "server": 5},
    ],
)
def test_a_turn_of_values_that_no_turn_has_is_left_out(turn: Any, session: Session) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes", "turn": turn}]
    chat = read_chat(json.dumps({"messages": messages}))
    assert chat.repairs == ["message 2: its turn cannot be read; left out"]


@pytest.mark.parametrize("state", [{"reserve": "much"}, {"summary": {"text": 5, "upto": 1}}])
def test_a_state_of_values_that_no_state_has_begins_anew(state: Any) -> None:
    messages = [{"id": 1, "role": "user", "content": "hi"}]
    chat = read_chat(json.dumps({"messages": messages, "state": state}))
    assert chat.repairs == ["the state of the context could not be read; it starts empty"]


def test_a_setting_that_was_set_here_is_kept_whatever_it_is() -> None:
    settings = Settings()
    settings.put("summary_model", "other", Layer.SET)
    settings.put("recall", "always", Layer.SET)
    kept = settings.kept()
    again = Settings()
    assert again.take_up(kept) == []
    assert (again[table.SUMMARY_MODEL], again[table.RECALL]) == ("other", "always")
