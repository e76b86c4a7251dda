"""Colors: what each kind of text looks like, as SGR codes for this terminal. Imports Rich: import it late.

`auto` is light or dark by the terminal's background; if that is unknown, it uses the terminal's own sixteen
colors, which suit any background.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from rich.color import ColorSystem
from rich.style import Style

from chatcli.errors import BadValue
from chatcli.render.terminal import Background, background_by_environment

if TYPE_CHECKING:
    from pygments.style import StyleMeta
    from pygments.token import _TokenType

ThemeName = Literal["auto", "light", "dark", "mono"]
THEMES: tuple[ThemeName, ...] = ("auto", "light", "dark", "mono")

_MONO = {
    "heading1": "bold underline",
    "heading": "bold",
    "strong": "bold",
    "emphasis": "italic",
    "strike": "strike",
    "code": "bold",
    "block": "",
    "link": "underline",
    "url": "dim",
    "bullet": "bold",
    "quote": "dim",
    "bar": "dim",
    "rule": "dim",
    "html": "dim",
    "thinking": "dim italic",
    "tool": "bold",
    "gone": "strike",
    "new": "bold",
    "quiet": "dim",
    "good": "bold",
    "warning": "bold",
    "error": "bold",
    "hint": "",
    "title": "bold",
    "part.system": "",
    "part.facts": "",
    "part.summary": "",
    "part.recalled": "",
    "part.documents": "",
    "part.passages": "",
    "part.verbatim": "",
    "part.question": "",
    "part.definitions": "",
    "part.calls": "",
    "part.results": "",
    "part.template": "",
    "part.reserve": "",
    "part.free": "dim",
}
_STYLES: dict[str, dict[str, str]] = {
    "mono": _MONO,
    "auto": _MONO
    | {
        "heading1": "bold underline magenta",
        "heading": "bold magenta",
        "code": "cyan",
        "link": "underline blue",
        "bullet": "magenta",
        "gone": "strike red",
        "new": "bold green",
        "good": "green",
        "warning": "yellow",
        "error": "red",
        "part.system": "blue",
        "part.facts": "bright_white",
        "part.summary": "magenta",
        "part.recalled": "cyan",
        "part.documents": "yellow",
        "part.passages": "bright_yellow",
        "part.verbatim": "green",
        "part.question": "bright_green",
        "part.definitions": "bright_magenta",
        "part.calls": "bright_blue",
        "part.results": "bright_cyan",
        "part.template": "white",
        "part.reserve": "bright_black",
    },
    "dark": _MONO
    | {
        "heading1": "bold underline #d7afff",
        "heading": "bold #d7afff",
        "code": "#87d7d7",
        "link": "underline #87afff",
        "bullet": "#d7afff",
        "gone": "strike #ff8787",
        "new": "bold #87d787",
        "good": "#87d787",
        "warning": "#ffd787",
        "error": "#ff8787",
        "part.system": "#87afff",
        "part.facts": "#afafff",
        "part.summary": "#d7afff",
        "part.recalled": "#87d7d7",
        "part.documents": "#ffd787",
        "part.passages": "#ffaf87",
        "part.verbatim": "#87d787",
        "part.question": "#d7ffaf",
        "part.definitions": "#ff87d7",
        "part.calls": "#8787ff",
        "part.results": "#5fffff",
        "part.template": "#bcbcbc",
        "part.reserve": "#767676",
    },
    "light": _MONO
    | {
        "heading1": "bold underline #5f00af",
        "heading": "bold #5f00af",
        "code": "#005f5f",
        "link": "underline #0000d7",
        "bullet": "#5f00af",
        "gone": "strike #af0000",
        "new": "bold #006700",
        "good": "#006700",
        "warning": "#875f00",
        "error": "#af0000",
        "part.system": "#0000d7",
        "part.facts": "#005fd7",
        "part.summary": "#5f00af",
        "part.recalled": "#005f5f",
        "part.documents": "#875f00",
        "part.passages": "#af5f00",
        "part.verbatim": "#006700",
        "part.question": "#5f8700",
        "part.definitions": "#af0087",
        "part.calls": "#5f5fd7",
        "part.results": "#008787",
        "part.template": "#6c6c6c",
        "part.reserve": "#8a8a8a",
    },
}
_CODE_THEMES = {"auto": "ansi", "dark": "monokai", "light": "friendly", "mono": "none"}
# The code theme of the terminal's own colors; a token without an entry looks like its parent.
_ANSI_CODE = {
    "Token.Comment": "dim italic",
    "Token.Keyword": "blue",
    "Token.Keyword.Type": "cyan",
    "Token.Keyword.Constant": "magenta",
    "Token.Operator.Word": "blue",
    "Token.Name.Builtin": "cyan",
    "Token.Name.Function": "green",
    "Token.Name.Class": "bold green",
    "Token.Name.Namespace": "cyan",
    "Token.Name.Decorator": "magenta",
    "Token.Name.Exception": "cyan",
    "Token.Name.Tag": "blue",
    "Token.Name.Attribute": "cyan",
    "Token.Literal.String": "yellow",
    "Token.Literal.Number": "magenta",
    "Token.Generic.Deleted": "red",
    "Token.Generic.Inserted": "green",
    "Token.Generic.Heading": "bold",
    "Token.Generic.Subheading": "bold magenta",
    "Token.Generic.Prompt": "dim",
}


def code_themes() -> list[str]:
    """Returns every name that a code theme may have."""
    from pygments.styles import get_all_styles

    return ["auto", "none", "ansi", *sorted(get_all_styles())]


class Palette:
    """Maps kinds of text to SGR codes ("1;36", or "" for none) that this terminal can show."""

    def __init__(
        self,
        theme: str = "auto",
        code_theme: str = "",
        colors: ColorSystem | None = None,
        background: Background = "",
    ) -> None:
        name = theme if theme != "auto" else _suiting(background or background_by_environment(), colors)
        self._colors = colors
        self.is_mono = name == "mono" or colors is None
        self.has_links = colors is not None  # a terminal without colors gets no clickable links
        self._sgr = {kind: _codes(style, colors) for kind, style in _STYLES[name].items()}
        self._code_theme = _CODE_THEMES[name] if code_theme in {"", "auto"} else _known(code_theme)
        self.frames_code = self._code_theme == "none"  # nothing else would tell code from text
        self._tokens: dict[_TokenType, str] = {}

    def __getitem__(self, kind: str) -> str:
        return self._sgr[kind]

    @property
    def styles(self) -> Mapping[str, str]:
        return self._sgr

    def token(self, kind: _TokenType) -> str:
        """Returns the SGR codes of a Pygments token."""
        found = self._tokens.get(kind)
        if found is None:
            found = self._tokens[kind] = _codes(self._token_style(kind), self._colors)
        return found

    def _token_style(self, kind: _TokenType) -> str:
        if self._code_theme == "none" or str(kind) == "Token.Error":  # code may just be unfinished: no error color
            return ""
        if self._code_theme == "ansi":
            at: _TokenType | None = kind
            while at is not None and str(at) not in _ANSI_CODE:
                at = at.parent
            return _ANSI_CODE[str(at)] if at is not None else ""
        theme = _pygments_style(self._code_theme)
        known = {token for token, _ in theme}
        while kind.parent is not None and kind not in known:  # a lexer may have tokens of its own
            kind = kind.parent
        look = theme.style_for_token(kind)
        words = [word for word in ("bold", "italic", "underline") if look[word]]
        if look["color"]:
            words.append("#" + look["color"])
        return " ".join(words)


def _suiting(background: Background, colors: ColorSystem | None) -> str:
    """Returns the theme for that background. With only sixteen colors, the terminal's own suit it best."""
    return background if background and colors is not ColorSystem.STANDARD else "auto"


def _known(code_theme: str) -> str:
    names = code_themes()
    if code_theme not in names:
        raise BadValue(f"There is no code theme {code_theme}.", "There are: " + ", ".join(names))
    return code_theme


@lru_cache(maxsize=512)
def _codes(style: str, colors: ColorSystem | None) -> str:
    if colors is None or not style:
        return ""
    drawn = Style.parse(style).render("x", color_system=colors)
    return drawn.partition("m")[0].removeprefix("\x1b[") if drawn != "x" else ""


@lru_cache(maxsize=4)
def _pygments_style(name: str) -> StyleMeta:
    from pygments.styles import get_style_by_name

    return get_style_by_name(name)
