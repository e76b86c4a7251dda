"""Runs Pygments one line of code at a time: the lexer's state at the end of a line is kept for the next one.

Imports Pygments: import it late.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer
from pygments.lexers import get_all_lexers, get_lexer_by_name
from pygments.lexers.c_cpp import CFamilyLexer
from pygments.lexers.data import YamlLexerContext
from pygments.token import Comment, Error, Name, Punctuation, String, _TokenType, is_token_subtype

_PAIRS = (
    ("/*", "*/"),
    ("```", "```"),
    ('"""', '"""'),
    ("'''", "'''"),
    ("`", "`"),
    ("<!--", "-->"),
    ("{-", "-}"),
    ("(*", "*)"),
    ("#|", "|#"),
    ("<#", "#>"),
    ('r#"', '"#'),
    ("'", "'"),
    ('"', '"'),
)
_HEREDOC = re.compile(r"<<[-~]?\s*[\"'\\]?([A-Za-z_]\w*)(?![\w>])")
_LONG_BRACKET = re.compile(r"\[(=*)\[")  # Lua and CMake
_BLOCK = re.compile(r"=[a-z]\w*")  # Perl's and Ruby's documentation, which =cut or =end ends


class Opening(NamedTuple):
    """`at`: where it opens in the line; `closer`: the text added to close it; `end`: the pattern that ends it."""

    at: int
    closer: str
    end: str


def left_open(text: str, start: int) -> Iterator[Opening]:
    """Returns what `text` may leave open from `start` on."""
    for opener, closer in _PAIRS:
        last = text.rfind(opener, start)
        if last >= 0 and _is_open(text, start, last, opener, closer):
            yield Opening(last, f"\n{closer}", re.escape(closer))
    for bracket in _LONG_BRACKET.finditer(text, start):
        closer = f"]{bracket[1]}]"
        if closer not in text[bracket.end() :]:
            yield Opening(bracket.start(), f"\n{closer}", re.escape(closer))
    if heredoc := _HEREDOC.search(text, start):
        yield Opening(heredoc.start(), f"\n\n{heredoc[1]}", rf"^\s*{heredoc[1]}$")
    if start == 0 and _BLOCK.match(text):
        yield Opening(0, "\n\n=cut", "^=cut")
        yield Opening(0, "\n=end", "^=end")


def _is_open(text: str, start: int, last: int, opener: str, closer: str) -> bool:
    if opener == closer:
        return text.count(opener, start) % 2 == 1
    return text.find(closer, last + len(opener)) < 0


Lexed = list[tuple[_TokenType, str]]

# Language names that models write above a block, and Pygments' own names.
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
# Embedded code of another language: the state that marks it, the language, what ends it.
_EMBEDDED = {
    "script-content": ("javascript", re.compile("</script", re.IGNORECASE)),
    "style-content": ("css", re.compile("</style", re.IGNORECASE)),
}
_FENCE = re.compile(r"\s*```(?:([\w-]+)(?:\s.*)?)?\Z")
_FENCE_END = re.compile(r"^\s*```$")


class Lexing(Protocol):
    def line(self, text: str) -> Lexed: ...
    def copy(self) -> Lexing: ...


def lexing(language: str) -> Lexing | None:
    """Returns a lexer at the beginning of its text, or None when the language is unknown."""
    lexer = _lexer(language)
    if lexer is None:
        return None
    if isinstance(lexer, CFamilyLexer):
        return _OfC(lexer)
    return _ByRules(lexer) if isinstance(lexer, RegexLexer) else _Alone(lexer)


class _ByRules:
    """A lexer made of rules: its context is kept, and a comment or string that is still open."""

    def __init__(self, lexer: RegexLexer) -> None:
        self._lexer = lexer
        self._context = _new_context(lexer)
        self._open: tuple[re.Pattern[str], _TokenType] | None = None
        self._inner: tuple[Lexing, re.Pattern[str]] | None = None
        self._has_fences = "markdown" in lexer.aliases

    def copy(self) -> _ByRules:
        twin = copy.copy(self)
        twin._context = _copy_context(self._context)
        if self._inner:
            twin._inner = (self._inner[0].copy(), self._inner[1])
        return twin

    def line(self, text: str) -> Lexed:
        if self._inner:
            if not self._inner[1].search(text):
                return self._inner[0].line(text)
            self._inner = None
            if self._has_fences:
                return [(String.Backtick, text)]
        if self._has_fences and (fence := _FENCE.match(text)):
            inner = lexing(fence[1].lower()) if fence[1] else _AllOf(String.Backtick)
            self._inner = (inner or _AllOf(String), _FENCE_END)
            return [(String.Backtick, text)]
        if not self._open:
            return self._rest(text, 0)
        closer, kind = self._open
        end = closer.search(text)
        if not end:
            return [(kind, text)]
        self._open = None
        return [(kind, text[: end.end()]), *self._rest(text, end.end())]

    def _rest(self, text: str, start: int) -> Lexed:
        edge = len(text)
        for at, closer, end in left_open(text, start):
            run = _Run(self._lexer, _copy_context(self._context), f"{text}{closer}\n", start, edge, at)
            if run.crossed:
                self._open, self._context = (re.compile(end), run.crossed), run.context
                return run.lexed
        run = _Run(self._lexer, self._context, text + "\n", start, edge)
        if embedded := _EMBEDDED.get(run.context.stack[-1]):
            inner = lexing(embedded[0])
            self._inner = (inner, embedded[1]) if inner else None
        return run.lexed


class _OfC(_ByRules):
    """C and similar languages: the head of a function may span lines before the brace by which Pygments recognizes
    it. So a line is tried with that brace added; where it was a declaration, Pygments would have said the same.
    """

    def __init__(self, lexer: RegexLexer) -> None:
        super().__init__(lexer)
        self._in_head = False

    def line(self, text: str) -> Lexed:
        if self._in_head:
            return self._head(text)
        return self._begun(text) or super().line(text)

    def _begun(self, text: str) -> Lexed:
        """Returns the line as the first of a function's head, nothing when it is none, or all of it."""
        missing = text.count("(") - text.count(")")
        if (
            "(" not in text
            or missing < 0
            or set("{};") & set(text)
            or self._open
            or self._context.stack != ["root"]
        ):
            return []
        whole = f"{text}{')' * missing}\n{{\n"
        run = _Run(self._lexer, _copy_context(self._context), whole, 0, len(text))
        self._in_head = run.context.stack[1:2] == ["function"]
        return run.lexed if self._in_head else []

    def _head(self, text: str) -> Lexed:
        end = min((at for at in (text.find("{"), text.find(";")) if at >= 0), default=len(text))
        self._context.stack = ["root", "statement"]
        lexed = _Run(self._lexer, self._context, text[:end] + "\n", 0, end).lexed
        self._context.stack = ["root"]
        if end == len(text):
            return lexed
        self._in_head = False
        if text[end] == "{":
            self._context.stack.append("function")
        return [*lexed, (Punctuation, text[end]), *self._rest(text, end + 1)]


class _Run:
    """One run of a lexer's rules over a line, which ends at `edge`; the text after it is only for lookahead.

    Pygments does not report the state it ends in, so its loop is repeated here with its own rules. `crossed`: what
    the first match that extends from `opener`, or before it, beyond the line takes the next one for.
    """

    def __init__(
        self, lexer: RegexLexer, context: LexerContext, text: str, start: int, edge: int, opener: int = -1
    ) -> None:
        self.lexed: Lexed = []
        self.crossed: _TokenType | None = None
        self.context = context
        self._lexer, self._edge, self._opener = lexer, edge, opener
        context.text, context.pos, context.end = text, start, len(text)
        rules: dict[str, Any] = lexer._tokens  # type: ignore[attr-defined]
        idle = 0
        while context.pos <= edge and not self.crossed and idle < 100:  # idle: a lexer that loops without progress
            if context.stack[-1] in _EMBEDDED and context.pos == edge:
                break  # the rules for a newline give up there, as if the text ended
            before = context.pos
            self._step(rules[context.stack[-1]])
            idle = idle + 1 if context.pos == before else 0

    def _step(self, rules: Any) -> None:
        context = self.context
        for match_at, action, new_state in rules:
            found = match_at(context.text, context.pos, context.end)
            if found:
                self._take(found, action)
                self._change(new_state)
                return
        if context.text[context.pos] == "\n":
            context.stack = ["root"]
        else:
            self.lexed.append((Error, context.text[context.pos]))
        context.pos += 1

    def _take(self, found: Any, action: Any) -> None:
        context, edge = self.context, self._edge
        if action is None or type(action) is _TokenType:
            matched = [(found.start(), action, found.group())] if action else []
            context.pos = found.end()
        elif isinstance(self._lexer, ExtendedRegexLexer):
            matched = list(action(self._lexer, found, context))
        else:
            matched = list(action(self._lexer, found))
            context.pos = found.end()
        for at, kind, part in matched:
            if part and at < edge:
                self.lexed.append((_reclassified(self._lexer, kind, part), part[: edge - at].rstrip("\n")))
            goes_on = context.pos > edge + 1 and at <= edge + 1 < at + len(part)
            goes_on = goes_on and found.start() <= self._opener
            if goes_on and (is_token_subtype(kind, Comment) or is_token_subtype(kind, String)):
                self.crossed = kind

    def _change(self, new_state: Any) -> None:
        stack: list[str] = self.context.stack
        if isinstance(new_state, int):
            del stack[max(1, len(stack) - abs(new_state)) :]
        elif new_state is not None:
            for state in (new_state,) if isinstance(new_state, str) else new_state:
                if state == "#pop":
                    del stack[max(1, len(stack) - 1) :]
                else:
                    stack.append(stack[-1] if state == "#push" else state)


def _new_context(lexer: RegexLexer) -> LexerContext:
    kind: type[LexerContext] = YamlLexerContext if "yaml" in lexer.aliases else LexerContext
    return kind("", 0)


def _copy_context(context: LexerContext) -> LexerContext:
    twin = copy.copy(context)
    vars(twin).update({name: list(held) for name, held in vars(context).items() if isinstance(held, list)})
    return twin


class _Alone:
    """Any other lexer: every line on its own, which is right for JSON and for terminal transcripts."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer

    def copy(self) -> _Alone:
        return self

    def line(self, text: str) -> Lexed:
        return list(self._lexer.get_tokens(text))


class _AllOf:
    """Text of one token kind."""

    def __init__(self, kind: _TokenType) -> None:
        self._kind = kind

    def copy(self) -> _AllOf:
        return self

    def line(self, text: str) -> Lexed:
        return [(self._kind, text)]


def _reclassified(lexer: RegexLexer, kind: _TokenType, part: str) -> _TokenType:
    """Returns the kind that the lexer gives a name after its rules ran: the types of C, the commands of Vim."""
    if not is_token_subtype(kind, Name) or type(lexer).get_tokens_unprocessed is RegexLexer.get_tokens_unprocessed:
        return kind
    return _kind_alone(lexer, kind, part)


@lru_cache(maxsize=4096)
def _kind_alone(lexer: RegexLexer, kind: _TokenType, word: str) -> _TokenType:
    """Lexes the word alone, with and without what the lexer adds to its rules."""
    if isinstance(lexer, ExtendedRegexLexer):
        return kind
    by_rules = [found[1] for found in RegexLexer.get_tokens_unprocessed(lexer, word)]
    by_all = [found[1] for found in lexer.get_tokens_unprocessed(word)]
    return by_all[0] if by_rules == [kind] and len(by_all) == 1 else kind


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    name = _ALIASES.get(language, language)
    if name not in _names():
        return None
    return get_lexer_by_name(name, stripnl=False)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Returns every name that Pygments itself knows; asked for another one, it searches all installed packages."""
    return frozenset(alias for lexer in get_all_lexers(plugins=False) for alias in lexer[1])
