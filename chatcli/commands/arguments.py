"""Reads the parameters of a command from its signature, and its arguments from the typed line."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from chatcli.dataclass import dataclass
from chatcli.errors import BadArgument
from chatcli.prompt.completer import ranked

if TYPE_CHECKING:
    from chatcli.session.session import Session

# The largest number that a command accepts, and how many characters of a wrong one are shown.
LARGEST = 10**9
SHOWN = 30


@dataclass(frozen=True, slots=True)
class Word:
    """A word that completion offers, and what it means."""

    text: str
    meaning: str = ""


def fitting(words: Iterable[Word], typed: str) -> list[Word]:
    """The words that fit what is typed, the best first."""
    return ranked(typed, words, lambda word: word.text)


Suggest = Callable[["Session", str], Iterable[Word]]


@dataclass(frozen=True, slots=True)
class Arg:
    """What a parameter means, and the words that completion offers for it.

    `suggest` gets the session and the word typed so far, and returns what fits it, the best first. `whole`: the
    words form one name, and `suggest` gets all of them. `dashed`: what begins with a dash is a word for it in the
    shell, too, unless it is a flag's name.
    """

    meaning: str
    suggest: Suggest | None = None
    whole: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `raw`: it takes the rest of the line unchanged. `many`: it takes any number of words.
    `flag`: it is given as `--name` (a bool) or `--name VALUE`.
    """

    name: str
    kind: type
    meaning: str
    required: bool
    many: bool = False
    raw: bool = False
    flag: bool = False
    suggest: Suggest | None = None
    whole: bool = False
    dashed: bool = False

    @property
    def word(self) -> str:
        """The word that stands for its value: NAME."""
        return self.name.upper().rstrip("_")

    @property
    def usage(self) -> str:
        if self.flag:
            return f"[--{self.name}]" if self.kind is bool else f"[--{self.name} VALUE]"
        shown = f"{self.word}..." if self.many and not self.whole else self.word
        return shown if self.required else f"[{shown}]"


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters after the session, in order.

    A keyword-only one is a flag when its type is bool or its default is None; otherwise it takes the rest of the
    line raw.
    """
    hints = get_type_hints(function, include_extras=True)
    rows = list(inspect.signature(function).parameters.values())[1:]
    return tuple(_parameter(row, hints[row.name]) for row in rows)


def _parameter(row: inspect.Parameter, hint: Any) -> Parameter:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"parameter {row.name} lacks its Annotated[..., Arg(...)]")
    kind, arg = get_args(hint)[:2]
    keyword = row.kind is inspect.Parameter.KEYWORD_ONLY
    flag = keyword and (kind is bool or row.default is None)
    kinds = [part for part in (get_args(kind) or (kind,)) if part is not type(None)]
    return Parameter(
        name=row.name,
        kind=kinds[0],
        meaning=arg.meaning,
        required=row.default is inspect.Parameter.empty and row.kind is not inspect.Parameter.VAR_POSITIONAL,
        many=row.kind is inspect.Parameter.VAR_POSITIONAL,
        raw=keyword and not flag,
        flag=flag,
        suggest=arg.suggest,
        whole=arg.whole,
        dashed=arg.dashed,
    )


def read_arguments(parameters: tuple[Parameter, ...], text: str) -> tuple[list[Any], dict[str, Any]]:
    """Split the text after a command's name into positional and keyword arguments.

    Where a parameter takes the rest of the line unchanged, flags come first. Raises BadArgument.
    """
    flags = {f"--{p.name}": p for p in parameters if p.flag}
    raw = next((p for p in parameters if p.raw), None)
    positional = [p for p in parameters if not p.flag and not p.raw]
    if raw is not None:
        given, text = leading_flags(parameters, text)
        words, rest = _first_words(text, len(positional))
        if raw.required and not rest:
            raise BadArgument(f"{raw.usage} is missing: {raw.meaning}.")
        last = {raw.name: rest} if rest or raw.required else {}
        return _positional(positional, words), {**dict.fromkeys(given, True), **last}
    plain, keywords = _take_flags(split_words(text), flags)
    return _positional(positional, plain), keywords


def leading_flags(parameters: tuple[Parameter, ...], text: str) -> tuple[list[str], str]:
    """The names of the flags that `text` begins with, and the rest of it."""
    known = {f"--{parameter.name}": parameter.name for parameter in parameters if parameter.flag}
    given = []
    word, _, rest = text.lstrip().partition(" ")
    while word in known:
        given.append(known[word])
        text = rest.lstrip()
        word, _, rest = text.partition(" ")
    return given, text


def split_words(text: str) -> list[str]:
    """The words, without their quotes; text with an apostrophe or an unclosed quote is split at blanks only."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError:
        return text.split()


def whole_number(word: str, meaning: str) -> int:
    """`word` as a whole number from 0 to LARGEST: a count, or a message's number. Raises BadArgument."""
    shown = word if len(word) <= SHOWN else f"{word[:SHOWN]}…"
    try:
        number = int(word[: 2 * SHOWN])
    except ValueError:
        raise BadArgument(f'"{shown}" is not a whole number: {meaning}.') from None
    if not 0 <= number <= LARGEST:
        raise BadArgument(f'"{shown}" is {"below 0" if number < 0 else "too large"}: {meaning}.')
    return number


def _first_words(text: str, count: int) -> tuple[list[str], str]:
    words: list[str] = []
    rest = text.strip()
    while len(words) < count and rest:
        word, _, rest = rest.partition(" ") if "\n" not in rest.split(" ")[0] else rest.partition("\n")
        words.append(word)
        rest = rest.lstrip()
    return words, rest


def _take_flags(words: list[str], flags: dict[str, Parameter]) -> tuple[list[str], dict[str, Any]]:
    plain: list[str] = []
    keywords: dict[str, Any] = {}
    waiting = iter(words)
    for word in waiting:
        parameter = flags.get(word)
        if parameter is None:
            if word.startswith("--") and len(word) > 2:
                known = ", ".join(flags) or "none"
                raise BadArgument(f'There is no option "{word}" here.', f"Options: {known}.")
            plain.append(word)
        elif parameter.kind is bool:
            keywords[parameter.name] = True
        else:
            value = next(waiting, None)
            if value is None:
                raise BadArgument(f"{word} needs a value after it.")
            keywords[parameter.name] = _convert(parameter, value)
    return plain, keywords


def _positional(parameters: list[Parameter], words: list[str]) -> list[Any]:
    found: list[Any] = []
    left = list(words)
    for parameter in parameters:
        if parameter.many:
            found.extend(_convert(parameter, word) for word in left)
            left = []
        elif left:
            found.append(_convert(parameter, left.pop(0)))
        elif parameter.required:
            raise BadArgument(f"{parameter.usage} is missing: {parameter.meaning}.")
    if left:
        raise BadArgument(f'Unexpected argument "{" ".join(left)}".')
    return found


def _convert(parameter: Parameter, word: str) -> Any:
    return whole_number(word, parameter.meaning) if parameter.kind is int else word
