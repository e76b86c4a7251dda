"""A command as a subcommand of the shell: run once, its outcome drawn, no loop around it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from chatcli.build import Wishes, build, close
from chatcli.commands.outcome import Confirm, Outcome, Show, Watch
from chatcli.commands.registry import Command
from chatcli.errors import UserError
from chatcli.render.console import Screen


def run_command(wishes: Wishes, command: Command, given: Mapping[str, Any]) -> int:
    """The exit code. Arguments not given are left to the command's own defaults."""
    session = build(wishes)
    try:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for each in command.parameters:
            value = given[each.name]
            if value is None:
                continue
            if each.flag or each.raw:
                keywords[each.name] = value
            else:
                positional.extend(value if each.many else [value])
        _act(Screen(), command.run(session, *positional, **keywords))
    finally:
        close(session)
    return 0


def _act(screen: Screen, outcome: Outcome) -> None:
    match outcome:
        case Show(views):
            for view in views:
                screen.show(view)
        case Watch(progress, then):
            with closing(progress):  # type: ignore[type-var]
                screen.progress(progress)
            _act(screen, then())
        case Confirm(question, _):
            raise UserError(f"{question} That cannot be asked here.", "Use the command inside chatcli.")
        case _:
            raise UserError("That works only inside chatcli.", "Start it: chatcli")
