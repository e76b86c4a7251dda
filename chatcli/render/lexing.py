"""Pygments, one line of code at a time: what a lexer knows at the end of a line is kept for the next one.

Imports Pygments: import it late.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer
from pygments.lexers import get_all_lexers, get_lexer_by_name
from pygments.lexers.data import YamlLexerContext
from pygments.token import Error, _TokenType

Lexed = list[tuple[_TokenType, str]]

# What models write above a block, where Pygments has another name for it.
_ALIASES = {
    "jsx": "javascript",
    "mjs": "javascript",
    "node": "javascript",
    "tsx": "typescript",
    "vue": "html",
    "svelte": "html",
    "jsonc": "json",
    "json5": "json",
    "env": "bash",
    "dotenv": "bash",
    "terminal": "console",
    "cmd": "batch",
}
# A lexer may take a comment or a string over several lines in one match, for which it must see its end. While the
# end has not come, these openers, found open at the end of a line, are tried with the closer put behind it.
_PAIRS = (
    ("/*", "*/"),
    ('"""', '"""'),
    ("'''", "'''"),
    ("`", "`"),
    ("<!--", "-->"),
    ("--[[", "]]"),
    ("{-", "-}"),
    ("(*", "*)"),
    ("#|", "|#"),
    ("<#", "#>"),
    ("'", "'"),
    ('"', '"'),
)
_HEREDOC = re.compile(r"<<[-~]?\s*[\"'\\]?([A-Za-z_]\w*)")
# Code of another language inside: the state that says so, the language, what ends it.
_EMBEDDED = {"script-content": ("javascript", "</script"), "style-content": ("css", "</style")}


class Lexing(Protocol):
    def line(self, text: str) -> Lexed: ...
    def copy(self) -> Lexing: ...


def lexing(language: str) -> Lexing | None:
    """A lexer at the beginning of its text, or None where the language is not known."""
    lexer = _lexer(language)
    if lexer is None:
        return None
    if isinstance(lexer, ExtendedRegexLexer):
        return _Contextual(lexer)
    return _Stacked(lexer) if isinstance(lexer, RegexLexer) else _Alone(lexer)


class _Stacked:
    """RegexLexer: what is kept is its stack of states, and a comment or string that is not closed yet."""

    def __init__(self, lexer: RegexLexer) -> None:
        self._lexer = lexer
        self._stack: tuple[str, ...] = ("root",)
        self._open: tuple[re.Pattern[str], _TokenType] | None = None
        self._inner: tuple[Lexing, str] | None = None

    def copy(self) -> _Stacked:
        twin = copy.copy(self)
        if self._inner:
            twin._inner = (self._inner[0].copy(), self._inner[1])
        return twin

    def line(self, text: str) -> Lexed:
        if self._inner:
            if self._inner[1] not in text.lower():
                return self._inner[0].line(text)
            self._inner = None
        lexed: Lexed = []
        start = 0
        if self._open:
            closer, kind = self._open
            end = closer.search(text)
            if not end:
                return [(kind, text)]
            start = end.end()
            lexed.append((kind, text[:start]))
            self._open = None
        return lexed + self._rest(text, start)

    def _rest(self, text: str, start: int) -> Lexed:
        edge = len(text)
        for closer, pattern in _closers(text, start):
            run = _Run(self._lexer, f"{text}\n{closer}\n", start, self._stack, edge)
            if run.crossed and run.lexed:
                self._open, self._stack = (re.compile(pattern), run.lexed[-1][0]), run.stack
                return run.lexed
        run = _Run(self._lexer, text + "\n", start, self._stack, edge + 1)
        self._stack = run.stack
        if embedded := _EMBEDDED.get(run.stack[-1]):
            inner = lexing(embedded[0])
            self._inner = (inner, embedded[1]) if inner else None
        return run.lexed


def _closers(text: str, start: int) -> Iterator[tuple[str, str]]:
    """What may close something that the line leaves open: the text to try, and the pattern to look for then."""
    for opener, closer in _PAIRS:
        if _left_open(text, start, opener, closer):
            yield closer, re.escape(closer)
    if heredoc := _HEREDOC.search(text, start):
        yield heredoc[1], rf"^\s*{heredoc[1]}$"


def _left_open(text: str, start: int, opener: str, closer: str) -> bool:
    last = text.rfind(opener, start)
    if last < 0:
        return False
    if opener == closer:
        return text.count(opener, start) % 2 == 1
    return text.find(closer, last + len(opener)) < 0


class _Run:
    """One run of a RegexLexer's rules over `text`. It ends at `edge`, or with the match that goes beyond it.

    Pygments keeps the stack to itself, so its loop is done here: the rules are its own.
    """

    def __init__(self, lexer: RegexLexer, text: str, start: int, stack: Sequence[str], edge: int) -> None:
        self.lexed: Lexed = []
        self.crossed = False
        self._states = list(stack)
        rules: dict[str, Any] = lexer._tokens  # type: ignore[attr-defined]
        at, stuck = start, 0
        while at < edge and not self.crossed and stuck < 100:
            if self._states[-1] in _EMBEDDED and text[at] == "\n":
                break  # its rules for a newline give up, as for a text that ends here
            for match_at, action, new_state in rules[self._states[-1]]:
                found = match_at(text, at)
                if not found:
                    continue
                self.crossed = found.end() > edge + 1
                self._take(lexer, found, action, edge)
                stuck = stuck + 1 if found.end() == at else 0
                at = found.end()
                self._change(new_state)
                break
            else:
                if text[at] == "\n":
                    self._states = ["root"]
                else:
                    self.lexed.append((Error, text[at]))
                at += 1

    @property
    def stack(self) -> tuple[str, ...]:
        return tuple(self._states)

    def _take(self, lexer: RegexLexer, found: Any, action: Any, edge: int) -> None:
        if action is None:
            return
        matched = [(found.start(), action, found.group())] if type(action) is _TokenType else action(lexer, found)
        for at, kind, part in matched:
            if part and at < edge:
                self.lexed.append((kind, part[: edge - at].rstrip("\n")))

    def _change(self, new_state: Any) -> None:
        states = self._states
        if isinstance(new_state, int):
            del states[max(1, len(states) - abs(new_state)) :]
        elif new_state is not None:
            for state in (new_state,) if isinstance(new_state, str) else new_state:
                if state == "#pop":
                    del states[max(1, len(states) - 1) :]
                else:
                    states.append(states[-1] if state == "#push" else state)


class _Contextual:
    """ExtendedRegexLexer: it keeps what it knows in a context, which can be handed back to it."""

    def __init__(self, lexer: ExtendedRegexLexer) -> None:
        self._lexer = lexer
        context: type[LexerContext] = YamlLexerContext if "yaml" in lexer.aliases else LexerContext
        self._context = context("", 0)

    def copy(self) -> _Contextual:
        twin = copy.copy(self)
        twin._context = copy.deepcopy(self._context)
        return twin

    def line(self, text: str) -> Lexed:
        context = self._context
        context.text, context.pos, context.end = text + "\n", 0, len(text) + 1
        return [(kind, part) for _, kind, part in self._lexer.get_tokens_unprocessed(context=context)]


class _Alone:
    """Any other lexer: every line for itself, which is right for JSON and for transcripts of a terminal."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer

    def copy(self) -> _Alone:
        return self

    def line(self, text: str) -> Lexed:
        return list(self._lexer.get_tokens(text))


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    name = _ALIASES.get(language, language)
    if name not in _names():
        return None
    return get_lexer_by_name(name, stripnl=False)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Every name Pygments itself knows; asking it for another one makes it search all installed packages."""
    return frozenset(alias for lexer in get_all_lexers(plugins=False) for alias in lexer[1])
