"""Code line by line has the colors that it has as a whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from pygments.lexers import get_lexer_by_name
from pygments.lexers.esoteric import BefungeLexer
from pygments.token import Text
from rich.color import ColorSystem

from chatcli.render import lexing
from chatcli.render.code import Highlighter
from chatcli.render.lines import Span
from chatcli.render.theme import Palette

PALETTE = Palette("dark", "monokai", ColorSystem.TRUECOLOR)
CODE = {
    "python": '''
class A:
    """A docstring

    of several 'lines'."""

    def f(self, x: int = 1) -> str:
        text = """one
two {x}"""  # comment
        return f"{x!r:>{10}}" + r'\\d' + text
''',
    "javascript": """
/* a comment
 * that goes on */
const t = `a ${b + `c
d`} e`; // end
function f(a) { return /x/g.test(a) ? "it's" : 'no'; }
""",
    "c": """
#include <stdio.h>
/* don't
   mind */
static int add(int a, int b) {
    return a + b; /* one */ /* two
    three */
}
""",
    "c++": """
int is_in(void *data, const char *name,
          const char *other)
{
    return f(name);
}
void declared(int a,
              int b);
void empty(void *data) {}
static bool last(
    int a
) {
    return a;
}
Thing::Thing(int a)
    : a_(a) {}
int x = 1;
""",
    "bash": """
cat <<EOF > file
[section]  # no comment
key=$value
EOF
echo 'several
lines' "and $more"
""",
    "html": """
<!-- a comment
  goes on -->
<script>
  const a = 1; // js
  if (a < 2) { alert("x"); }
</script>
<style>
  p { color: red; }
</style>
<p class="x">text</p>
""",
    "sql": """
SELECT 'it''s', "a b" FROM t -- don't
WHERE x = 'several
lines' /* and
more */ AND y > 1.5;
""",
    "yaml": """
a: 1
list:
  - x: "y"
    z: |
      block text: here
      more
  - &anchor b
""",
    "rust": """
fn main() { /* nested
comment */ let c = 'x'; println!("{}", c); }
""",
    "ruby": """
text = <<~EOS
  one #{two}
EOS
puts text =~ /x/i
""",
    "mysql": """
/* a comment
   in a state of its own */
SELECT 1; -- and code again
""",
    "powershell": """
<#
.SYNOPSIS
  A comment # with a hash.
#>
function Get-It { param([string]$Name) Write-Output "it's $Name" }
""",
    "perl": """
my $x = 'a';
=pod

Documentation isn't code.

=cut
print <<'END';
text
END
print $x;
""",
    "cmake": """
#[==[
A comment ]] that goes on
]==]
set(X "y")
""",
    "lua": """
local s = [[
several lines]] --[==[ a
comment ]==] print(s)
""",
    "vim": """
if exists("b:x")
  finish
endif
set number
""",
    "cpp": """
std::vector<uint8_t> bytes; size_t count = 0;
// don't
int main() { return static_cast<int>(count); }
""",
    "csharp": """
namespace A {
    /* several
       lines */
    class B { string c = @"and
more"; }
}
""",
    "sml": """
val x = 1 (* a comment
  that goes on *)
fun f y = y + 2.0;
""",
    "http": "GET / HTTP/1.1\nHost: a.b\nAccept: */*",
    "tcl": """
# Sends a <<Changed>> event
proc f {} { set Q . }
""",
    "json": '{\n  "a": [1, 2.5, true],\n  "b": {"c": "d"}\n}',
    "diff": "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z",
    "markdown": """
# T

*a* **b** `c`

- [x](y)

> quoted

```python
x = 'a'  # one
```

```
plain
```

*d*""",
}


def coloured(spans: list[Span]) -> list[tuple[str, str]]:
    """The characters that can be seen, each with its colour."""
    return [(char, span.sgr) for span in spans for char in span.text if not char.isspace()]


@pytest.mark.parametrize("language", CODE)
def test_lines_have_the_colours_of_the_whole(language: str) -> None:
    code = CODE[language].strip("\n")
    highlighter = Highlighter(language, PALETTE)
    lines = [span for line in code.split("\n") for span in highlighter.line(line)]
    whole = get_lexer_by_name(language, stripnl=False).get_tokens(code)
    assert coloured(lines) == coloured([Span(part, PALETTE.token(kind)) for kind, part in whole])


@pytest.mark.parametrize(
    "language", [*CODE, "tsx", "html+jinja", "pycon", "console", "php", "scss", "toml", "vim"]
)
def test_no_language_loses_text(language: str) -> None:
    odd = [
        "a ' b",
        '""" <<EOF /* <!-- ` {{ {% %}',
        "",
        "}} */ ]]> --> \\",
        "é 日本 👍",
        "EOF",
        "<script>",
        "</style>",
    ]
    highlighter = Highlighter(language, PALETTE)
    for line in [*odd, *CODE["html"].split("\n"), *odd]:
        highlighter.copy().line(line + " looked at")
        assert "".join(span.text for span in highlighter.line(line)) == line


def test_an_unknown_language_is_plain() -> None:
    assert Highlighter("klingon", PALETTE).line("a = 1") == [Span("a = 1", PALETTE["block"])]


def test_only_public_names_of_pygments_are_used() -> None:
    """A release of it may change the others. Annotations are not evaluated."""
    tree = ast.parse(Path(lexing.__file__).read_text(encoding="utf-8"))
    known = {"self", "twin"}  # objects of this module
    used = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert not [each for each in used if re.search(r"\._(?!_)", each) and each.split(".")[0] not in known]
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert not [each.name for node in imported for each in node.names if each.name.startswith("_")]


def test_a_lexer_that_cannot_be_made_leaves_the_code_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BefungeLexer, "tokens", {"root": [("(", Text)]})
    assert Highlighter("befunge", PALETTE).line("a = 1") == [Span("a = 1", PALETTE["block"])]
