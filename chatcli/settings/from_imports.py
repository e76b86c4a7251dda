"""Decides which settings of an imported conversation are used; each row of the table judges its own values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatcli.errors import BadValue, UnknownSetting
from chatcli.paths import shown
from chatcli.settings.layers import NAMED_HERE, find_setting
from chatcli.settings.setting import Refusal


def imported_settings(given: Mapping[Any, Any], repairs: list[str]) -> dict[str, str]:
    """The harmless ones, under their names in the table; `repairs` gets a sentence for each one left out."""
    taken: dict[str, str] = {}
    for name, value in given.items():
        if name == NAMED_HERE or value is None:
            continue
        read: Any = None
        try:
            setting = find_setting(str(name))
            read = setting.kind.take(value)
            why: str | None = setting.from_outside(read) if setting.kept else Refusal.PROGRAM
        except UnknownSetting:
            why = "this chatcli has none of that name"
        except BadValue as error:
            why = error.message.rstrip(".")
        if why is None:
            taken[setting.name] = value if isinstance(value, str) else setting.kind.write(read)
        else:
            repairs.append(f"the setting {shown(name)} ({shown(value)}) is left out: {why}")
    return taken
