"""The commands: what can be typed after a "/", and the subcommands of `chatcli` in the shell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatcli.commands.registry import Registry


@cache
def everything() -> Registry:
    """The registry of all commands, in the groups in which /help lists them."""
    from chatcli.commands import (
        branches,
        chats,
        completion,
        context,
        copy,
        diff,
        doctor,
        facts,
        files,
        help,
        memory,
        models,
        private,
        profiles,
        search,
        serve,
        settings,
        share,
        shell_chats,
        shell_config,
        statistics,
        tools,
        tree,
    )
    from chatcli.commands.registry import Registry

    return Registry(
        {
            "conversations": [chats, private, search, share, shell_chats],
            "replies": [branches, tree, diff, copy],
            "attachments": [files],
            "requests": [context, memory, facts, statistics],
            "settings": [settings, profiles, tools, shell_config],
            "server": [models, serve],
            "program": [doctor, completion, help],
        }
    )
