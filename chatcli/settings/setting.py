"""Setting: one row of the table, how its values are typed, and which of them an imported conversation may set."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from chatcli.dataclass import dataclass
from chatcli.settings.quoting import unquoted, words_of
from chatcli.settings.values import ValueKind

T = TypeVar("T")


class Refusal(StrEnum):
    """Why an imported conversation may not set something, as a clause."""

    FILE = "it names a file"
    MODEL = "it would send the conversation to another model"
    ELSEWHERE = "that model runs on another machine"
    CHATS = "it would quote other conversations"
    FACTS = "whether your facts are sent is up to you"
    LARGE = "it is larger than a stranger may ask for"
    MACHINE = "it is about the machine that the model runs on"
    PROGRAM = "no conversation may set it"
    TOOLS = "it would let the model run tools"


# Takes a value; returns why an imported conversation may not set it, or None when it may.
Judge = Callable[[Any], Refusal | None]


def anything(_: object) -> None:
    """Allow every value."""


def nothing(why: Refusal) -> Judge:
    return lambda _: why


def only(*harmless: object, why: Refusal) -> Judge:
    return lambda value: None if value in harmless else why


def at_most(most: int) -> Judge:
    return lambda value: Refusal.LARGE if value > most else None


def no_file(form: str) -> Refusal | None:
    """Allow a format given as a word or as the schema itself, but not the name of a file."""
    return None if form in {"", "json"} or form.lstrip().startswith("{") else Refusal.FILE


# Libraries whose models run on the user's own machine.
_LIBRARIES = {"hf.co", "huggingface.co", "registry.ollama.ai"}


def here(model: str) -> Refusal | None:
    """Allow a model's name, unless it is a path, names a host, or is a cloud model, which runs elsewhere."""
    if model.startswith(("/", "~", ".", "file:")) or "\\" in model:
        return Refusal.FILE
    host = model.partition("/")[0].lower() if "/" in model else ""
    names_host = bool(re.search(r"[.:]", host)) and host not in _LIBRARIES
    return Refusal.ELSEWHERE if names_host or re.search(r"[:-]cloud$", model.strip(), re.IGNORECASE) else None


# What is shown and typed for a setting that has no value.
UNSET = "unset"
Group = Literal["conversation", "memory", "screen", "program", "model options"]


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. `option`: it is sent to Ollama under its own name. `kept`: it is stored with the conversation.
    `from_outside`: judges the values that an imported conversation wants to set.
    """

    name: str
    kind: ValueKind[T]
    default: T
    help: str
    group: Group
    from_outside: Judge
    aliases: tuple[str, ...] = ()
    option: bool = False
    kept: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def negation(self) -> str:
        """The flag that sets it off."""
        return "--no-" + self.flag[2:]

    @property
    def is_switch(self) -> bool:
        """Whether it can only be on or off."""
        return self.kind.is_switch

    @property
    def variable(self) -> str:
        return "CHATCLI_" + self.name.upper()

    @property
    def may_be_unset(self) -> bool:
        return not self.kind.write(self.default)

    def typed(self, text: str) -> Any:
        """The value for `Settings.put` from what is typed after `/set NAME`; None stands for no value. Quotes are
        those of a shell. Raises BadValue.
        """
        if text == UNSET and self.may_be_unset:
            return None
        return words_of(text) if self.kind.many else unquoted(text)

    def as_typed(self, text: str) -> str:
        """What is typed for this value, which is spelled as text: in quotes where it needs them."""
        if not text:
            return UNSET
        if self.kind.many or (text == text.strip() and self.typed(text) == text):
            return text
        return shlex.quote(text) if text != UNSET else f'"{text}"'
