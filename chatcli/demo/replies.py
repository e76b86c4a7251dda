"""What the demo engine says: a guided tour of chatcli (tour.md), chosen by the words of the question.

The same messages always get the same reply. Every first reply says that no language model is behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chatcli.demo.pictures import describe_picture
from chatcli.demo.question import asks_for_summary, question_of, without_recalled
from chatcli.demo.request import Message
from chatcli.demo.shapes import shaped
from chatcli.demo.summaries import summarise

NO_MODEL = (
    "> **No language model is behind this.** chatcli's demo engine answers with prepared text; "
    "the protocol, the window and the token counts are real."
)
STOPS = ("markdown", "memory", "tokens", "image", "commands", "chats", "pipes", "long")
_QUOTED = 400  # characters of a question that is given back


@dataclass(frozen=True, slots=True)
class Reply:
    content: str
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    words: frozenset[str]
    text: str


def reply(messages: Sequence[Message], schema: dict[str, Any] | None = None) -> Reply:
    """The reply to the last message; where that is a reply itself, broken off, what is missing of it."""
    if messages[-1].role == "assistant":
        return _rest(messages, schema)
    question = messages[-1]
    if schema is not None:
        return Reply(json.dumps(shaped(schema, "No language model is behind this."), ensure_ascii=False))
    if asks_for_summary(question.content):
        said = [message.content for message in messages[:-1] if message.role != "system"]
        return Reply(summarise(said), "I take the sentences with names, numbers and decisions in them.")
    return _talk(messages, question)


def _talk(messages: Sequence[Message], question: Message) -> Reply:
    asked = question_of(question.content)
    part = _part_for(messages, asked)
    if question.images:
        said = _about_pictures(question)
    elif part.name == "unsure":
        said = f"{part.text}\n\n{_quoted(without_recalled(question.content))}"
    else:
        said = part.text
    earlier = any(message.role == "assistant" for message in messages)
    return Reply(said if earlier else f"{NO_MODEL}\n\n{said}", _thoughts(asked, part))


def _rest(messages: Sequence[Message], schema: dict[str, Any] | None) -> Reply:
    *before, begun = messages
    if before and before[-1].role != "assistant":
        whole = reply(before, schema).content
        if whole.startswith(begun.content) and whole != begun.content:
            return Reply(whole.removeprefix(begun.content))
    return Reply(" And that is where it ends: the rest was never written.")


def _part_for(messages: Sequence[Message], question: str) -> _Part:
    """The part that shares the most words with the question; of equals the more special one, which comes later."""
    words = frozenset(re.findall(r"\w+", question.lower()))
    parts = _parts()
    if words & {"next", "weiter"} and len(words) <= 3:
        return parts[_next_stop(messages)]
    best = max(reversed(parts.values()), key=lambda part: len(part.words & words))
    return best if best.words & words else parts["unsure"]


def _next_stop(messages: Sequence[Message]) -> str:
    """The stop behind the last one that was shown; after the last, the first again."""
    said = [message.content for message in reversed(messages) if message.role == "assistant"]
    for content in said:
        for at, name in enumerate(STOPS):
            if _parts()[name].text.splitlines()[0] in content:
                return STOPS[(at + 1) % len(STOPS)]
    return STOPS[0]


def _about_pictures(question: Message) -> str:
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
    """For the model that can think; any other keeps them to itself."""
    count = len(question.split())
    known = sorted(part.words & set(re.findall(r"\w+", question.lower())))
    why = f"I know {', '.join(known)}, so the part about {part.name} fits." if known else "I know none of them."
    return (
        f"The question has {count} word{'' if count == 1 else 's'}. {why} There is no model in here, so these are "
        "no thoughts either, only a text that takes their place: it shows how chatcli folds them."
    )


@cache
def _parts() -> dict[str, _Part]:
    """The parts of tour.md by name, in its order. Each begins with a line `=== name: words that lead to it`."""
    text = Path(__file__).with_name("tour.md").read_text(encoding="utf-8")
    found = re.findall(r"^=== (\w+):(.*)\n([\s\S]*?)(?=^=== |\Z)", text, re.MULTILINE)
    return {name: _Part(name, frozenset(words.split()), body.strip()) for name, words, body in found}
