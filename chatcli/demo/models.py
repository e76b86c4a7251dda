"""The models of the demo engine, how each writes a prompt, and the shelf to find, copy, create and delete them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.demo.protocol import HttpRefusal, encode, timestamp
from chatcli.demo.request import Definition, DemoCall, DemoMessage, last_question
from chatcli.demo.tokenizer import DemoVocabulary, vocabulary


@dataclass(frozen=True, slots=True)
class DemoTemplate:
    """`source` is the Go template that is shown; `write(system, messages, think, tools)` returns the prompt it
    renders, and `calls(calls)` what a reply has for its tool calls.

    `system` is all system messages, joined; `messages` are all messages, no two neighbors with the same role but
    tool; `think` is None for a model that cannot think.
    """

    source: str
    write: Callable[[str, Sequence[DemoMessage], bool | None, Sequence[Definition]], str]
    calls: Callable[[Sequence[DemoCall]], str] = lambda _calls: ""

    def render(
        self, messages: Sequence[DemoMessage], think: bool | None = None, tools: Sequence[Definition] = ()
    ) -> str:
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        return self.write(system, _merged(messages), think, tools)


def _merged(messages: Sequence[DemoMessage]) -> list[DemoMessage]:
    """Joins neighbors of one role by a blank line: Ollama does so before any template."""
    merged: list[DemoMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            last = merged.pop()
            merged.append(replace(last, content=f"{last.content}\n\n{message.content}"))
        else:
            merged.append(message)
    return merged


def _headers(
    _system: str, messages: Sequence[DemoMessage], _think: bool | None, _tools: Sequence[Definition]
) -> str:
    """Writes each message once. A reply at the end is left open: the model continues it."""
    prompt = ""
    for message in messages:
        prompt += f"<|start_header_id|>{message.role}<|end_header_id|>\n\n{message.content}<|eot_id|>"
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|eot_id|>")
    return prompt + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def _turns(system: str, messages: Sequence[DemoMessage], _think: bool | None, _tools: Sequence[Definition]) -> str:
    """Writes the system message twice: on its own, and again among the messages. Real templates do this, too."""
    prompt = f"<start_of_turn>system\n{system}<end_of_turn>\n" if system else ""
    for message in messages:
        prompt += f"<start_of_turn>{message.role}\n{message.content}<end_of_turn>\n"
    return prompt + "<start_of_turn>assistant\n"


def _chatml(
    _system: str, messages: Sequence[DemoMessage], think: bool | None, _tools: Sequence[Definition]
) -> str:
    """Writes thinking only after the last question; that of earlier replies is dropped."""
    asked = last_question(messages)
    prompt = ""
    for at, message in enumerate(messages):
        prompt += f"<|im_start|>{message.role}\n"
        if message.thinking and at > asked and think is not False:
            prompt += f"<think>\n{message.thinking}\n</think>\n\n"
        prompt += f"{message.content}<|im_end|>\n"
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n" + ("<think>\n\n</think>\n\n" if think is False else "")


def _tool_calling(
    system: str, messages: Sequence[DemoMessage], _think: bool | None, tools: Sequence[Definition]
) -> str:
    """Writes the definitions below the system prompt, a call as a line below the text of its reply, and a result
    as a message of its own.
    """
    asked = last_question(messages)
    prompt = ""
    if system or tools:
        rows = "".join(f"\n{encode(tool['function']).decode()}" for tool in tools)
        offered = f"These tools can be called:{rows}\n{_HOW_TO_CALL}" if tools else ""
        both = "\n\n" if system and tools else ""
        prompt = f"<|im_start|>system\n{system}{both}{offered}<|im_end|>\n"
    for at, message in enumerate(messages):
        if message.role == "system":
            continue
        prompt += f"<|im_start|>{message.role}\n"
        if message.thinking and at > asked:
            prompt += f"<think>\n{message.thinking}\n</think>\n\n"
        prompt += f"{message.content}{_call_lines(message.calls)}<|im_end|>\n"
    if messages and messages[-1].role == "assistant" and not messages[-1].calls:
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n"


_HOW_TO_CALL = 'To call one, write a line for each call: <call>{"name": "...", "arguments": {...}}</call>'


def _call_lines(calls: Sequence[DemoCall]) -> str:
    return "".join(
        f'\n<call>{{"name": "{call.name}", "arguments": {encode(call.arguments).decode()}}}</call>'
        for call in calls
    )


HEADERS = DemoTemplate(
    """{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}
{{- if not (and $last (eq .Role "assistant")) }}<|eot_id|>{{ end }}
{{- if and $last (ne .Role "assistant") }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- end }}""",
    _headers,
)

TURNS = DemoTemplate(
    """{{- if .System }}<start_of_turn>system
{{ .System }}<end_of_turn>
{{ end }}
{{- range .Messages }}<start_of_turn>{{ .Role }}
{{ .Content }}<end_of_turn>
{{ end }}<start_of_turn>assistant
""",
    _turns,
)

CHATML = DemoTemplate(
    """{{- $asked := -1 }}
{{- range $i, $_ := .Messages }}{{ if eq .Role "user" }}{{ $asked = $i }}{{ end }}{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}<|im_start|>{{ .Role }}
{{ if and .Thinking (gt $i $asked) (or $.Think (not $.IsThinkSet)) }}<think>
{{ .Thinking }}
</think>

{{ end }}{{ .Content }}
{{- if not (and $last (eq .Role "assistant")) }}<|im_end|>
{{ end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ if and $.IsThinkSet (not $.Think) }}<think>

</think>

{{ end }}{{ end }}
{{- end }}""",
    _chatml,
)


TOOL_CALLING = DemoTemplate(
    """{{- $asked := -1 }}
{{- range $i, $_ := .Messages }}{{ if eq .Role "user" }}{{ $asked = $i }}{{ end }}{{ end }}
{{- if or .System .Tools }}<|im_start|>system
{{ .System }}
{{- if .Tools }}{{ if .System }}

{{ end }}These tools can be called:
{{- range .Tools }}
{{ .Function }}
{{- end }}
"""
    + _HOW_TO_CALL
    + """
{{- end }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- if ne .Role "system" }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}<|im_start|>{{ .Role }}
{{ if and .Thinking (gt $i $asked) }}<think>
{{ .Thinking }}
</think>

{{ end }}{{ .Content }}
{{- range .ToolCalls }}
<call>{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}</call>
{{- end }}
{{- $open := and $last (eq .Role "assistant") (not .ToolCalls) }}
{{- if not $open }}<|im_end|>
{{ end }}
{{- if and $last (not $open) }}<|im_start|>assistant
{{ end }}
{{- end }}
{{- end }}""",
    _tool_calling,
    _call_lines,
)


TRAINED = 32768  # tokens; the largest window


@dataclass(frozen=True, slots=True)
class DemoModel:
    """`speaks` names a vocabulary; `parent` is the model that this one was made from; lists are ordered by
    `modified`.

    An image costs `image_tokens` of the prompt: the figure that Ollama itself uses, unless a test wants another.
    Each `odd` text in a prompt costs a token more than the vocabulary says, as engines do with some newlines.
    """

    name: str
    family: str
    speaks: str
    template: DemoTemplate
    modified: str
    capabilities: tuple[str, ...] = ("completion",)
    system: str = ""
    messages: tuple[DemoMessage, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    parent: str = ""
    image_tokens: int = 768
    odd: str = ""

    @property
    def vocabulary(self) -> DemoVocabulary:
        return vocabulary(self.speaks)

    @property
    def digest(self) -> str:
        """Hashes what decides the model's replies: a copy has the same digest, a changed model another one."""
        own = (
            self.template.source,
            self.system,
            self.messages,
            sorted(self.parameters.items()),
            self.capabilities,
        )
        return hashlib.sha256(repr((self.vocabulary.digest, *own)).encode()).hexdigest()


DEMO = DemoModel("demo:latest", "llama", "llama-bpe", HEADERS, "2026-11-01T12:00:04.000000000Z")
VISION = DemoModel(
    "demo-vision:latest", "gemma3", "spm", TURNS, "2026-11-01T12:00:03.000000000Z", ("completion", "vision")
)
THINKING = DemoModel(
    "demo-thinking:latest", "qwen2", "qwen2", CHATML, "2026-11-01T12:00:02.000000000Z", ("completion", "thinking")
)
TOOLS = DemoModel(
    "demo-tools:latest",
    "qwen2",
    "qwen2",
    TOOL_CALLING,
    "2026-11-01T12:00:01.500000000Z",
    ("completion", "tools"),
)
BRIEF = replace(
    DEMO,
    name="demo-brief:latest",
    modified="2026-11-01T12:00:01.000000000Z",
    system="Answer in one or two sentences.",
    messages=(
        DemoMessage("user", "What is a token?"),
        DemoMessage("assistant", "A piece of text that the model reads as one: a word, or a part of one."),
    ),
    parameters={"num_ctx": 2048},
)
EMBED = replace(
    DEMO, name="demo-embed:latest", modified="2026-11-01T12:00:00.000000000Z", capabilities=("embedding",)
)


class Shelf:
    """The existing models, by full name (with tag)."""

    def __init__(self) -> None:
        self._models = {model.name: model for model in (DEMO, VISION, THINKING, TOOLS, BRIEF, EMBED)}

    def __iter__(self) -> Iterator[DemoModel]:
        """Newest first, as Ollama lists them."""
        return iter(sorted(self._models.values(), key=lambda model: model.modified, reverse=True))

    def find(self, name: str) -> DemoModel:
        if not name:
            raise HttpRefusal(400, "model is required")
        model = self._models.get(full_name(name))
        if model is None:
            raise HttpRefusal(404, f"model '{name}' not found")
        return model

    def put(self, model: DemoModel) -> None:
        self._models[model.name] = model

    def copy(self, source: str, destination: str) -> None:
        self.put(replace(self.find(source), name=full_name(destination), modified=timestamp()))

    def delete(self, name: str) -> None:
        del self._models[self.find(name).name]


def full_name(name: str) -> str:
    return name if ":" in name else f"{name}:latest"
