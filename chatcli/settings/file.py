"""Reads the settings file (TOML) and the CHATCLI_* variables into layers, and writes the file atomically."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatcli.errors import BadData, ConfigError, UserError
from chatcli.paths import private_directory, replace_private, shared, why
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE

LARGEST = 250_000  # bytes; the time of TOML's parser grows with the square of some lengths


def read_file(settings: Settings, path: Path) -> list[ConfigError]:
    """Read the plain settings of the file into the FILE layer; a missing file sets nothing. Returns the faults of
    its named tables, which others read when they are asked for. Raises ConfigError.
    """
    if _is_missing(path):  # as for most people: then no reader is imported
        return []
    return read_text(settings, text_of_file(path), path)


def read_text(settings: Settings, text: str, path: Path) -> list[ConfigError]:
    """The same for a text that is, or will be, in that file."""
    from chatcli.settings.named_tables import KINDS, line_of, parsed_in_parts, rows_of

    parsed, unparsed = parsed_in_parts(text, path)
    for name, value in parsed.items():
        if name in KINDS:
            continue
        try:
            setting = find_setting(name)
            settings.put_value(setting, setting.kind.take(value), Layer.FILE)
        except UserError as error:
            line = line_of((name,), text)
            where = f"{path}, line {line}" if line else str(path)
            raise ConfigError(
                f"{where}: {name}: {error.message}", error.advice, file=str(path), line=line
            ) from None
    every = (rows_of(kind, parsed, unparsed, text, path) for kind in KINDS.values())
    return [fault for rows in every for fault in rows.faults.values()]


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

    from chatcli.settings.named_tables import head_and_tables, not_toml, parsed_in_parts

    text_now = text_of_file(path)
    parsed_in_parts(text_now, path)
    head, tables = head_and_tables(text_now)
    try:
        document = tomlkit.parse(head)
        for name in list(document):
            if name != setting.name and _names(name, setting):
                document.pop(name)  # an alias
        if text is None:
            document.pop(setting.name, None)
        else:
            document[setting.name] = text
        write_text(path, tomlkit.dumps(document) + tables)
    except TOMLKitError as error:
        raise not_toml(path, str(error), None) from None


def is_written(path: Path, setting: Setting[Any]) -> bool:
    """Whether the setting is in the file, whatever its value. Raises ConfigError where the file is not TOML."""
    from chatcli.settings.named_tables import parsed_in_parts

    return any(_names(name, setting) for name in parsed_in_parts(text_of_file(path), path)[0])


def _names(name: str, setting: Setting[Any]) -> bool:
    return name.lower().replace("-", "_") in {setting.name, *setting.aliases}


def write_text(path: Path, text: str) -> None:
    """Write the whole file. Raises ConfigError."""
    from chatcli.reading.files import in_words

    data = text.encode()
    try:
        if len(data) > LARGEST:
            raise OSError(errno.EFBIG, f"it would have more than {in_words(LARGEST)}")
        private_directory(path.parent)
        replace_private(path, data)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the settings file {path}: {why(error)}.", "Check its permissions."
        ) from None


def text_of_file(path: Path) -> str:
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
    if sys.platform != "win32" and path.stat().st_uid != os.geteuid() and (reason := shared(path.parent)):
        raise PermissionError(errno.EPERM, f"{reason}, and the file is another user's")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # it may be there
        return False
    return False


_MEND = "Fix it, or move it away."
