"""Where config, data and cache live: CHATCLI_HOME when set, else the platform's own places (platformdirs)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from chatcli.errors import BadFile


@dataclass(frozen=True, slots=True)
class Paths:
    config: Path
    data: Path
    cache: Path

    @property
    def settings_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def store(self) -> Path:
        return self.data / "chatcli.db"

    @property
    def line_history(self) -> Path:
        return self.data / "lines.db"

    @property
    def vocabularies(self) -> Path:
        return self.cache / "vocab"


def find_paths(home: Path | None = None) -> Paths:
    """`home` (else $CHATCLI_HOME) holds everything when given; nothing is created here."""
    chosen = home or (Path(os.environ["CHATCLI_HOME"]).expanduser() if os.environ.get("CHATCLI_HOME") else None)
    if chosen is not None:
        return Paths(config=chosen, data=chosen, cache=chosen / "cache")
    import platformdirs

    return Paths(
        config=platformdirs.user_config_path("chatcli", appauthor=False),
        data=platformdirs.user_data_path("chatcli", appauthor=False),
        cache=platformdirs.user_cache_path("chatcli", appauthor=False),
    )


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that is its owner's only (0600), unless it was there already. Raises BadFile."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError as error:
        raise BadFile(f"Cannot write {path}: {error.strerror}.", "Name another place.") from None


def private_directory(path: Path) -> Path:
    """Make `path` where missing, and what is missing above it; what is made, and `path`, is its owner's only."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(exist_ok=True, mode=0o700)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path
