"""Takes the README's picture, docs/screen.svg: the real program in a terminal, with the demo engine.

`python -m tests.picture` writes it; tests/test_manual.py checks that its text is what the program shows today.
"""

from __future__ import annotations

import html
import io
import os
import re
import tempfile
from itertools import groupby

from pyte.screens import Char, Screen
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

from chatcli import Chat
from tests.faults import Engine
from tests.readme import ROOT
from tests.test_terminal import Terminal

PICTURE = ROOT / "docs" / "screen.svg"
COLUMNS, ROWS = 84, 40
EARLIER = {"Tell me of whales.": "A whale swims. " * 50, "And of dolphins?": "A dolphin swims. " * 40}
QUESTION = "Which whale is the largest?"
REPLY = """The **blue whale**. No animal that ever lived was heavier:

| whale | length | weight |
| --- | ---: | ---: |
| blue | 30 m | 150 t |
| fin | 26 m | 75 t |
| sperm | 18 m | 45 t |

```python
heaviest = max(whales, key=lambda whale: whale.tons)
```
"""
WAITS = re.compile(r">>> Send a message.*\n.* left out$")  # the prompt, and the toolbar below it
# Rich's frame for a screen, without fonts that would have to be downloaded. Its description is the screen's text.
FRAME = """<svg viewBox="0 0 {{width}} {{height}}" xmlns="http://www.w3.org/2000/svg">
<desc>{text}</desc>
<style>
.{{unique_id}}-matrix {{{{ font: {{char_height}}px/{{line_height}}px ui-monospace, Menlo, Consolas, monospace; }}}}
.{{unique_id}}-title {{{{ font: bold 18px sans-serif; }}}}
{{styles}}
</style>
<defs><clipPath id="{{unique_id}}-clip-terminal">
<rect x="0" y="0" width="{{terminal_width}}" height="{{terminal_height}}" /></clipPath>{{lines}}</defs>
{{chrome}}
<g transform="translate({{terminal_x}}, {{terminal_y}})" clip-path="url(#{{unique_id}}-clip-terminal)">
{{backgrounds}}<g class="{{unique_id}}-matrix">{{matrix}}</g></g></svg>
"""


def taken() -> Screen:
    """The screen after a question and `/context`, in a conversation that has outgrown its window. Its store is
    that of CHATCLI_HOME.
    """
    with Engine() as engine:
        engine.say(*EARLIER.values(), REPLY)
        with Chat("demo", host=engine.url, num_ctx=1024, strategy="trim", save=True) as chat:
            for question in EARLIER:
                chat.send(question)
        looks = {"COLORTERM": "truecolor", "COLORFGBG": "15;0"}
        person = Terminal("--continue", columns=COLUMNS, rows=ROWS, OLLAMA_HOST=engine.url, **looks)
        try:
            person.see("Send a message", "window 1024 of")
            person.press("\x0c")
            person.until(lambda: "window" not in text_of(person.screen))
            _enter(person, QUESTION, "heaviest")
            _enter(person, "/context", "planned")
            return person.screen
        finally:
            person.close()


def _enter(person: Terminal, line: str, seen: str) -> None:
    """Enter it, and wait for the prompt below what is `seen` then."""
    person.enter(line)
    person.until(lambda: WAITS.search(text_of(person.screen).partition(seen)[2]) is not None)
    person.settle()


def text_of(screen: Screen) -> str:
    return "\n".join(row.rstrip() for row in screen.display).rstrip()


def drawn(screen: Screen) -> str:
    """The screen as SVG."""
    console = Console(record=True, width=screen.columns, file=io.StringIO(), color_system="truecolor")
    for row in range(len(text_of(screen).splitlines())):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        runs = groupby(cells, key=lambda cell: cell._replace(data=""))
        console.print(Text.assemble(*(("".join(cell.data for cell in run), _style(look)) for look, run in runs)))
    frame = FRAME.format(text=html.escape(text_of(screen)).replace("{", "{{").replace("}", "}}"))
    return console.export_svg(title="chatcli", theme=MONOKAI, code_format=frame, unique_id="screen")


def _style(look: Char) -> Style:
    return Style(
        color=_color(look.fg),
        bgcolor=_color(look.bg),
        bold=look.bold,
        italic=look.italics,
        underline=look.underscore,
        strike=look.strikethrough,
        reverse=look.reverse,
    )


def _color(name: str) -> str:
    """pyte's name of a color as Rich has it."""
    return f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else {"brown": "yellow"}.get(name, name)


def text_in(svg: str) -> str:
    """The text of the screen that was drawn."""
    found = re.search("<desc>(.*)</desc>", svg, re.DOTALL)
    return html.unescape(found[1]) if found else ""


if __name__ == "__main__":
    os.environ.pop("NO_COLOR", None)
    with tempfile.TemporaryDirectory() as home:
        os.environ["CHATCLI_HOME"] = home
        PICTURE.write_text(drawn(taken()), encoding="utf-8")
