"""Converts Markdown to safe HTML with highlighted code, for exports. Imports markdown-it and Pygments late."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from chatcli.text import clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# Pygments' short class names, in colors readable on white and on black.
STYLE = """
article.assistant pre { font: 0.9em/1.4 ui-monospace, monospace; white-space: pre; overflow-x: auto;
  background: #8881; padding: 0.6rem; }
article.assistant code, .formula { font-family: ui-monospace, monospace; }
.formula { white-space: pre-wrap; }
article.assistant table { border-collapse: collapse; display: block; overflow-x: auto; }
article.assistant td, article.assistant th { border: 1px solid #8886; padding: 0.2rem 0.5rem; }
article.assistant blockquote { border-left: 3px solid #8886; margin-left: 0; padding-left: 1rem; }
.c, .c1, .cm, .ch, .cs { color: #808080; font-style: italic; }
.k, .kc, .kd, .kn, .kr, .ow, .kt { color: #3b78c4; }
.s, .s1, .s2, .sb, .sd, .se, .sa, .sf, .si { color: #a5730f; }
.m, .mi, .mf, .mh, .mo { color: #a04fb8; }
.nf, .fm, .nc, .nt, .na { color: #2e8b57; }
.nb, .bp, .nn, .nd, .ne { color: #1f8f8f; }
.gd { color: #c0392b; } .gi { color: #2e8b57; }
"""


def to_html(markdown: str) -> str:
    """HTML inside the Markdown is shown as text; only http, https and mailto links work."""
    return str(_parser().render(clean(markdown)))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    from chatcli.render.dialect import teach

    parser = MarkdownIt("commonmark", {"html": False, "highlight": _highlight}).enable(["table", "strikethrough"])
    parser.validateLink = _is_harmless  # type: ignore[method-assign]
    return teach(parser)


def _is_harmless(url: str) -> bool:
    return url.lower().startswith(("http:", "https:", "mailto:"))


def _highlight(code: str, language: str, _attributes: str) -> str:
    """Returns "" to leave the code to markdown-it, which escapes it."""
    if not language:
        return ""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return str(highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return ""
