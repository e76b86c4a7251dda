"""Runs Pygments one line of code at a time: the lexer's state at the end of a line is kept for the next one.

Pygments keeps that state in a LexerContext, which is documented for lexers of one kind (ExtendedRegexLexer). Their
loop runs the rules of the other kinds, too. To lex the last 200 lines again for each new one would be shorter, but
takes 16 ms a line, and 140 times as long for a block of 2,000 lines. Imports Pygments: import it late.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer, inherit
from pygments.lexers import find_lexer_class_by_name, get_all_lexers
from pygments.lexers.c_cpp import CFamilyLexer
from pygments.lexers.data import YamlLexerContext
from pygments.token import Comment, Name, Punctuation, String, Token, is_token_subtype

if TYPE_CHECKING:
    from pygments.token import _TokenType

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
    """`at`: where it opens in the line; `closer`: text that would close it; `end`: the pattern that ends it."""

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
        yield Opening(heredoc.start(), f"\n\n{heredoc[1]}\n", rf"^\s*{heredoc[1]}$")
    if start == 0 and _BLOCK.match(text):
        yield Opening(0, "\n\n=cut\n", "^=cut")
        yield Opening(0, "\n=end\n", "^=end")


def _is_open(text: str, start: int, last: int, opener: str, closer: str) -> bool:
    if opener == closer:
        return text.count(opener, start) % 2 == 1
    return text.find(closer, last + len(opener)) < 0


Lexed = list[tuple["_TokenType", str]]

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
        for opening in left_open(text, start):
            context = _copy_context(self._context)
            lexed, crossed = _run(self._lexer, context, text, start, opening)
            if crossed:
                self._open, self._context = (re.compile(opening.end), crossed), context
                return lexed
        lexed, _ = _run(self._lexer, self._context, text, start)
        if embedded := _EMBEDDED.get(self._context.stack[-1]):
            inner = lexing(embedded[0])
            self._inner = (inner, embedded[1]) if inner else None
        return lexed


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
        context = _copy_context(self._context)
        lexed, _ = _run(self._lexer, context, text, 0, Opening(len(text), f"{')' * missing}\n{{\n", ""))
        self._in_head = context.stack[1:2] == ["function"]
        return lexed if self._in_head else []

    def _head(self, text: str) -> Lexed:
        end = min((at for at in (text.find("{"), text.find(";")) if at >= 0), default=len(text))
        self._context.stack = ["root", "statement"]
        lexed, _ = _run(self._lexer, self._context, text[:end], 0)
        self._context.stack = ["root"]
        if end == len(text):
            return lexed
        self._in_head = False
        if text[end] == "{":
            self._context.stack.append("function")
        return [*lexed, (Punctuation, text[end]), *self._rest(text, end + 1)]


_LINE = Opening(-1, "\n", "")  # nothing is left open
_MARK = "\0"  # follows the text that a lexer gets; no reply contains it
_MARKED = Token.Marked


def _run(
    lexer: RegexLexer, context: LexerContext, line: str, start: int, opening: Opening = _LINE
) -> tuple[Lexed, _TokenType | None]:
    """Lexes `line` from `start` and leaves in `context` the state after it.

    Also returns the kind of a comment or string that extends from `opening`, or before it, to the closer.
    """
    edge = len(line)
    lexed: Lexed = []
    crossed: _TokenType | None = None
    context.text, context.pos = f"{line}{opening.closer}{_MARK}", start
    context.end = len(context.text)
    for at, kind, part in ExtendedRegexLexer.get_tokens_unprocessed(lexer, context=context):  # type: ignore[arg-type]
        if kind is _MARKED:
            break
        if at < edge and part:
            lexed.append((_reclassified(lexer, kind, part), part[: edge - at].rstrip("\n")))
        begins_there = context.pos <= opening.at or (at == edge + 1 and kind is String.Heredoc)
        if begins_there and at <= edge + 1 < at + len(part) and not crossed:
            crossed = kind if is_token_subtype(kind, Comment) or is_token_subtype(kind, String) else None
    return lexed, crossed


@cache
def _resumable(kind: Any) -> Any:
    """Returns the same lexer with rules that tell when it has come to the mark, where its state is kept."""
    if getattr(kind, "token_variants", False):
        tokens = {variant: _marked(states) for variant, states in kind.tokens.items()}
    else:
        tokens = _marked(kind.get_tokendefs())
    return type(kind)(kind.__name__, (kind,), {"tokens": tokens})


def _marked(states: Mapping[str, Any]) -> dict[str, Any]:
    marked = {}
    for state, rules in states.items():
        mark = rf"\n?{_MARK}\Z" if state in _EMBEDDED else rf"{_MARK}\Z"
        marked[state] = [(mark, _MARKED), *(_with_context(rule) for rule in rules if rule is not inherit)]
    return marked


def _with_context(rule: Any) -> Any:
    """Returns a rule whose callback takes a context, as ExtendedRegexLexer wants it."""
    if not isinstance(rule, tuple) or not callable(rule[1]) or len(signature(rule[1]).parameters) > 2:
        return rule

    def callback(lexer: RegexLexer, match: Any, context: LexerContext | None = None) -> Iterator[Any]:
        yield from rule[1](lexer, match)
        if context:
            context.pos = match.end()

    return (rule[0], callback, *rule[2:])


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
    kind = find_lexer_class_by_name(name)
    lexer: Lexer = (_resumable(kind) if issubclass(kind, RegexLexer) else kind)(stripnl=False)
    return lexer


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    """Returns every name that Pygments itself knows; asked for another one, it searches all installed packages."""
    return frozenset(alias for lexer in get_all_lexers(plugins=False) for alias in lexer[1])
