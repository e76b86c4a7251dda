"""Makes a model's exact counts ready, from the cache or from the server, and keeps what it took to make them.

Everything here may take seconds and is meant for a background thread; the seconds are spent in another process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from chatcli.conversation.message import Message
from chatcli.errors import ChatcliError
from chatcli.tokens import cache, probes
from chatcli.tokens.build import FORMAT, Unusable, build
from chatcli.tokens.exact import Correction, Exact
from chatcli.tokens.source import Source
from chatcli.tokens.template import Template
from chatcli.tokens.vocabulary import Vocabulary

__all__ = ["Unusable", "keep", "prepare"]


def prepare(directory: Path | None, digest: str, source: Source, preset: Sequence[Message]) -> Exact:
    """Raises Unusable where the model shows no vocabulary that can be counted with, and chatcli's errors.

    `preset`: what the Modelfile puts before every request, its SYSTEM as a system message first.
    """
    vocabulary = _vocabulary(directory if digest else None, digest, source)
    kept = cache.read(_file(directory, digest, source)) if directory and digest else None
    exact = _restored(kept or b"", vocabulary)
    if exact is None:
        exact = Exact.begin(vocabulary, _template(source), preset)
        keep(directory, digest, source, exact)
    return exact


def keep(directory: Path | None, digest: str, source: Source, exact: Exact) -> None:
    """Keep the template and what was learnt; nothing while counts and server disagree: it is asked again then."""
    if directory is None or not digest or exact.template is None:
        return
    state = {
        "probes": probes.PROBES,
        "template": asdict(exact.template),
        "correction": asdict(exact.correction),
        "images": dict(list(exact.images.items())[-64:]),
        "way": exact.vocabulary.way,
    }
    cache.write(_file(directory, digest, source), json.dumps(state).encode() if exact.correction.sound else b"")


def _vocabulary(directory: Path | None, digest: str, source: Source) -> Vocabulary:
    place = cache.file_for(directory, digest, f"-v{FORMAT}.vocab") if directory else None
    file = cache.read(place) if place else None
    if file is None:
        shown = source.vocabulary()
        file = build(shown if isinstance(shown, bytes) else json.dumps(dict(shown)).encode())
        if place:
            cache.write(place, file)
    return Vocabulary(file)


def _template(source: Source) -> Template | None:
    try:
        return probes.learn(source.render)
    except ChatcliError:
        return None


def _restored(kept: bytes, vocabulary: Vocabulary) -> Exact | None:
    try:
        state = json.loads(kept)
        if state["probes"] != probes.PROBES:
            return None  # learnt from other conversations: gaps are missing
        template = Template(**state["template"])
        correction = Correction(**state["correction"])
        if correction.measured is not None:
            correction.measured = (int(correction.measured[0]), int(correction.measured[1]))
        images = {str(digest): int(tokens) for digest, tokens in state["images"].items()}
        own = vocabulary.read_as(state["way"]) if state["way"] else vocabulary
        return Exact(own, template, correction, images)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def _file(directory: Path, digest: str, source: Source) -> Path:
    return cache.file_for(directory, f"{digest}{source.variant and '-'}{source.variant}", ".template")
