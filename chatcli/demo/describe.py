"""What /api/tags, /api/ps and /api/show tell of a model."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from chatcli.demo.models import TRAINED, Model
from chatcli.demo.protocol import timestamp
from chatcli.demo.runner import Runner

_PARAMETERS = 594_880
_BYTES_PER_TOKEN = 512  # of the window, in memory: 2 layers x 4 heads x 16 wide x keys and values x 2 bytes


def listed(model: Model) -> dict[str, Any]:
    """A row of /api/tags."""
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": model.modified,
        "size": _size(model),
        "digest": model.digest,
        "details": _details(model),
    }


def loaded(runner: Runner) -> dict[str, Any]:
    """A row of /api/ps."""
    expires = datetime.fromtimestamp(runner.expires, UTC) if math.isfinite(runner.expires) else datetime.max
    return {
        "name": runner.model.name,
        "model": runner.model.name,
        "size": _size(runner.model) + runner.num_ctx * _BYTES_PER_TOKEN,
        "digest": runner.model.digest,
        "details": _details(runner.model),
        "expires_at": timestamp(expires),
        "size_vram": 0,
        "context_length": runner.num_ctx,
    }


def shown(model: Model, verbose: bool) -> dict[str, Any]:
    """The answer of /api/show; without `verbose` the vocabulary's arrays are null."""
    parameters = "\n".join(f"{name:<30} {value}" for name, value in model.parameters.items())
    messages = [{"role": message.role, "content": message.content} for message in model.messages]
    answer = {
        "modelfile": _modelfile(model),
        "parameters": parameters,
        "template": model.template.source,
        "system": model.system,
        "details": _details(model) | {"parent_model": model.parent},
        "messages": messages,
        "model_info": _info(model, verbose),
        "tensors": [],
        "capabilities": list(model.capabilities),
        "modified_at": model.modified,
    }
    return {name: value for name, value in answer.items() if value or name == "tensors"}


def _details(model: Model) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": f"{_PARAMETERS // 1000}K",
        "quantization_level": "unknown",
    }


def _info(model: Model, verbose: bool) -> dict[str, Any]:
    return {
        "general.architecture": model.family,
        "general.parameter_count": _PARAMETERS,
        f"{model.family}.context_length": TRAINED,
    } | model.vocabulary.describe(verbose)


def _modelfile(model: Model) -> str:
    return f"FROM {model.name}\n"


def _size(_model: Model) -> int:
    return _PARAMETERS * 4
