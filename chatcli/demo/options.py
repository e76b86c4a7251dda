"""Reads the options of a request: their types, as strict as Ollama's, and those that this engine obeys."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.demo.models import TRAINED, DemoModel
from chatcli.demo.protocol import HttpRefusal

_INTEGERS = (
    "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict num_keep seed num_predict top_k repeat_last_n"
)
_FLOATS = "top_p min_p typical_p temperature repeat_penalty presence_penalty frequency_penalty"
_TYPES: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(_INTEGERS.split(), ("integer", (int, float))),
    **dict.fromkeys(_FLOATS.split(), ("float32", (int, float))),
    "use_mmap": ("boolean", bool),
    "stop": ("array", list),
}
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Options:
    """`num_ctx` is the window as allocated. `num_predict` is None when nothing limits the reply."""

    num_ctx: int
    num_predict: int | None
    num_keep: int
    stop: tuple[str, ...]


def settle(asked: Any, model: DemoModel, default_window: int) -> Options:
    """The request's options override the Modelfile's, and these the server's own. Unknown ones are ignored."""
    given = {**model.parameters, **_checked(asked or {})}
    least = 2048 if "vision" in model.capabilities else 4
    predict = int(given.get("num_predict", -1))
    return Options(
        num_ctx=max(least, min(int(given.get("num_ctx", default_window)), TRAINED)),
        num_predict=predict if predict > 0 else None,
        num_keep=int(given.get("num_keep", 4)),
        stop=tuple(word for word in given.get("stop", ()) if word),
    )


def _checked(asked: Any) -> Mapping[str, Any]:
    if not isinstance(asked, dict):
        raise HttpRefusal(
            400,
            "json: cannot unmarshal value into Go struct field ChatRequest.options of type map[string]any",
        )
    known: dict[str, Any] = {name: value for name, value in asked.items() if name in _TYPES and value is not None}
    for name, value in known.items():
        kind, types = _TYPES[name]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
            raise HttpRefusal(500, f'option "{name}" must be of type {kind}')
        if kind == "array" and not all(isinstance(item, str) for item in value):
            raise HttpRefusal(500, f'option "{name}" must be of an array of strings')
    return known


def seconds(keep_alive: object) -> float:
    """Returns how long a model stays loaded: seconds, or "1h30m"; below zero, permanently; by default 5 min."""
    if keep_alive is None:
        return 300.0
    if isinstance(keep_alive, (int, float)) and not isinstance(keep_alive, bool):
        return float(keep_alive) if keep_alive >= 0 else math.inf
    written = str(keep_alive)
    if not re.fullmatch(r"-?(0|([\d.]+(h|ms|m|s|us|µs|ns))+)", written):
        raise HttpRefusal(400, f'time: invalid duration "{written}"')
    if written.startswith("-"):
        return math.inf
    return sum(
        float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(h|ms|m|s|us|µs|ns)", written)
    )
