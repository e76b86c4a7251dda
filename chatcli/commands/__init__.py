"""Everything that begins with "/"."""

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
        counts,
        doctor,
        files,
        help,
        hits,
        memory,
        models,
        options,
        replies,
        share,
        shelf,
        tree,
    )
    from chatcli.commands.registry import Registry

    return Registry(
        [
            chats,
            hits,
            share,
            shelf,
            branches,
            tree,
            replies,
            files,
            context,
            memory,
            counts,
            options,
            models,
            doctor,
            help,
        ]
    )
