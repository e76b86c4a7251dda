"""A growing reply as a person sees it: on pyte screens of several sizes, in pipes, and however it ends."""

from __future__ import annotations

import gc
import io
import os
import random
import re
import signal
import subprocess
import sys
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.conversation.events import Done, Event, Text, Thinking, Tick, ToolCall
from chatcli.conversation.message import ToolUse
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from tests.growing import Clock, feed, looks, pieces, rendered, streamed
from tests.screen import Seen

BLOCKS = [
    "# A heading",
    "Setext heading\n===",
    "A paragraph with **bold**, *italic*, `code` and a [link](https://example.org/a_b) that has to wrap.",
    "Unclosed **bold and `code, 2 * 3 * 4, snake_case_name and <b>tags</b>\nover two lines  \nwith a hard break",
    "- one\n- two **bold\n  text**\n- three\n\n  second paragraph\n\n      indented code in it",
    "1. first\n2. second\n   - nested\n     deeper text that goes on for so long that it has to wrap\n10. tenth",
    "- [ ] open\n- [x] done",
    "> quoted text\nlazily continued\n>\n> - a list in it\n>   ```\n>   code\n>   ```",
    "| name | size |\n|:-----|-----:|\n| a | 1 |\n| a `longer` one that may wrap | 22 |\n| b |",
    "```python\ndef f(x):\n    '''Doc\n    string.'''\n    return f\"{x}\"  # comment\n\n\nclass A: ...\n```",
    "````\nno language ``` here\n\n\tindented\n````",
    "    indented code\n\n    more of it",
    "***",
    "日本語のテキストには空白がないので、どこでも折り返すことができます。日本語のテキスト。",
    "Emoji 👍 👨‍👩‍👧 ❤️ 🇩🇪 and combining e\u0301 n\u0303 marks, again 👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍",
    "<details>\n<summary>More</summary>\n\nInside.\n\n</details>",
    "[ref]: https://example.org\n\nSee [ref].",
    "&amp; &copy; \\*not emphasis\\* &#8238;",
    "x" * 200,
]
markdown = st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=6).map("\n\n".join) | st.text(
    alphabet="ab *_`#-+>|[]()!<&\\~=1.: \n\t", max_size=120
)


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 10), (200, 50)])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=markdown, seed=st.integers(0, 1000))
def test_a_streamed_reply_looks_like_one_rendering_of_it(columns: int, rows: int, text: str, seed: int) -> None:
    seen = streamed([Text(piece) for piece in pieces(text, seed)], columns, rows)
    whole = rendered(text, columns, rows)
    assert seen.text == whole.text
    assert looks(seen) == looks(whole)
    assert not seen.cursor_is_hidden


def test_a_reply_taller_than_the_screen_leaves_no_line_twice() -> None:
    lines = [f"- item {n}" for n in range(100)]
    lines += ["", *(f"paragraph {n}\n" for n in range(50)), "```", *(f"code {n}" for n in range(100)), "```"]
    seen = streamed([Text(piece) for piece in pieces("\n".join(lines), 1)], 40, 10)
    shown = [row for row in seen.text if row]
    assert shown == [line.replace("- ", "• ").strip() for line in lines if line and not line.startswith("```")]


def test_what_came_before_a_ctrl_c_stays_once() -> None:
    seen = Seen()

    def interrupted() -> None:
        with Screen(seen, seen, width=80, height=24).answer("m") as answer:
            answer.feed(Text("one **two"))
            answer.feed(Text("** three"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen.text == ["one two three"]
    assert not seen.cursor_is_hidden


def test_thinking_is_folded_to_one_line() -> None:
    events: list[Event] = [Tick(), Thinking("first idea\n"), Thinking("second idea"), Text("Hello"), Done("stop")]
    seen = streamed(events)
    assert seen.text[0].startswith("Thought for ")
    assert seen.text[0].endswith(" s (2 tokens)")
    assert seen.text[1:] == ["", "Hello"]


def test_one_token_is_one_token() -> None:
    assert streamed([Thinking("hm"), Text("Hello"), Done("stop")]).text[0] == "Thought for 10 s (1 token)"


def test_thinking_can_be_shown_or_hidden() -> None:
    events: list[Event] = [Thinking("first idea\nsecond "), Thinking("idea"), Text("Hello"), Done("stop")]
    assert streamed(events, thinking="show").text[:2] == ["first idea", "second idea"]
    assert streamed(events, thinking="hide").text == ["Hello"]


def test_thinking_is_glimpsed_in_a_few_lines_that_do_not_jump() -> None:
    seen = Seen(40, 24)
    clock = Clock()
    words = " ".join(f"idea{n}" for n in range(200))
    with Screen(seen, seen, width=40, height=24).answer("m", clock=clock) as answer:
        for piece in pieces(words, 3):
            feed(answer, clock, Thinking(piece))
            rows = [row for row in seen.display if row]
            assert len(rows) <= 7
        shown = " ".join(rows[:-1])
        assert shown in words
        assert shown.endswith("idea199")
        answer.feed(Text("Hi"))
    assert seen.text[2] == "Hi"


def test_thinking_again_after_text_keeps_the_text() -> None:
    events: list[Event] = [Thinking("a"), Text("one\n"), Thinking("b"), Text("two"), Done("stop")]
    assert [row for row in streamed(events).text if not row.startswith("Thought")] == ["", "one", "", "", "two"]


def test_a_call_of_a_tool_is_one_quiet_line() -> None:
    events: list[Event] = [Text("Let me see."), ToolCall(ToolUse("clock", {"zone": "U\x1bcTC"})), Text("Noon.")]
    assert streamed(events).text == ["Let me see.", "", "calls clock U\\u001bcTC", "", "Noon."]


def test_ctrl_c_in_the_middle_of_drawing_waits_until_it_is_drawn() -> None:
    class Interrupting(Seen):
        def write(self, text: str, /) -> int:
            if "three" in text and not interrupts:
                interrupts.append(True)
                os.kill(os.getpid(), signal.SIGINT)
            return super().write(text)

    interrupts: list[bool] = []
    seen = Interrupting()
    fed: list[str] = []

    def reply() -> None:
        clock = Clock()
        with Screen(seen, seen, width=80, height=24).answer("m", clock=clock) as answer:
            for word in ("one ", "two ", "three ", "four"):
                fed.append(word)
                feed(answer, clock, Text(word))

    with pytest.raises(KeyboardInterrupt):
        reply()
    assert fed == ["one ", "two ", "three "]
    assert seen.text == ["one two three"]
    assert not seen.cursor_is_hidden


@pytest.mark.parametrize("in_between", [False, True])
def test_signals_come_at_once_between_two_drawings_and_have_their_handlers_again(in_between: bool) -> None:
    """Also one that somebody sets meanwhile is kept."""
    came: list[str] = []
    old, new = (lambda *_: came.append("old")), (lambda *_: came.append("new"))
    before = signal.signal(signal.SIGINT, old)
    try:
        seen, clock = Seen(), Clock()
        with Screen(seen, seen, width=80, height=24).answer("m", clock=clock) as answer:
            feed(answer, clock, Text("one "))
            os.kill(os.getpid(), signal.SIGINT)
            assert came == ["old"]
            if in_between:
                signal.signal(signal.SIGINT, new)
            feed(answer, clock, Text("two"))
        assert signal.getsignal(signal.SIGINT) is (new if in_between else old)
    finally:
        signal.signal(signal.SIGINT, before)


SUSPENDED = """
import io, os, signal
from chatcli.conversation.events import Text
from chatcli.render.screen import Screen
class Terminal(io.StringIO):
    def isatty(self): return True
terminal = Terminal()
now = [0.0]
with Screen(terminal, terminal, width=80, height=24).answer("m", clock=lambda: now[0]) as answer:
    for word in ("one ", "two "):
        now[0] += 10
        answer.feed(Text(word))
        os.kill(os.getpid(), signal.SIGTSTP)
print(repr(terminal.getvalue()))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="there is no job control")
def test_after_ctrl_z_the_cursor_was_there_and_the_text_goes_on_below() -> None:
    # In a session of its own nobody could continue the process, so the system does not stop it either.
    run = [sys.executable, "-c", SUSPENDED]
    done = subprocess.run(run, capture_output=True, text=True, check=True, start_new_session=True)
    _, after = done.stdout.split("one", 1)
    assert after.index("[?25h") < after.index("[?25l") < after.index("two")
    assert after.count("one") == 0
    assert "A" not in after  # no step up, over what the shell has written


STOPPED_IN = """
import io, os, signal, sys
from chatcli.conversation.events import Progress, Text
from chatcli.render.screen import Screen
class Terminal(io.StringIO):
    writes, inside = 0, False
    def isatty(self): return True
    def write(self, text):
        if self.inside: raise RuntimeError("reentrant call")  # as a buffered file does
        self.inside = True
        self.writes += 1
        if self.writes == stopped_in: os.kill(os.getpid(), signal.SIGTSTP)
        super().write(text)
        self.inside = False
def reply(screen):
    now = [0.0]
    with screen.answer("m", clock=lambda: now[0]) as answer:
        for word in ("one ", "two "):
            now[0] += 10
            answer.feed(Text(word))
def progress(screen):
    screen.progress(iter([Progress("one", 1, 2), Progress("two", 2, 2)]))
while True:
    stopped_in = globals().get("stopped_in", 0) + 1
    terminal = Terminal()
    globals()[sys.argv[1]](Screen(terminal, terminal, width=80, height=24))
    written = terminal.getvalue()
    assert written.rindex("[?25h") > written.rindex("[?25l")
    assert "one" in written and "two" in written
    if terminal.writes < stopped_in: break
    print(written.count("[?25h"))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGTSTP"), reason="there is no job control")
@pytest.mark.parametrize("drawn", ["reply", "progress"])
def test_ctrl_z_in_the_middle_of_a_write_waits_for_its_end(drawn: str) -> None:
    """A buffered file cannot be written to from a signal's handler that interrupts its own write."""
    run = [sys.executable, "-c", STOPPED_IN, drawn]
    done = subprocess.run(run, capture_output=True, text=True, check=False, start_new_session=True)
    assert done.stderr == ""
    assert done.stdout.split()[:2] == ["2", "2"]  # the cursor was given back meanwhile


def test_a_spinner_turns_until_the_first_word_and_leaves_nothing() -> None:
    seen = Seen()
    clock = Clock()
    with Screen(seen, seen, width=80, height=24).answer("llama", clock=clock) as answer:
        for clock.now in (0.0, 1.0, 2.5):
            answer.feed(Tick())
        assert seen.display[0].endswith("llama, 2 s")
        answer.feed(Text("Hi"))
    assert seen.text == ["Hi"]


@pytest.mark.parametrize("first", [Text("word"), Thinking("word")], ids=["text", "thinking"])
def test_a_first_word_is_drawn_when_it_comes_however_soon(first: Event) -> None:
    seen, clock = Seen(), Clock()
    with Screen(seen, seen, width=80, height=24).answer("llama", clock=clock) as answer:
        answer.feed(Tick())
        answer.feed(first)
        assert seen.display[0].endswith("word")


@pytest.mark.parametrize("kind", [Text, Thinking])
def test_what_comes_together_is_drawn_together(kind: type[Text | Thinking]) -> None:
    seen, clock = Seen(), Clock()
    with Screen(seen, seen, width=80, height=24).answer("llama", clock=clock) as answer:
        answer.feed(kind("one "))
        clock.now += 0.06
        for word in ("two ", "three ", "four"):
            before = len(seen.getvalue())
            answer.feed(kind(word))
            assert len(seen.getvalue()) == before
        answer.feed(Tick())
        assert "one two three four" in seen.text


def test_what_comes_without_end_is_drawn_all_the_same() -> None:
    seen, clock = Seen(), Clock()
    with Screen(seen, seen, width=80, height=24).answer("llama", clock=clock) as answer:
        for number in range(20):
            clock.now += 0.02
            answer.feed(Text(f"{number} "))
        assert "15" in seen.text[0]


def test_a_reply_without_text_leaves_nothing() -> None:
    assert streamed([Tick(), Done("stop")]).text == []


WORDS = " ".join(f"word{n}" for n in range(120))
LONG_BLOCKS = [
    WORDS,
    "\n".join(f"- item{n} with a few more words" for n in range(30)),
    "> " + WORDS,
    "| a | b |\n|---|---|\n" + "\n".join(f"| cell{n} and more | other{n} cell |" for n in range(40)),
    "```\n" + "\n".join(f"code{n} = {n} * {n}" for n in range(40)) + "\n```",
    "- first\n\n  " + WORDS,
]


def resized(text: str, seed: int, reflow: bool, program: str = "") -> Seen:
    """A screen after `text`, which changed its size several times meanwhile."""
    chance = random.Random(seed)
    seen = Seen(80, 24)
    clock = Clock()
    screen = Screen(seen, seen, theme="mono", known=Known(program=program))
    screen.size = lambda: (seen.columns, seen.rows)  # type: ignore[method-assign]
    with screen.answer("m", clock=clock) as answer:
        for piece in pieces(text, seed):
            feed(answer, clock, Text(piece))
            if chance.random() < 0.1:
                seen.resize(chance.choice([30, 50, 80, 120]), chance.choice([8, 24, 40]), reflow=reflow)
    return seen


@pytest.mark.parametrize("text", LONG_BLOCKS, ids=["paragraph", "list", "quote", "table", "code", "nested"])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("program", ["", "kitty(0.35)"])
def test_a_resize_in_mid_reply_loses_nothing_and_repeats_nothing(text: str, seed: int, program: str) -> None:
    seen = "".join("".join(resized(text, seed, reflow=True, program=program).text).split())
    assert re.findall(r"(?:word|item|code|cell|other)\d+", seen) == re.findall(
        r"(?:word|item|code|cell|other)\d+", "".join("".join(rendered(text, 500, 500).text).split())
    )


@pytest.mark.parametrize("at", [4500, 6000, 8000])
def test_a_resize_late_in_a_very_long_paragraph_repeats_nothing(at: int) -> None:
    text = " ".join(f"word{n} *em{n}* `c{n}`" for n in range(500))
    seen, clock = Seen(80, 24), Clock()
    screen = Screen(seen, seen, theme="mono", known=Known(program="kitty(0.35)"))
    screen.size = lambda: (seen.columns, seen.rows)  # type: ignore[method-assign]
    with screen.answer("m", clock=clock) as answer:
        for start in range(0, len(text), 20):
            feed(answer, clock, Text(text[start : start + 20]))
            if start == at:
                seen.resize(60, 20)
    assert "".join("".join(seen.text).split()) == re.sub(r"[*` ]", "", text)


@pytest.mark.parametrize("text", LONG_BLOCKS[:3], ids=["paragraph", "list", "quote"])
@pytest.mark.parametrize("program", ["", "xterm(390)"])
def test_a_terminal_that_cuts_its_lines_shows_nothing_twice(text: str, program: str) -> None:
    seen = " ".join(resized(text, 1, reflow=False, program=program).text)
    found = re.findall(r"(?:word|item)\d+\b", seen)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(("program", "reflow"), [("kitty(0.35)", True), ("xterm(390)", False)])
@pytest.mark.parametrize("text", [WORDS[:600], LONG_BLOCKS[1][:500], "> " + WORDS[:600]])
def test_where_it_is_known_what_a_resize_does_the_open_text_is_drawn_anew(
    program: str, reflow: bool, text: str
) -> None:
    seen = Seen(80, 40)
    clock = Clock()
    screen = Screen(seen, seen, theme="mono", known=Known(program=program))
    screen.size = lambda: (seen.columns, seen.rows)  # type: ignore[method-assign]
    above = "A line above.\n\n" * 30  # so that it is known that the rows of the open text are on the screen
    with screen.answer("m", clock=clock) as answer:
        feed(answer, clock, Text(above))
        for at, character in enumerate(text):
            feed(answer, clock, Text(character))
            if at in {100, 200, 300}:
                seen.resize({100: 50, 200: 30, 300: 44}[at], 40, reflow=reflow)
    assert seen.text == rendered(above + text, 44, 40).text


def test_a_code_block_of_5000_lines_is_drawn_line_by_line() -> None:
    code = "".join(f"def f{n}(x): return 'é{n}'  # {n}\n" for n in range(5000))
    written: list[str] = []
    lines = 0

    class Counted(Seen):
        def write(self, text: str, /) -> int:
            written.append(text)
            return len(text)

    seen = Counted()
    clock = Clock()
    with Screen(seen, seen, width=80, height=24).answer("m", clock=clock) as answer:
        for at in range(0, len(code), 300):
            feed(answer, clock, Text(("```python\n" if not at else "") + code[at : at + 300]))
    for part in written:
        lines += part.count("\n")
    assert lines < 5000 + 2 * len(written)  # each line once, and the open one at every refresh
    assert sum(map(len, written)) < 6 * len(code)


def test_memory_stays_flat_over_a_reply_of_100000_tokens() -> None:
    class Nowhere(Seen):
        def write(self, text: str, /) -> int:
            return len(text)

    nowhere, clock = Nowhere(), Clock()
    text = "".join(f"{block}\n\n" for block in BLOCKS)
    with Screen(nowhere, nowhere, width=80, height=24).answer("m", clock=clock) as answer:
        tracemalloc.start()
        held = []
        for turn in range(400_000 // len(text)):
            for at in range(0, len(text), 400):
                feed(answer, clock, Text(text[at : at + 400]))
            if turn % 50 == 25:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert max(held) - held[0] < 50_000


HOSTILE = [
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGVsbG8=\x1b\\",
    "\x9b31m",
    "\x1bP+q544e\x1b\\",
    "\x1b[?1049h",
    "\u202eevil\u2066",
    "\U000e0041",
    "\x07\x08\r",
    "\x1bc",
]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_escapes_from_a_model_do_nothing_and_leave_nothing(size: int) -> None:
    text = "".join(f"a{escape}b\n\n```\n{escape}c\n```\n\n" for escape in HOSTILE)
    events: list[Event] = [Text(text[at : at + size]) for at in range(0, len(text), size)]
    seen = streamed(events)
    shown = " ".join(" ".join(seen.text).split())
    assert shown == " ".join("aevilb evilc" if "evil" in escape else "ab c" for escape in HOSTILE)


def test_only_harmless_links_can_be_followed() -> None:
    seen = streamed([Text("[a](https://example.org) [b](javascript:x) [c](file:///etc/passwd) <mailto:a@b.org>")])
    targets = [part.partition("\x1b\\")[0] for part in "".join(seen.written).split("\x1b]8;;")[1:]]
    assert set(targets) == {"", "https://example.org", "mailto:a@b.org"}


class Pipe(io.StringIO):
    """A file that is no terminal."""


def test_a_pipe_gets_the_source_and_nothing_else() -> None:
    out, err = Pipe(), Pipe()
    with Screen(out, err).answer("m") as answer:
        for event in (Tick(), Thinking("hm"), Text("# Ti\x1b[31"), Text("mtle\n\n**b**"), Done("stop")):
            answer.feed(event)
    assert out.getvalue() == "# Title\n\n**b**\n"
    assert err.getvalue().startswith("hm\nThought for ")


def test_hidden_thinking_is_nowhere_in_a_pipe() -> None:
    out, err = Pipe(), Pipe()
    with Screen(out, err).answer("m", "hide") as answer:
        answer.feed(Thinking("hm"))
        answer.feed(Text("Hi"))
    assert (out.getvalue(), err.getvalue()) == ("Hi\n", "")


def test_a_plain_screen_only_ever_adds_text() -> None:
    seen = Seen()
    with Screen(seen, seen, plain=True).answer("m") as answer:
        for event in (Tick(), Thinking("hm"), Text("**a**"), Tick(), Text(" b"), Done("stop")):
            answer.feed(event)
    assert "\x1b" not in "".join(seen.written)
    assert seen.text[0].startswith("Thought for ")
    assert seen.text[1:] == ["**a** b", "Done."]


def test_a_screen_that_is_read_aloud_gets_whole_paragraphs_and_is_told_of_the_end() -> None:
    seen = Seen()
    with Screen(seen, seen, plain=True).answer("m", "show") as answer:
        for piece in ("I th", "ink", ".\nSo\nit"):
            answer.feed(Thinking(piece))
        for piece in ("A para", "graph. ", "Still it.\n\nAn", "other\n- o", "ne\n- two"):
            answer.feed(Text(piece))
        answer.feed(Done("stop"))
    written = [text for text in seen.written if text.strip() and not text.startswith("Thought for")]
    assert [text.strip() for text in written] == [
        "I think.\nSo",
        "it",
        "A paragraph. Still it.",
        "Another",
        "- one",
        "- two",
        "Done.",
    ]


@pytest.mark.parametrize("name", ["dumb", "a pipe"])
def test_what_is_only_plain_gets_tokens_as_they_come(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = Pipe() if name == "a pipe" else Seen()
    pieces = ["A para", "graph"]
    with Screen(out, Pipe()).answer("m") as answer:
        for at, piece in enumerate(pieces):
            answer.feed(Text(piece))
            assert (
                out.getvalue() == "".join(pieces[: at + 1]) if isinstance(out, Pipe) else out.written[-1] == piece
            )
        answer.feed(Done("stop"))
    assert "Done" not in (out.getvalue() if isinstance(out, Pipe) else "".join(out.written))


KITTY = Known(program="kitty(0.35.2)")
NOTIFIED = "\x1b]9;m has replied\x1b\\"


@pytest.mark.parametrize(
    ("bell", "known", "plain", "rung"),
    [
        (None, Known(), False, ""),
        (30, Known(), False, ""),
        (5, Known(), False, "\a"),
        (0, KITTY, False, NOTIFIED),
        (5, KITTY, True, "\a"),
    ],
)
def test_the_terminal_rings_when_a_reply_took_longer_than_is_set(
    bell: float | None, known: Known, plain: bool, rung: str
) -> None:
    seen, clock = Seen(), Clock()
    screen = Screen(seen, seen, plain=plain, known=known)
    screen.bell = bell
    with screen.answer("m", clock=clock) as answer:
        feed(answer, clock, Text("Hi"))
        feed(answer, clock, Done("stop"))
    found = re.findall(r"\a|\x1b\]9;.*?\x1b\\", "".join(seen.written))
    assert "".join(found) == rung


def test_it_rings_for_an_error_and_not_after_a_ctrl_c_or_in_a_pipe() -> None:
    for stop, rung in ((ValueError, 1), (KeyboardInterrupt, 0)):
        seen = Seen()
        screen = Screen(seen, seen, known=Known())
        screen.bell = 0
        with suppress(stop), screen.answer("m") as answer:
            answer.feed(Text("Hi"))
            raise stop
        assert "".join(seen.written).count("\a") == rung
    out = Pipe()
    screen = Screen(out, out)
    screen.bell = 0
    with screen.answer("m") as answer:
        answer.feed(Text("Hi"))
        answer.feed(Done("stop"))
    assert out.getvalue() == "Hi\n"


@pytest.mark.parametrize("name", ["ACCESSIBLE", "TERM"])
def test_the_environment_can_ask_for_plain_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "dumb" if name == "TERM" else "1")
    assert Screen(Seen()).plain
    assert not Screen(Seen(), plain=False).plain
