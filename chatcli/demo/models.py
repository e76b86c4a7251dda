"""The models of the demo engine, and the shelf they stand on: found, copied, made from one another, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chatcli.demo.protocol import Refusal, timestamp
from chatcli.demo.request import Message
from chatcli.demo.templates import CHATML, HEADERS, TURNS, Template
from chatcli.demo.tokenizer import Vocabulary, vocabulary

TRAINED = 32768  # tokens; what the window is clamped to


@dataclass(frozen=True, slots=True)
class Model:
    """`speaks` names a vocabulary; `parent` is what this model was made from; the list is ordered by `modified`.

    An image costs `image_tokens` of the prompt: the figure Ollama itself cuts by, unless a test wants another.
    Each `odd` text in a prompt costs a token more than the vocabulary tells, as engines do with some newlines.
    """

    name: str
    family: str
    speaks: str
    template: Template
    modified: str
    capabilities: tuple[str, ...] = ("completion",)
    system: str = ""
    messages: tuple[Message, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    image_tokens: int = 768
    odd: str = ""

    @property
    def vocabulary(self) -> Vocabulary:
        return vocabulary(self.speaks)

    @property
    def digest(self) -> str:
        """Of what makes the model answer as it does: a copy has the same, a change another."""
        own = (self.template.source, self.system, self.messages, sorted(self.parameters.items()))
        return hashlib.sha256(repr((self.vocabulary.digest, *own)).encode()).hexdigest()


DEMO = Model("demo:latest", "llama", "llama-bpe", HEADERS, "2026-11-01T12:00:04.000000000Z")
VISION = Model(
    "demo-vision:latest", "gemma3", "spm", TURNS, "2026-11-01T12:00:03.000000000Z", ("completion", "vision")
)
THINKING = Model(
    "demo-thinking:latest", "qwen2", "qwen2", CHATML, "2026-11-01T12:00:02.000000000Z", ("completion", "thinking")
)
BRIEF = replace(
    DEMO,
    name="demo-brief:latest",
    modified="2026-11-01T12:00:01.000000000Z",
    system="Answer in one or two sentences.",
    messages=(
        Message("user", "What is a token?"),
        Message("assistant", "A piece of text that the model reads as one: a word, or a part of one."),
    ),
    parameters={"num_ctx": 2048},
)
EMBED = replace(
    DEMO, name="demo-embed:latest", modified="2026-11-01T12:00:00.000000000Z", capabilities=("embedding",)
)


class Shelf:
    """The models there are, by full name (with tag)."""

    def __init__(self) -> None:
        self._models = {model.name: model for model in (DEMO, VISION, THINKING, BRIEF, EMBED)}

    def __iter__(self) -> Iterator[Model]:
        """Newest first, as Ollama lists them."""
        return iter(sorted(self._models.values(), key=lambda model: model.modified, reverse=True))

    def find(self, name: str) -> Model:
        if not name:
            raise Refusal(400, "model is required")
        model = self._models.get(full_name(name))
        if model is None:
            raise Refusal(404, f"model '{name}' not found")
        return model

    def put(self, model: Model) -> None:
        self._models[model.name] = model

    def copy(self, source: str, destination: str) -> None:
        self.put(replace(self.find(source), name=full_name(destination), modified=timestamp()))

    def delete(self, name: str) -> None:
        del self._models[self.find(name).name]


def full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
