"""Shortens a prompt that does not fit: drops whole messages from the front, cuts tokens from the middle.

Ollama tells the client about neither; with "truncate": false it refuses instead.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from chatcli.dataclass import dataclass
from chatcli.demo.models import DemoModel
from chatcli.demo.protocol import HttpRefusal
from chatcli.demo.request import Definition, DemoMessage

_IMAGE = re.compile(r"\[img-(\d+)\]")


@dataclass(frozen=True, slots=True)
class Prompt:
    text: str
    tokens: tuple[int, ...]


def prompt_of(
    model: DemoModel, messages: Sequence[DemoMessage], think: bool | None, tools: Sequence[Definition] = ()
) -> Prompt:
    """Returns the messages as the model reads them: an image is [img-N] before the text of its message."""
    images: list[bytes] = []
    written: list[DemoMessage] = []
    for message in messages:
        marks = "".join(f"[img-{len(images) + at}]" for at in range(len(message.images)))
        images.extend(message.images)
        written.append(replace(message, content=marks + message.content))
    text = model.template.render(written, think, tools)
    return Prompt(text, tuple(tokens_of(model, text, images)))


def fit(
    model: DemoModel,
    messages: Sequence[DemoMessage],
    think: bool | None,
    tools: Sequence[Definition],
    window: int,
) -> Prompt:
    """Drops the oldest messages, except system messages, until the prompt fits; the last message always stays."""
    for first in range(len(messages)):
        system = [message for message in messages[:first] if message.role == "system"]
        prompt = prompt_of(model, [*system, *messages[first:]], think, tools)
        if len(prompt.tokens) <= window:
            break
    return prompt


def cut(tokens: Sequence[int], window: int, keep: int) -> tuple[int, ...]:
    """Returns the first `keep` tokens (below zero: as many as possible) and the newest others, `window` in all."""
    if len(tokens) <= window:
        return tuple(tokens)
    kept = window - 1 if keep < 0 else min(keep, window - 1)
    return (*tokens[:kept], *tokens[len(tokens) - window + kept :])


def refuse_if_too_long(prompt: Prompt, window: int) -> None:
    if len(prompt.tokens) > window:
        raise HttpRefusal(400, "the input length exceeds the context length")


def tokens_of(model: DemoModel, text: str, images: Sequence[bytes]) -> list[int]:
    """An image's tokens are negative numbers of its own, so that the prompt cache tells images apart."""
    vocabulary = model.vocabulary
    tokens = list(vocabulary.beginning)
    for at, part in enumerate(_IMAGE.split(text) if images else [text]):
        if at % 2:
            sign = -int.from_bytes(hashlib.sha256(images[int(part)]).digest()[:6]) - 1
            tokens.extend([sign] * model.image_tokens)
        else:
            tokens.extend(_spelt(model, part))
    return tokens


def _spelt(model: DemoModel, text: str) -> list[int]:
    """Returns the text's tokens; the last token of an odd text is doubled."""
    tokens = list(model.vocabulary.prompt(text))
    ends = [found.end() for found in re.finditer(re.escape(model.odd), text)] if model.odd else []
    for end in reversed(ends):
        place = sum(1 for _ in model.vocabulary.prompt(text[:end]))
        tokens.insert(place, tokens[place - 1])
    return tokens
