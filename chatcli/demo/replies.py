"""Writes the demo engine's replies: a guided tour of chatcli (tour.md), picked by the words of the question.

The same messages always get the same reply. Every first reply says that there is no language model behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.demo.protocol import HttpRefusal
from chatcli.demo.request import DemoCall, DemoMessage
from chatcli.settings.strategies import STRATEGIES

_RECALLED = (
    "Earlier in this conversation (may be relevant):\n",
    "Said in other conversations (may be relevant):\n",
)
_PASSAGES = "From the attached files (passages that may answer this):\n"
_FILE_ENDS = re.compile(r"^\(end of ([^\n]+)\)(?:\n\n|\Z)", re.MULTILINE)
_TOO_LONG = re.compile(r"^\[File [^\n]+: too long to be sent whole;[^\n]*\](?:\n\n|\Z)", re.MULTILINE)
_SUMMARY = "Write a summary of our conversation so far"


def asks_for_summary(content: str) -> bool:
    return content.startswith(_SUMMARY)


def question_of(content: str) -> str:
    """Returns the question alone. If a question of several paragraphs follows a block, only the last one: nothing
    marks where a block with blank lines ends. Returns "" for files without a question.
    """
    ends = [
        found.end()
        for ending in (_FILE_ENDS, _TOO_LONG)
        for found in ending.finditer(content)
        if ending is _TOO_LONG or f"File {found[1]}:\n" in content[: found.start()]
    ]
    if ends:
        return content[max(ends) :]
    if content.startswith((*_RECALLED, _PASSAGES)):
        return content.rstrip().rpartition("\n\n")[2]
    return content


def without_recalled(content: str) -> str:
    """Returns the question with its files or passages of them, but without the recalled messages."""
    if not content.startswith(_RECALLED):
        return content
    kept = content.find(f"\n\n{_PASSAGES}")
    if kept < 0:
        kept = next((found.start() for found in re.finditer(r"\n\n\[?File [^\n]+[:\]]\n", content)), -1)
    return content[kept + 2 :] if kept >= 0 else question_of(content)


WORDS = 100

_SENTENCE = re.compile(r"[^\n.?]+[.?]?(?=\s|$)|[^\n.?]+[.?]\S*")
_DECIDES = re.compile(r"\b(?:decid|agree|chose|prefer|remember|deadline|budget|called|will|must)", re.IGNORECASE)


def summarise(texts: Iterable[str], words: int = WORDS) -> str:
    """Returns a list in Markdown of at most `words` words; the same texts give the same list."""
    sentences = [found[0].strip(" \t#>*-|") for text in texts for found in _SENTENCE.finditer(text)]
    distinct = list(dict.fromkeys(sentence for sentence in sentences if len(sentence.split()) > 2))
    chosen: set[str] = set()
    for sentence in sorted(distinct, key=_weight, reverse=True):
        if words - len(sentence.split()) >= 0:
            words -= len(sentence.split())
            chosen.add(sentence)
    kept = [f"- {sentence}" for sentence in distinct if sentence in chosen]
    return "\n".join(kept) or "- Nothing was said that could be kept."


def _weight(sentence: str) -> float:
    """Counts numbers, names in mid-sentence and words of deciding, per word."""
    words = sentence.split()
    telling = sum(any(character.isdigit() for character in word) for word in words)
    telling += sum(word[0].isupper() for word in words[1:])
    telling += 2 * len(_DECIDES.findall(sentence))
    return telling / (len(words) + 5)


def read_format(value: object) -> dict[str, Any] | None:
    """Returns the "format" of a body as a JSON Schema, or None; raises HttpRefusal (500) for anything else."""
    if value is None or value == "":
        return None
    if value == "json":
        return {"type": "object", "properties": {"reply": {"type": "string"}}}
    if not isinstance(value, dict):
        raise HttpRefusal(500, f'invalid format: "{value}"; expected "json" or a valid JSON Schema object')
    return value


def shaped(schema: dict[str, Any], words: str) -> Any:
    """Returns a value of the schema, with `words` where it asks for a string."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return shaped(schema[several][0], words)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: shaped(inner, words) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [shaped(schema.get("items", {}), words)] * max(1, schema.get("minItems", 1))
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, words) if isinstance(kind, str) else words


_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the JPEG segments that hold a size


def describe_picture(data: bytes) -> str:
    """Returns one sentence."""
    size = f"{len(data):,} bytes"
    for kind, look in (("PNG", _png), ("JPEG", _jpeg), ("GIF", _gif), ("WebP", _webp)):
        pixels = look(data)
        if pixels is not None and all(pixels):
            return f"a {kind} of {pixels[0]} × {pixels[1]} pixels, {size}"
    return f"a file whose kind I cannot tell, {size}"


def _png(data: bytes) -> tuple[int, int] | None:
    return _big(data[16:20], data[20:24]) if data.startswith(b"\x89PNG\r\n\x1a\n") else None


def _gif(data: bytes) -> tuple[int, int] | None:
    return _little(data[6:8], data[8:10]) if data[:6] in {b"GIF87a", b"GIF89a"} else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The first frame holds the size; the segments before it are skipped by their lengths."""
    at = 2
    while data.startswith(b"\xff\xd8\xff") and at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return _big(data[at + 7 : at + 9], data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        width, height = _little(data[24:27], data[27:30])
        return width + 1, height + 1
    if data[12:16] == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = _little(data[26:28], data[28:30])
    return width & 0x3FFF, height & 0x3FFF


def _big(width: bytes, height: bytes) -> tuple[int, int]:
    return int.from_bytes(width), int.from_bytes(height)


def _little(width: bytes, height: bytes) -> tuple[int, int]:
    return int.from_bytes(width, "little"), int.from_bytes(height, "little")


NO_MODEL = (
    "> **No language model is behind this.** chatcli's demo engine answers with prepared text; "
    "the protocol, the window and the token counts are real."
)
STOPS = ("markdown", "memory", "tokens", "image", "commands", "chats", "pipes", "long")
_QUOTED = 400  # characters of a question that the reply quotes


@dataclass(frozen=True, slots=True)
class DemoReply:
    """`calls`: the tool calls it asks for, in chunks of their own, or in the last chunk when they are `late`.
    `written`: what the model writes for them; None: what its template has.
    """

    content: str
    thinking: str = ""
    calls: tuple[DemoCall, ...] = ()
    late: bool = False
    written: str | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    words: frozenset[str]
    text: str


def reply(messages: Sequence[DemoMessage], schema: dict[str, Any] | None = None) -> DemoReply:
    """Returns the reply to the last message; if that is an interrupted reply, the rest of it."""
    if messages[-1].role == "assistant":
        return _rest(messages, schema)
    if messages[-1].role == "tool":
        return DemoReply(_introduced(messages, _about_results(messages)))
    question = messages[-1]
    if schema is not None:
        return DemoReply(json.dumps(shaped(schema, "No language model is behind this."), ensure_ascii=False))
    if asks_for_summary(question.content):
        said = [message.content for message in messages[:-1] if message.role != "system"]
        return DemoReply(summarise(said), "I take the sentences with names, numbers and decisions in them.")
    return _talk(messages, question)


def _talk(messages: Sequence[DemoMessage], question: DemoMessage) -> DemoReply:
    asked = question_of(question.content)
    part = _part_for(messages, asked)
    if question.images:
        said = _about_pictures(question)
    elif part.name == "unsure":
        said = f"{part.text}\n\n{_quoted(without_recalled(question.content))}"
    else:
        said = part.text
    return DemoReply(_introduced(messages, said), _thoughts(asked, part))


def _introduced(messages: Sequence[DemoMessage], said: str) -> str:
    earlier = any(message.role == "assistant" and message.content for message in messages)
    return said if earlier else f"{NO_MODEL}\n\n{said}"


def _about_results(messages: Sequence[DemoMessage]) -> str:
    """Quotes the first line of each result of the last round."""
    results = list(takewhile(lambda message: message.role == "tool", reversed(messages)))[::-1]
    lines = [(result.tool or "a tool", next(iter(result.content.splitlines()), "")) for result in results]
    return "\n".join(f"The result of `{tool}` begins: {line or '(nothing)'}" for tool, line in lines)


def _rest(messages: Sequence[DemoMessage], schema: dict[str, Any] | None) -> DemoReply:
    *before, begun = messages
    if before and before[-1].role != "assistant":
        whole = reply(before, schema).content
        if whole.startswith(begun.content) and whole != begun.content:
            return DemoReply(whole.removeprefix(begun.content))
    return DemoReply(" And that is where it ends: the rest was never written.")


def _part_for(messages: Sequence[DemoMessage], question: str) -> _Part:
    """Returns the part that shares the most words with the question; of equals the later, more special one."""
    words = frozenset(re.findall(r"\w+", question.lower()))
    parts = _parts()
    if words & {"next", "weiter"} and len(words) <= 3:
        return parts[_next_stop(messages)]
    best = max(reversed(parts.values()), key=lambda part: len(part.words & words))
    return best if best.words & words else parts["unsure"]


def _next_stop(messages: Sequence[DemoMessage]) -> str:
    """Returns the stop after the last one shown; after the last of all, the first again."""
    said = [message.content for message in reversed(messages) if message.role == "assistant"]
    for content in said:
        for at, name in enumerate(STOPS):
            if _parts()[name].text.splitlines()[0] in content:
                return STOPS[(at + 1) % len(STOPS)]
    return STOPS[0]


def _about_pictures(question: DemoMessage) -> str:
    count = len(question.images)
    told = "\n".join(f"{at}. {describe_picture(image)}" for at, image in enumerate(question.images, 1))
    arrived = "One picture has arrived" if count == 1 else f"{count} pictures have arrived"
    return (
        f"## {arrived}\n\n{told}\n\n"
        "That much the file itself says. Nobody has looked at it, so what it shows is not known; a model with "
        "vision would tell you.\n\n"
        "It stays in the conversation and goes along with later questions, as long as the budget has room for it. "
        "`/context` shows what it costs."
    )


def _quoted(text: str) -> str:
    shown = text if len(text) <= _QUOTED else text[:_QUOTED] + " …"
    return "\n".join(f"> {line}" for line in shown.splitlines()) or "> (nothing)"


def _thoughts(question: str, part: _Part) -> str:
    """Returns the thinking; only a model that can think sends it."""
    count = len(question.split())
    known = sorted(part.words & set(re.findall(r"\w+", question.lower())))
    why = f"I know {', '.join(known)}, so the part about {part.name} fits." if known else "I know none of them."
    return (
        f"The question has {count} word{'' if count == 1 else 's'}. {why} There is no model in here, so these are "
        "no thoughts either, only a text that takes their place: it shows how chatcli folds them."
    )


@cache
def _parts() -> dict[str, _Part]:
    """Returns the parts of tour.md by name, in order. Each begins with `=== name: words that lead to it`; in place
    of {strategies} come the rows of that table.
    """
    text = Path(__file__).with_name("tour.md").read_text(encoding="utf-8")
    text = text.replace("{strategies}", "\n".join(f"| `{each.name}` | {each.help} |" for each in STRATEGIES))
    found = re.findall(r"^=== (\w+):(.*)\n([\s\S]*?)(?=^=== |\Z)", text, re.MULTILINE)
    return {name: _Part(name, frozenset(words.split()), body.strip()) for name, words, body in found}
