"""What was last known of the servers: their models, and the one used last, in a small private file.

The first line of the screen and the completion in the shell read it, so that neither waits for a server. Losing it
costs nothing: it is written again whenever a server has answered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chatcli.paths import private_directory, read_kept, replace_private

MOST = 8  # servers, those used last


class About(NamedTuple):
    """What the first line tells of a model; "" and 0 stand for what is not known. Windows are in tokens."""

    size: str = ""
    quantization: str = ""
    window: int = 0
    trained: int = 0


class Known(NamedTuple):
    """The models of a server by their names, and the one used last."""

    used: str = ""
    models: Mapping[str, About] = {}


def known(file: Path, server: str) -> Known:
    """`server`: its address without a password."""
    kept = read_kept(file).get(server)
    if not isinstance(kept, dict) or not isinstance(kept.get("models"), dict):
        return Known()
    return Known(str(kept.get("used", "")), {name: _about(row) for name, row in kept["models"].items()})


def models_of_all(file: Path) -> list[str]:
    """The models of every known server, those of the server used last first."""
    return list(dict.fromkeys(name for server in reversed(read_kept(file)) for name in known(file, server).models))


def remember(file: Path, server: str, used: str, models: Mapping[str, About]) -> None:
    """Keep what the server has said just now. A full or read-only disk raises nothing."""
    servers = read_kept(file)
    servers.pop(server, None)
    kept = [*servers.items(), (server, {"used": used, "models": models})][-MOST:]
    with suppress(OSError):
        private_directory(file.parent)
        replace_private(file, json.dumps(dict(kept)).encode())


def _about(row: Any) -> About:
    kinds = (str, str, int, int)
    sound = isinstance(row, list) and list(map(type, row)) == list(kinds)
    return About(*row) if sound else About()
