"""Reads ChatGPT's export: conversations.json (one file, several, or the ZIP around them), with all branches.

What ChatGPT does not show as a message is left out: settings, hidden messages, searches, tool calls; the last two
are named. The code it ran and its output are kept. Pictures are beside the file, or in the ZIP. DeepSeek's export
has the same tree, with other messages in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.conversation.tree import Ended
from chatcli.errors import BadData, BadFile
from chatcli.reading.json_toml import read_json
from chatcli.reading.signatures import what_else
from chatcli.store.import_chat import ImportedChat, Seed, grown, turn_of
from chatcli.store.import_message import listed, mapped, picture, read_message, read_time
from chatcli.text import as_name

# Returns the bytes of the file whose name begins so (None: no such file). Raises BadFile when it is unreadable.
Files = Callable[[str], bytes | None]

# Newer exports leave out the content type of a text.
_TEXTS = {"text", "multimodal_text", None}
# What belongs to another message, or to the settings.
_ASIDE = {"thoughts", "reasoning_recap", "user_editable_context", "model_editable_context"}
_CODE, _OUTPUT = "code", "execution_output"
# The recipient of an assistant message: everybody, or a tool. Only Python code and documents are kept of tools.
_EVERYBODY, _PYTHON, _DOCUMENT = {"all", "", None}, "python", "canmore.create_textdoc"
# Files of an export are called file-abc... or file_000...: no other file beside it is ever opened.
_POINTER = re.compile(r"://(file[-_][\w-]+)")
# Marks of citations and of widgets, in private-use characters around them.
_MARKS = re.compile("\ue200[^\ue201]*\ue201|[\ue200-\ue206]")
_FINISHED = {"max_tokens": Ended.LENGTH, "interrupted": Ended.STOPPED}


def is_chatgpt(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("mapping"), dict)


def read_chatgpt(value: Mapping[str, Any], files: Files) -> ImportedChat:
    """Reads {"title", "create_time", "mapping": {id: {"message", "parent"}}, "current_node"}."""
    repairs: list[str] = []
    mapping = {name: mapped(node) for name, node in mapped(value.get("mapping")).items()}
    spoken: dict[str, Message] = {}
    left_out: list[str] = []
    for place, (name, node) in enumerate(mapping.items(), start=1):
        about = node["message"] = _in_one_form(mapped(node.get("message")))
        message = _message(about, f"message {place}", files, repairs, left_out)
        if message is not None:
            spoken[name] = message
    if left_out:
        repairs.append(f"searches and tool calls are left out: {', '.join(dict.fromkeys(left_out))}")
    seeds = [_seed(name, message, mapping, spoken) for name, message in spoken.items()]
    tip = value.get("current_node")
    if isinstance(tip, str) and tip not in spoken:
        tip, _ = _above(tip, mapping, spoken)
    return grown(value.get("title"), seeds, tip, read_time(value.get("create_time")), repairs)


def _seed(name: str, message: Message, mapping: Mapping[str, dict[str, Any]], spoken: Container[str]) -> Seed:
    about = mapped(mapping[name].get("message"))
    parent, thoughts = _above(name, mapping, spoken)
    thoughts += _thoughts(about)
    if message.role is Role.ASSISTANT:
        message = replace(message, thinking="\n\n".join(thoughts))
    meta = mapped(about.get("metadata"))
    ended = _FINISHED.get(str(mapped(meta.get("finish_details")).get("type")), Ended.COMPLETE)
    created = read_time(about.get("create_time"))
    return Seed(name, parent, message, created, ended, turn_of(message, meta.get("model_slug")))


def _in_one_form(about: dict[str, Any]) -> dict[str, Any]:
    """Returns DeepSeek's message as ChatGPT's: it has {"fragments": [{"type": "REQUEST", "content"}, ...]}."""
    fragments = [mapped(each) for each in listed(about.get("fragments"))]
    if not fragments:
        return about
    said = [each.get("content") for each in fragments if each.get("type") in {"REQUEST", "RESPONSE"}]
    thoughts = [each for each in fragments if each.get("type") == "THINK"]
    role = "user" if any(each.get("type") == "REQUEST" for each in fragments) else "assistant"
    return {
        "author": {"role": role},
        "content": {"parts": said, "thoughts": thoughts},
        "create_time": about.get("inserted_at"),
        "metadata": {"model_slug": about.get("model")},
    }


def _message(
    about: Mapping[str, Any], where: str, files: Files, repairs: list[str], left_out: list[str]
) -> Message | None:
    """Returns None for an item that ChatGPT does not show; names in `left_out` the tool of a call."""
    content, meta = about.get("content"), mapped(about.get("metadata"))
    content = {"text": content} if isinstance(content, str) else mapped(content)
    role, kind = mapped(about.get("author")).get("role"), content.get("content_type")
    if meta.get("is_visually_hidden_from_conversation") or str(about.get("channel")) in {"analysis", "commentary"}:
        return None
    recipient = about.get("recipient") if isinstance(about.get("recipient"), str) else None
    role, kind = (each if isinstance(each, str) else None for each in (role, kind))
    text = _tool_text(str(recipient), str(kind), content)
    if text is None and (recipient not in _EVERYBODY or kind not in {*_TEXTS, _OUTPUT, _CODE}):
        if kind not in _ASIDE and role not in {"tool", "system"}:
            left_out.append(as_name((kind if recipient in _EVERYBODY else recipient) or "")[:40])
        return None
    if text is None and role == "tool" and kind not in {"multimodal_text", _OUTPUT}:
        return None  # a search result, or a note to the model
    parts = [text] if text is not None else listed(content.get("parts")) or [content.get("text")]
    texts = [_MARKS.sub("", said) for part in parts if (said := _words(part)).strip()]
    pictures = list(_pictures(parts, where, files, repairs))
    if role == "user":
        repairs += [f"{where}: the file {name} is not read" for name in _other_files(meta)]
        if not texts and not pictures and any(map(mapped, parts)):
            texts = ["[picture]"]  # a reply must not be left without its question
    if not texts and not pictures:
        return None
    message = read_message({"role": role, "content": "\n".join(texts)}, where, {}, repairs)
    if message is None:
        return None
    drawn = message.role is Role.TOOL and bool(pictures)  # a picture that the model made
    role = Role.ASSISTANT if drawn else message.role
    return replace(message, role=role, attachments=tuple(pictures))


def _tool_text(recipient: str, kind: str, content: Mapping[str, Any]) -> str | None:
    """Returns Python code, or a document that the model wrote, as Markdown text. None when it is neither."""
    parts = [part for part in listed(content.get("parts")) if isinstance(part, str)]
    written = str(content.get("text") or "\n".join(parts))
    if recipient == _PYTHON or (kind == _CODE and recipient in {"all", "None", ""}):
        language = str(content.get("language") or "").replace("unknown", "") or (
            "python" if recipient == _PYTHON else ""
        )
        return f"```{language}\n{written}\n```" if written.strip() else None
    if recipient == _DOCUMENT:
        with suppress(BadData):
            return str(mapped(read_json(written)).get("content") or "")
    return None


def _words(part: Any) -> str:
    """Returns the text of the part, or the transcript of what was spoken."""
    text = mapped(part).get("text", part)
    return text if isinstance(text, str) else ""


def _pictures(parts: list[Any], where: str, files: Files, repairs: list[str]) -> Iterator[Attachment]:
    for place, part in enumerate(map(mapped, parts), start=1):
        pointer = part.get("asset_pointer")
        if not isinstance(pointer, str) or part.get("content_type") != "image_asset_pointer":
            continue
        name = _POINTER.search(pointer)
        try:
            data = files(name[1]) if name else None
        except BadFile as error:
            repairs.append(f"{where}: its picture is left out: {error.message.rstrip('.')}")
            continue
        if data is None:
            repairs.append(f"{where}: its picture is not beside the file")
        elif found := picture(data, place):
            yield found
        else:
            repairs.append(f"{where}: its picture is {what_else(data)}; left out")


def _other_files(meta: Mapping[str, Any]) -> Iterator[str]:
    for about in map(mapped, listed(meta.get("attachments"))):
        if not str(about.get("mime_type") or about.get("mimeType") or "").startswith("image/"):
            yield repr(str(about.get("name") or "")[:60])


def _above(name: str, mapping: Mapping[str, Any], spoken: Container[str]) -> tuple[str | None, list[str]]:
    """Returns the nearest ancestor that is a message, and the thinking on the way from there."""
    thoughts: list[str] = []
    seen: set[str] = set()
    at = mapped(mapping.get(name)).get("parent")
    while isinstance(at, str) and at in mapping and at not in spoken and at not in seen:
        seen.add(at)
        thoughts[:0] = _thoughts(mapped(mapping[at].get("message")))
        at = mapping[at].get("parent")
    return at if isinstance(at, str) and at in spoken else None, thoughts


def _thoughts(about: Mapping[str, Any]) -> list[str]:
    thoughts = listed(mapped(about.get("content")).get("thoughts"))
    return [said for each in thoughts if isinstance(said := mapped(each).get("content"), str) and said]
