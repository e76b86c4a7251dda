"""The commands: what can be typed after a "/", and the subcommands of `chatcli` in the shell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chatcli.commands.registry import Registry

# The names of all subcommands: most prompts are told from them without importing the commands.
SUBCOMMANDS = (
    *("chats", "chats list", "chats show", "chats search", "chats rename", "chats delete", "chats export"),
    *("chats import", "chats restore", "chats purge"),
    *("memory", "memory add", "memory rm", "tokens", "tools"),
    *("config", "config show", "config path", "config get", "config set", "config unset", "config edit"),
    *("models", "models list", "models show", "models pull", "models rm", "models cp", "models unload"),
    *("models ps", "pull", "ps", "doctor", "completion", "help"),
)
# How alike a mistyped subcommand is to its name, and the most bare words that may be one.
CLOSE = 0.8
MOST_BARE = 3


def may_be_subcommand(words: Sequence[str]) -> bool:
    """Whether these words begin with a subcommand, or with what may be one mistyped."""
    exact = any(" ".join(words[:count]) in SUBCOMMANDS for count in (1, 2))
    return exact or any(near_names(words, SUBCOMMANDS))


def near_names(words: Sequence[str], names: Iterable[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """The names of subcommands that a few bare words are close to, the closest first, each with the words that
    follow it. None for a text: more words, or a blank in one.
    """
    from difflib import get_close_matches

    names = list(names)
    if not 0 < len(words) <= MOST_BARE or any(len(word.split()) != 1 for word in words):
        return
    for count in range(min(len(words), 2), max(len(words) - 2, 0), -1):
        begin = " ".join(words[:count]).lower()
        for near in get_close_matches(begin, names, cutoff=CLOSE):
            yield near, words[count:]
    for name in names:  # `list` for `chats list`
        if name.split()[1:] == list(words):
            yield name, ()


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
