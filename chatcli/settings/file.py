"""Reads the settings file (TOML) and the CHATCLI_* variables into layers, and writes the file atomically."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatcli.errors import BadData, ConfigError, UserError
from chatcli.paths import private_directory, replace_private, shared, why
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.table import TABLE, Setting

LARGEST = 250_000  # bytes; the time of TOML's parser grows with the square of some lengths


def read_file(settings: Settings, path: Path) -> None:
    """Read the file into the FILE layer; a missing file sets nothing. Raises ConfigError."""
    if _is_missing(path):  # as for most people: then no reader is imported
        return
    text = _text_of(path)
    for name, value in _parsed(text, path).items():
        try:
            setting = find_setting(name)
            settings.put_value(setting, setting.kind.take(value), Layer.FILE)
        except UserError as error:
            line = _line_of(name, text)
            where = f"{path}, line {line}" if line else str(path)
            raise ConfigError(
                f"{where}: {name}: {error.message}", error.advice, file=str(path), line=line
            ) from None


def read_environment(settings: Settings, environment: Mapping[str, str] = os.environ) -> None:
    """Read every CHATCLI_<SETTING> variable, and OLLAMA_NOHISTORY, into the ENVIRONMENT layer. Raises BadValue."""
    for setting in TABLE:
        if environment.get(setting.variable):
            settings.put(setting.name, environment[setting.variable], Layer.ENVIRONMENT)
    if environment.get("OLLAMA_NOHISTORY") not in {None, "", "0", "false"}:
        settings.put("history", "off", Layer.ENVIRONMENT)


def write_setting(path: Path, setting: Setting[Any], text: str | None) -> None:
    """Set (or with None remove) one setting in the file; comments and order stay. Raises ConfigError."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from chatcli.reading.files import in_words

    text_now = _text_of(path)
    _parsed(text_now, path)
    try:
        document = tomlkit.parse(text_now)
        for name in list(document):
            if name != setting.name and find_setting(name) is setting:
                document.pop(name)  # an alias
        if text is None:
            document.pop(setting.name, None)
        else:
            document[setting.name] = text
        written = tomlkit.dumps(document).encode()
        if len(written) > LARGEST:
            raise OSError(errno.EFBIG, f"it would have more than {in_words(LARGEST)}")
        _replace(path, written)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the settings file {path}: {why(error)}.", "Check its permissions."
        ) from None
    except TOMLKitError as error:
        raise _not_toml(path, str(error), None) from None


def _text_of(path: Path) -> str:
    """The text of the file; "" when there is no file. Raises ConfigError."""
    from chatcli.reading.files import read_bytes
    from chatcli.reading.json_toml import text_of

    try:
        _check_owner(path)
        return text_of(read_bytes(path, LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except BadData as error:
        where = f"{path}, line {error.line}" if error.line else str(path)
        raise ConfigError(
            f"Cannot read the settings file {where}: {error.why}.", _MEND, file=str(path), line=error.line
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read the settings file {path}: {why(error)}.", _MEND, file=str(path)) from None


def _check_owner(path: Path) -> None:
    """Refuses a file that another user put into a folder that everybody may write to: it could name a server."""
    if os.name == "posix" and path.stat().st_uid != os.geteuid() and (reason := shared(path.parent)):
        raise PermissionError(errno.EPERM, f"{reason}, and the file is another user's")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # it may be there
        return False
    return False


def _parsed(text: str, path: Path) -> dict[str, Any]:
    from chatcli.reading.json_toml import read_toml

    try:
        return read_toml(text)
    except BadData as error:
        raise _not_toml(path, error.why, error.line) from None


def _not_toml(path: Path, why: str, line: int | None) -> ConfigError:
    where = f"{path}, line {line}" if line else str(path)
    return ConfigError(
        f"{where} is not valid TOML: {why}.", "Fix that line, or move the file away.", file=str(path), line=line
    )


_MEND = "Fix it, or move it away."


def _replace(path: Path, data: bytes) -> None:
    private_directory(path.parent)
    replace_private(path, data)


def _line_of(name: str, text: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if line.split("=")[0].strip(" \"'") == name), None)
