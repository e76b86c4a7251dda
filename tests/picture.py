"""Takes the pictures in the manual, docs/pictures: the real program in a terminal, with the demo engine.

`python -m tests.picture` writes them, each for a dark and for a light page; tests/test_manual.py checks that their
text is what the program shows today. All of them come from one conversation: see `taken`.
"""

from __future__ import annotations

import html
import io
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pyte.screens import Char, Screen
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text

from chatcli.demo.replies import DemoReply
from chatcli.demo.request import DemoCall
from tests.faults import Engine
from tests.readme import ROOT
from tests.test_terminal import Terminal
from tests.test_terminal_screen import Stages

PICTURES = ROOT / "docs" / "pictures"
COLUMNS, ROWS = 84, 40
MODEL = "demo-tools"
PORT = "11434"  # Ollama's, in place of the one that was free


@dataclass(frozen=True)
class Look:
    """A terminal's: what it tells programs of its colors (COLORFGBG), and the colors."""

    told: str
    theme: TerminalTheme


LIGHT = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (175, 0, 0),
        (0, 103, 0),
        (135, 95, 0),
        (0, 0, 215),
        (95, 0, 175),
        (0, 95, 95),
        (108, 108, 108),
    ],
)
LOOKS = {"dark": Look("15;0", MONOKAI), "light": Look("0;15", LIGHT)}
WHALES = """Whales are **mammals**: they breathe air and feed their calves with milk. There are two kinds:

- Baleen whales filter krill, and are the largest animals there are.
- Toothed whales hunt fish and squid, and find them by sound.
"""
SONGS = """Humpbacks do. All males of an ocean sing the same song, which lasts up to 30 minutes, and change it
together from year to year. Why they sing is not known.
"""
WINTER = "Mostly in winter, where they breed; some go on into summer."
SHORT = "Humpbacks sing for up to 30 minutes; why, nobody knows."
LARGEST = """The **blue whale**. No animal that ever lived was heavier:

| whale | length | weight |
| --- | ---: | ---: |
| blue | 30 m | 150 t |
| fin | 26 m | 75 t |
| sperm | 18 m | 45 t |

```python
def heaviest(whales: list[Whale]) -> Whale:
    \"\"\"The blue whale, so far.\"\"\"
    return max(whales, key=lambda whale: whale.tons)
```
"""
CALLS = (
    DemoCall("calculate", {"expression": "29.9 * 3.2808"}),
    DemoCall("run", {"command": "find notes -name '*whale*' -size +1M"}, index=1),
)
# The prompt, and the toolbar when all is counted.
READY = re.compile(r"^>>> Send a message.*\n \S+ · \d+ of \d+ tokens.*\Z", re.MULTILINE)
ANSWERING = re.compile(r"^ \S answers, \d+ s, 145 tokens.*\Z", re.MULTILINE)
MOVING = re.compile(r"^ \S (?=answers)|\b\d+(\.\d)? s\b", re.MULTILINE)  # other with every run
FAINT = re.compile(rb"(\x1b\[(?:1;)?)2(?=[;m])")
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


class Person(Terminal):
    """Talks to the engine in a terminal with this look."""

    def __init__(self, engine: Engine, look: Look) -> None:
        self._port = engine.url.rpartition(":")[2].encode()
        super().__init__(
            "-m",
            MODEL,
            columns=COLUMNS,
            rows=ROWS,
            OLLAMA_HOST=engine.url,
            COLORTERM="truecolor",
            COLORFGBG=look.told,
        )

    def take(self, came: bytes) -> None:
        """What is faint blinks instead, because pyte knows no faint characters; nothing else blinks."""
        super().take(FAINT.sub(rb"\g<1>5", came.replace(self._port, PORT.encode())))

    @property
    def shown(self) -> str:
        return text_of(self.screen)

    def begin_anew(self) -> None:
        """With an empty screen."""
        self.press("\x0c")
        self.until(lambda: self.shown.startswith(">>> Send"))

    def ask(self, line: str, seen: str) -> None:
        """Enter it, and wait for the prompt below what is `seen` then."""
        self.enter(line)
        self.wait(seen)

    def wait(self, seen: str) -> None:
        """For the prompt below this."""
        self.until(lambda: READY.search(self.shown.partition(seen)[2]) is not None)


def taken(look: Look) -> Iterator[tuple[str, Screen]]:
    """The name of each picture with the screen at that moment, in one conversation. Its store is that of
    CHATCLI_HOME, which has to be empty.
    """
    with Engine() as engine:
        person = Person(engine, look)
        try:
            person.wait("goes on with the last one")
            yield "first-screen", person.screen
            _talk(engine, person)
            yield from _one_reply(engine, person)
            for command, seen in (("context", "planned"), ("tree", "here")):
                person.begin_anew()
                person.ask(f"/{command}", seen)
                yield command, person.screen
            person.ask("/tools on,run", "tools: =")
            person.begin_anew()
            engine.say(DemoReply("", calls=CALLS))
            person.enter("How many feet are 29.9 m? And which of my notes on whales are large?")
            person.see("no and end the turn")
            yield "leave", person.screen
        finally:
            person.close()


def _talk(engine: Engine, person: Person) -> None:
    """What was said before the other pictures."""
    engine.say(WHALES, SONGS, WINTER, SHORT)
    person.ask("/set num_ctx 1k", "num_ctx = 1024")
    person.ask("Tell me of whales.", "by sound.")
    person.ask("Do they sing?", "not known.")
    person.ask("All year?", "into summer.")
    person.ask("/goto 3", "has no reply yet")
    person.ask("/retry", "nobody knows.")
    person.ask("/branch short", 'is "short"')
    person.begin_anew()


def _one_reply(engine: Engine, person: Person) -> Iterator[tuple[str, Screen]]:
    engine.say(LARGEST)
    stages = Stages(145)
    engine.script(stages)
    person.enter("Which whale is the largest?")
    stages.reached(person)
    person.until(lambda: ANSWERING.search(person.shown.partition("max(wha")[2]) is not None)
    yield "reply", person.screen
    stages.go_on()
    person.wait("tons)")
    person.ask("/compact", "replaces")


def file_of(subject: str, look: str) -> Path:
    return PICTURES / f"{subject}-{look}.svg"


def text_of(screen: Screen) -> str:
    return "\n".join(row.rstrip() for row in screen.display).rstrip()


def still(text: str) -> str:
    """The text without what is another with every run: times, and the sign that turns while a reply comes."""
    return MOVING.sub("", text)


def drawn(screen: Screen, theme: TerminalTheme) -> str:
    """The screen as SVG."""
    console = Console(record=True, width=screen.columns, file=io.StringIO(), color_system="truecolor")
    for row in range(len(text_of(screen).splitlines())):
        cells = [screen.buffer[row][column] for column in range(screen.columns)]
        runs = groupby(cells, key=lambda cell: cell._replace(data=""))
        console.print(Text.assemble(*(("".join(cell.data for cell in run), _style(look)) for look, run in runs)))
    frame = FRAME.format(text=html.escape(text_of(screen)).replace("{", "{{").replace("}", "}}"))
    svg = console.export_svg(title="chatcli", theme=theme, code_format=frame, unique_id="screen")
    return svg.replace("rgba(255,255,255,0.35)", "rgba(128,128,128,0.5)")  # a border that is seen on white, too


def _style(look: Char) -> Style:
    return Style(
        color=_color(look.fg),
        bgcolor=_color(look.bg),
        bold=look.bold,
        dim=look.blink,
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


def main() -> None:
    os.environ.pop("NO_COLOR", None)
    PICTURES.mkdir(exist_ok=True)
    for name, look in LOOKS.items():
        with tempfile.TemporaryDirectory() as home:
            os.environ["CHATCLI_HOME"] = home
            for subject, screen in taken(look):
                file_of(subject, name).write_text(drawn(screen, look.theme), encoding="utf-8")


if __name__ == "__main__":
    main()
