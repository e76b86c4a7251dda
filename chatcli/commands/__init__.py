"""The commands: what can be typed after a "/", and the subcommands of `chatcli` in the shell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatcli.commands.registry import Registry


@cache
def everything() -> Registry:
    """The registry of all commands, in the order in which /help lists them."""
    from chatcli.commands import (
        branches,
        chats,
        context,
        copy,
        doctor,
        files,
        help,
        memory,
        models,
        search,
        settings,
        share,
        shell_chats,
        statistics,
        tree,
    )
    from chatcli.commands.registry import Registry

    return Registry(
        [
            chats,
            search,
            share,
            shell_chats,
            branches,
            tree,
            copy,
            files,
            context,
            memory,
            statistics,
            settings,
            models,
            doctor,
            help,
        ]
    )
