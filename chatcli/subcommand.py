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
        positional = [
            given[p.name] for p in command.parameters if not p.flag and not p.raw and given[p.name] is not None
        ]
        keywords = {
            p.name: given[p.name] for p in command.parameters if (p.flag or p.raw) and given[p.name] is not None
        }
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
