"""The settings file (TOML) and the CHATCLI_* variables: read into layers, written atomically."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatcli.errors import ConfigError, UserError
from chatcli.paths import private_directory, replace_private
from chatcli.settings.settings import Layer, Settings, find_setting
from chatcli.settings.table import TABLE, Setting


def read_file(settings: Settings, path: Path) -> None:
    """Put what `path` says into the FILE layer. A file that is not there says nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"Cannot read the settings file {path}: {why}.", "Mend it, or move it away.") from None
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "Mend that line, or move the file away.") from None
    for name, value in rows.items():
        try:
            setting = find_setting(name)
            settings.put_value(setting, setting.kind.take(value), Layer.FILE)
        except UserError as error:
            line = _line_of(name, text)
            where = f"{path}, line {line}" if line else str(path)
            raise ConfigError(f"{where}: {name}: {error.message}", error.hint, file=str(path), line=line) from None


def read_environment(settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """Put every CHATCLI_<SETTING> into the ENVIRONMENT layer; `ACCESSIBLE` and a dumb terminal ask for plain."""
    for setting in TABLE:
        if environment.get(setting.variable):
            settings.put(setting.name, environment[setting.variable], Layer.ENVIRONMENT)
    if environment.get("OLLAMA_NOHISTORY") not in {None, "", "0", "false"}:
        settings.put("history", "off", Layer.ENVIRONMENT)


def write_setting(path: Path, setting: Setting[Any], text: str | None) -> None:
    """Set (or with None remove) one setting in the file; comments and order stay. Raises ConfigError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
        for name in list(document):
            if name != setting.name and find_setting(name) is setting:
                document.pop(name)  # an alias
        if text is None:
            document.pop(setting.name, None)
        else:
            document[setting.name] = text
        _replace(path, tomlkit.dumps(document))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"Cannot write the settings file {path}: {why}.", "Check its permissions.") from None
    except TOMLKitError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "Mend that line, or move the file away.") from None


def _replace(path: Path, text: str) -> None:
    private_directory(path.parent)
    replace_private(path, text.encode())


def _line_of(name: str, text: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if line.split("=")[0].strip(" \"'") == name), None)
