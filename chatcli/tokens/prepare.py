"""Makes a model's exact counts ready, from the cache or from the server, and caches the results.

Everything here may take seconds and is meant for a background thread; most of that time is spent in another
process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from chatcli.conversation.message import Message
from chatcli.errors import Busy, ChatcliError, StreamBroken, Unreachable
from chatcli.reading.json_toml import read_json
from chatcli.tokens import cache, template_learning
from chatcli.tokens.exact import Correction, Exact
from chatcli.tokens.measured import Measured
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.template import Template
from chatcli.tokens.tool_costs import Definitions, ToolCosts, as_text
from chatcli.tokens.vocabulary import Vocabulary
from chatcli.tokens.vocabulary_file import FORMAT, Unusable, build

__all__ = ["PASSING", "Unusable", "keep", "prepare"]

PASSING = (Unreachable, StreamBroken, Busy)  # failures that may be over the next time
SAVED_EVERY = 0.3  # seconds between saves of what a slow server has rendered
STALE = 3600.0  # seconds after which such a save is not continued


def prepare(
    directory: Path | None, digest: str, source: ModelSource, preset: Sequence[Message]
) -> tuple[Exact, ChatcliError | None]:
    """The counts, and the error because of which they have no template yet. Raises Unusable if the model shows no
    vocabulary that can be counted with, and chatcli's errors.

    `preset`: what the Modelfile puts before every request; its SYSTEM comes first, as a system message.
    """
    directory = directory if digest else None
    vocabulary = _vocabulary(directory, digest, source)
    kept = cache.read(_file(directory, digest, source)) if directory else None
    exact = _restored(kept or b"", vocabulary)
    try:
        if exact is not None and exact.template and (exact.correction.sound or _holds(exact.template, source)):
            return exact, None
        template = _template(directory, digest, source)
    except ChatcliError as error:
        return exact or Exact.begin(vocabulary, None, preset, as_text(source.tools)), error
    if template is not None or exact is None:
        exact = Exact.begin(vocabulary, template, preset, as_text(source.tools))
        with suppress(ChatcliError):
            exact.tools.definitions = _cost_of_definitions(exact, source, source.tools)
        keep(directory, digest, source, exact)
    return exact, None


def _cost_of_definitions(exact: Exact, source: ModelSource, tools: Definitions) -> tuple[int, ...]:
    """What these definitions add to a request without and to one with a system message, as the server renders it;
    () where it does not, or there are none. Raises chatcli's errors.
    """
    costs = []
    for asked in ([Message.user("x")], [Message.system("x"), Message.user("x")]) if tools else ():
        texts = source.render(asked, tools), source.render(asked, ())
        if None in texts:
            return ()
        with_tools, without = (exact.text(text or "").tokens for text in texts)
        costs.append(with_tools - without)
    return tuple(costs)


def keep(directory: Path | None, digest: str, source: ModelSource, exact: Exact) -> None:
    """Store the template and what was learnt. While counts and server disagree, the next process checks the
    template again.
    """
    if directory is None or not digest:
        return
    state = {
        "probes": template_learning.PROBES,
        "template": asdict(exact.template) if exact.template else None,
        "correction": asdict(exact.correction),
        "images": dict(list(exact.images.items())[-64:]),
        "odd": dict(list(exact.odd.items())[-256:]),
        "way": exact.vocabulary.way,
        "preset": exact.preset,
        "short": exact.short,
        "led": exact.led,
        "tools": {
            "calls": dict(list(exact.tools.calls.items())[-256:]),
            "definitions": exact.tools.definitions,
            "agrees": exact.tools.agrees,
        },
    }
    cache.write(_file(directory, digest, source), json.dumps(state).encode())


def _vocabulary(directory: Path | None, digest: str, source: ModelSource) -> Vocabulary:
    place = cache.file_for(directory, digest, f"-v{FORMAT}.vocab") if directory else None
    file = cache.read(place) if place else None
    if file is None:
        shown = source.vocabulary()
        file = build(shown if isinstance(shown, bytes) else json.dumps(dict(shown)).encode())
        if place:
            cache.write(place, file)
    return Vocabulary(file)


def _holds(template: Template, source: ModelSource) -> bool:
    """Whether the server still writes prompts this way. A server that does not say now has said so before."""
    return template_learning.holds(template, source.write)


def _template(directory: Path | None, digest: str, source: ModelSource) -> Template | None:
    if directory is None:
        return template_learning.learn(source.write)
    begun = _Begun(source, _file(directory, digest, source).with_suffix(".probes"))
    try:
        template = template_learning.learn(begun.render)
    except ChatcliError:
        begun.save()
        raise
    begun.drop()
    return template


class _Begun:
    """What a slow server has rendered so far, kept across processes until it is complete. Otherwise each process
    that asks a single question would begin again.
    """

    def __init__(self, source: ModelSource, file: Path) -> None:
        self._source, self._file = source, file
        self._lock = Lock()
        self._rendered: dict[str, str] = {}
        self._since = self._saved = time.time()
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            kept = read_json(cache.read(file) or b"")
            if kept["probes"] == template_learning.PROBES and 0 <= self._since - kept["since"] < STALE:
                self._rendered, self._since = {str(k): str(v) for k, v in kept["rendered"].items()}, kept["since"]

    def render(self, messages: Sequence[Message]) -> str | None:
        name = Measured().fingerprint(messages)
        if name in self._rendered:
            return self._rendered[name]
        rendered = self._source.write(messages)
        if rendered is not None:
            with self._lock:
                self._rendered[name] = rendered
                if time.time() - self._saved > SAVED_EVERY:
                    self.save()
        return rendered

    def drop(self) -> None:
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def save(self) -> None:
        kept = {"probes": template_learning.PROBES, "since": self._since, "rendered": self._rendered}
        cache.write(self._file, json.dumps(kept).encode())
        self._saved = time.time()


def _restored(kept: bytes, vocabulary: Vocabulary) -> Exact | None:
    try:
        state = read_json(kept)
        if state["probes"] != template_learning.PROBES:
            return None  # learnt from other probes: gaps are missing
        template = Template(**state["template"]) if state["template"] is not None else None
        correction = Correction(**state["correction"])
        if correction.measured is not None:
            correction.measured = (int(correction.measured[0]), int(correction.measured[1]))
        if correction.doubt is not None:
            correction.doubt = (int(correction.doubt[0]), str(correction.doubt[1]), int(correction.doubt[2]))
        own = vocabulary.read_as(state["way"]) if state["way"] else vocabulary
        exact = Exact(own, template, correction, _numbers(state["images"]), odd=_numbers(state.get("odd", {})))
        exact.preset, exact.short = int(state.get("preset", 0)), int(state.get("short", 0))
        exact.led = int(state.get("led", -1))
        tools = state.get("tools", {"calls": {}, "definitions": (), "agrees": False})
        definitions = tuple(int(tokens) for tokens in tools["definitions"])
        exact.tools = ToolCosts(_numbers(tools["calls"]), definitions, bool(tools["agrees"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return exact


def _numbers(kept: dict[str, int]) -> dict[str, int]:
    return {str(name): int(tokens) for name, tokens in kept.items()}


def _file(directory: Path, digest: str, source: ModelSource) -> Path:
    return cache.file_for(directory, f"{digest}{source.variant and '-'}{source.variant}", ".template")
