"""How each model writes a conversation as one prompt: the template shown, and a function that does the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from chatcli.demo.request import Message


@dataclass(frozen=True, slots=True)
class Template:
    """`source` is the Go template that is shown; `write(system, messages, think)` gives the prompt it stands for.

    `system` is all system messages, joined; `messages` are all of them, no two neighbours of one role;
    `think` is None for a model that cannot.
    """

    source: str
    write: Callable[[str, Sequence[Message], bool | None], str]

    def render(self, messages: Sequence[Message], think: bool | None = None) -> str:
        system = "\n\n".join(message.content for message in messages if message.role == "system")
        return self.write(system, _merged(messages), think)


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role become one, a blank line between them: Ollama does so before any template."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            last = merged.pop()
            merged.append(replace(last, content=f"{last.content}\n\n{message.content}"))
        else:
            merged.append(message)
    return merged


def _headers(_system: str, messages: Sequence[Message], _think: bool | None) -> str:
    """Each message once. A reply that stands last is left open: the model goes on from there."""
    prompt = ""
    for message in messages:
        prompt += f"<|start_header_id|>{message.role}<|end_header_id|>\n\n{message.content}<|eot_id|>"
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|eot_id|>")
    return prompt + "<|start_header_id|>assistant<|end_header_id|>\n\n"


def _turns(system: str, messages: Sequence[Message], _think: bool | None) -> str:
    """The system message comes twice: on its own, and again among the messages. Real templates do this, too."""
    prompt = f"<start_of_turn>system\n{system}<end_of_turn>\n" if system else ""
    for message in messages:
        prompt += f"<start_of_turn>{message.role}\n{message.content}<end_of_turn>\n"
    return prompt + "<start_of_turn>assistant\n"


def _chatml(_system: str, messages: Sequence[Message], think: bool | None) -> str:
    """Thinking is written only behind the last question; that of earlier replies is dropped."""
    asked = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    prompt = ""
    for at, message in enumerate(messages):
        prompt += f"<|im_start|>{message.role}\n"
        if message.thinking and at > asked and think is not False:
            prompt += f"<think>\n{message.thinking}\n</think>\n\n"
        prompt += f"{message.content}<|im_end|>\n"
    if messages and messages[-1].role == "assistant":
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n" + ("<think>\n\n</think>\n\n" if think is False else "")


HEADERS = Template(
    """{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}
{{- if not (and $last (eq .Role "assistant")) }}<|eot_id|>{{ end }}
{{- if and $last (ne .Role "assistant") }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- end }}""",
    _headers,
)

TURNS = Template(
    """{{- if .System }}<start_of_turn>system
{{ .System }}<end_of_turn>
{{ end }}
{{- range .Messages }}<start_of_turn>{{ .Role }}
{{ .Content }}<end_of_turn>
{{ end }}<start_of_turn>assistant
""",
    _turns,
)

CHATML = Template(
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
