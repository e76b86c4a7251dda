"""What chatcli shows about itself: notes, listings, the window, errors, progress; on a terminal and in a pipe."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.color import ColorSystem

from chatcli.commands.spelling import at_prompt
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Count, Turn
from chatcli.errors import BadValue, ChatcliError, Missing
from chatcli.render.extract import code_blocks
from chatcli.render.progress import Pace, _lasting, _row
from chatcli.render.screen import Screen
from chatcli.render.theme import Palette
from chatcli.render.views import Document, History, Listing, Note, SourceText, View, WindowView
from chatcli.session.wishes import make_screen
from chatcli.settings.layers import Layer, Settings
from chatcli.text import cells
from tests.screen import Seen

PLAN = Plan(
    messages=(),
    parts=(
        Part(PartKind.TEMPLATE, Fate.SENT, Count(12, exact=True)),
        Part(PartKind.SYSTEM, Fate.SENT, Count(200, exact=True)),
        Part(PartKind.VERBATIM, Fate.OUT, Count(3000), "older than the cut", 1, 10),
        Part(PartKind.VERBATIM, Fate.SENT, Count(900), "the newest", 11, 18),
        Part(PartKind.QUESTION, Fate.SENT, Count(30), "", 19, 19),
    ),
    window=2048,
    reserve=512,
)
VIEWS: list[View] = [
    Note("A \x1b[31mnote", "warning"),
    Listing(
        ("na\x1b]0;x\x07me", "size"), (("llama\x1b[2J", "4 GB"),), "Mod\x1bcels", frozenset({"size"}), "\x9b1mnote"
    ),
    Document("# Help\x1b[31m"),
    SourceText("FROM \x1b]52;c;x\x07x"),
    History((Node(1, None, 1, Message.assistant("Hi\x1b[1m"), datetime.now(UTC)),)),
    WindowView(PLAN, "trim\x1b[1m", lines=("\x1b[5mblink",)),
]


def seen(*views: View, columns: int = 80, rows: int = 24) -> Seen:
    terminal = Seen(columns, rows)
    screen = Screen(terminal, terminal, width=columns, height=rows)
    for view in views:
        screen.show(view)
    return terminal


def piped(view: View) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    Screen(out, err).show(view)
    return out.getvalue(), err.getvalue()


def test_importing_the_screen_imports_no_library() -> None:
    code = "import sys, chatcli.render.screen; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"rich", "pygments", "markdown_it", "prompt_toolkit"} & {name.partition(".")[0] for name in found}


def test_a_note_does_not_wait_for_markdown() -> None:
    code = (
        "import sys; from chatcli.render.screen import Screen; from chatcli.render.views import Note;"
        "Screen().show(Note('x')); print(*sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pygments", "markdown_it"} & {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)
def test_no_view_lets_an_escape_through(view: View) -> None:
    terminal, pipe = "".join(seen(view).written), "".join(piped(view))
    assert "\x1b" not in pipe
    for sequence in ("\x1b]", "\x1b[2J", "\x1bc", "\x9b", "\x1b[5m"):
        assert sequence not in terminal
    assert "[31m" not in pipe


def test_markup_of_other_programs_is_only_text() -> None:
    assert seen(Note("[red]not red[/red] :smile:")).text == ["[red]not red[/red] :smile:"]


def test_a_listing_is_in_columns_and_fits_the_screen() -> None:
    rows = (("llama3:8b", "4.1 GB", "a long remark that has to be wrapped"), ("日本語", "12 GB", "x"))
    listing = Listing(("name", "size", "remark"), rows, "Models", frozenset({"size"}), "Two in all.")
    assert seen(listing, columns=40).text == [
        "Models",
        "name         size  remark",
        "llama3:8b  4.1 GB  a long remark that",
        "                   has to be wrapped",
        "日本語      12 GB  x",
        "Two in all.",
    ]


def test_a_pipe_gets_a_listing_unwrapped() -> None:
    out, err = piped(Listing(("a", "b"), (("x" * 100, "y" * 100),)))
    assert out == "a" + " " * 101 + "b\n" + "x" * 100 + "  " + "y" * 100 + "\n"
    assert err == ""


def test_notes_and_errors_of_a_pipe_go_to_stderr() -> None:
    assert piped(Note("hello")) == ("", "hello\n")
    out, err = io.StringIO(), io.StringIO()
    Screen(out, err).error(Missing("There is no model x.", "Pull it: /pull x"))
    assert (out.getvalue(), err.getvalue()) == ("", "There is no model x.\nPull it: /pull x\n")


def test_a_document_and_a_source_go_through_a_pipe_as_they_are() -> None:
    assert piped(Document("# T\n\n**b**\n"))[0] == "# T\n\n**b**\n"
    assert piped(SourceText("a\n\tb"))[0] == "a\n        b\n"


def test_a_plain_terminal_gets_a_document_as_it_is_written() -> None:
    terminal = Seen()
    Screen(terminal, terminal, plain=True, width=80, height=24).show(Document("# T\n\n[a](https://b.c)"))
    assert terminal.written == ["# T\n\n[a](https://b.c)\n"]


def test_history_says_who_said_what_and_how_it_ended() -> None:
    when = datetime.now(UTC)
    picture = Attachment("image", "cat.png", "image/png", b"x" * 2500)
    nodes = (
        Node(1, None, 1, Message.user("What is *this*?", (picture,)), when),
        Node(2, 1, 2, Message.assistant("A **cat**."), when, Ended.STOPPED, Turn("llava")),
    )
    assert seen(History(nodes)).text == [
        "1 you",
        "What is *this*?",
        "[picture cat.png, 2.5 kB]",
        "",
        "2 llava (stopped)",
        "A cat.",
    ]


def test_the_window_is_a_picture_with_its_sums() -> None:
    view = WindowView(PLAN, "trim", 2048, 131072, 1140, "~1142", ("10 messages are out.",))
    shown = "\n".join(seen(view).text)
    assert "Window 2048 tokens · strategy trim · allocated 2048 · trained for 131072" in shown
    assert "messages                ~900  44 %" in shown
    assert "1–10       ~3000  not sent  older than the cut" in shown
    assert "Last turn: 1140 prompt tokens by the server's count, planned ~1142." in shown
    assert "10 messages are out." in shown


@pytest.mark.parametrize("kind", PartKind)
def test_every_kind_of_part_has_its_row_with_its_tokens(kind: PartKind) -> None:
    plan = Plan((), (Part(kind, Fate.SENT, Count(777, exact=True), "", 1, 1),), window=2048, reserve=512)
    shown = seen(WindowView(plan, "trim")).text
    assert any("=777" in row and "38 %" in row for row in shown)


@pytest.mark.parametrize("columns", [40, 80])
def test_the_bar_is_as_wide_as_it_says_even_when_the_plan_is_over(columns: int) -> None:
    full = Plan((), (Part(PartKind.VERBATIM, Fate.SENT, Count(5000), "", 1, 2),), window=2048, reserve=512)
    rows = seen(WindowView(full, "full"), columns=columns).text
    assert len(rows[1]) == min(columns, 60)


def steps() -> Iterator[Progress]:
    for done in (0, 50, 100):
        yield Progress("pulling \x1b[31mabc", done * 10**6, 10**8)
    yield Progress("verifying")


def test_progress_leaves_one_line_for_each_status() -> None:
    terminal = Seen()
    Screen(terminal, terminal, width=80, height=24).progress(steps())
    assert [row.partition("━")[0].strip() for row in terminal.text] == ["pulling abc", "verifying"]
    assert "100%" in terminal.text[0]
    assert not terminal.cursor_is_hidden


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_download_tells_speed_and_time_left_where_there_is_room(columns: int) -> None:
    moment = 0.0

    def clock() -> float:
        return moment

    pace, told = Pace(clock), ""
    for second in range(21):
        moment = float(second)
        told = pace.of(Progress("pulling tiny", 10**9 + second * 50 * 10**6, 4 * 10**9))
    assert told == "50.0 MB/s  40 s left"
    row = _row(Progress("pulling tiny", 2 * 10**9, 4 * 10**9), columns, Palette("mono"), told).text
    assert cells(row) < columns
    assert row.startswith("pulling tiny  ━")
    assert " 50%" in row
    assert (told in row) == (columns > 40)


@pytest.mark.parametrize(("seconds", "said"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 5 min")])
def test_the_time_left_is_told_in_two_units_at_most(seconds: float, said: str) -> None:
    assert _lasting(seconds) == said


def test_progress_may_be_of_something_else_than_bytes() -> None:
    terminal = Seen()
    Screen(terminal, terminal, width=80, height=24).progress(iter([Progress("Reading x.pdf", 3, 12, "pages")]))
    assert terminal.text[0].endswith("25%  3 of 12 pages")


def test_progress_towards_an_end_that_is_not_known_tells_how_much_it_is_so_far() -> None:
    terminal = Seen()
    Screen(terminal, terminal, width=40, height=24).progress(iter([Progress("Fetching " + "x" * 60, 2_500_000)]))
    assert terminal.text[0].startswith("Fetching x")
    assert terminal.text[0].endswith("…  2.5 MB")


def test_progress_in_a_pipe_tells_each_status_and_tenth_on_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    Screen(out, err).progress(steps())
    assert (out.getvalue(), err.getvalue()) == (
        "",
        "pulling abc\npulling abc: 50% of 100.0 MB\npulling abc: 100% of 100.0 MB\nverifying\n",
    )


def test_stopping_a_progress_closes_its_iterator() -> None:
    closed = []

    def endless() -> Iterator[Progress]:
        try:
            yield Progress("pulling")
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    terminal = Seen()
    with pytest.raises(KeyboardInterrupt):
        Screen(terminal, terminal).progress(endless())
    assert closed
    assert not terminal.cursor_is_hidden


def test_copying_goes_through_the_terminal_where_no_program_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "far away")
    monkeypatch.delenv("TMUX", raising=False)
    terminal = Seen()
    assert Screen(terminal, terminal).copy("a\x1b[1mé") == "the terminal"
    assert terminal.written == ["\x1b]52;c;YcOp\x07"]
    with pytest.raises(ChatcliError):
        Screen(terminal, terminal).copy("x" * 100_000)


def test_copying_uses_a_program_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "xclip"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/held\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("SSH_CONNECTION", "SSH_TTY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert Screen(io.StringIO(), io.StringIO()).copy("text") == "xclip"
    assert (tmp_path / "held").read_text() == "text"


def test_without_a_terminal_or_a_program_there_is_no_clipboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    with pytest.raises(ChatcliError, match="no clipboard"):
        Screen(io.StringIO(), io.StringIO()).copy("text")


def test_code_comes_out_of_a_reply_as_it_was_written() -> None:
    text = "Text\n\n```python\nif x:\n\tpass\n```\n\n1. in a list\n\n   ~~~\n   y\n   ~~~\n\nText\n\n    z\n"
    assert code_blocks(text) == ["if x:\n\tpass\n", "y\n", "z\n"]


def test_warming_up_draws_nothing() -> None:
    terminal = Seen()
    Screen(terminal, terminal).warm_up()
    assert terminal.written == []


def test_themes_change_the_colours_and_unknown_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    code = Document("```python\nimport a\n```")
    colours = set()
    for theme, code_theme in (("dark", ""), ("light", "auto"), ("mono", ""), ("auto", "dracula")):
        terminal = Seen()
        Screen(terminal, terminal, theme=theme, code_theme=code_theme, width=80, height=24).show(code)
        colours.add(terminal.cells[0][0][1])
    assert len(colours) == 4
    with pytest.raises(BadValue, match="no code theme klingon"):
        Screen(Seen(), code_theme="klingon").show(code)


@pytest.mark.parametrize(("says", "theme"), [("0;15", "light"), ("15;0", "dark"), ("15;default", "auto")])
def test_auto_heeds_what_the_terminal_says_of_its_background(
    says: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORFGBG", says)
    found, expected = (Palette(name, colors=ColorSystem.TRUECOLOR).styles for name in ("auto", theme))
    assert found == expected


@pytest.mark.parametrize(("name", "value"), [("ACCESSIBLE", "1"), ("TERM", "dumb"), ("TERM", "unknown")])
def test_these_ask_for_plain_text(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    terminal = seen(Note("careful", "warning"), Document("# T\n\n`x`"))
    assert "".join(terminal.written) == "careful\n# T\n\n`x`\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", ""), ("ACCESSIBLE", "0")])
def test_an_empty_wish_is_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert seen(Document("# T")).text == ["T"]


@pytest.mark.parametrize(("plain", "expected"), [("off", False), ("on", True), (None, True)])
def test_plain_off_overrides_the_environment(
    plain: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCESSIBLE", "1")
    monkeypatch.setattr(sys, "stdout", Seen())
    settings = Settings()
    if plain is not None:
        settings.put("plain", plain, Layer.FILE)
    assert make_screen(settings, at_prompt).plain is expected


def test_the_width_of_prose_and_the_bell_are_those_of_the_settings() -> None:
    settings = Settings()
    assert make_screen(settings, at_prompt).prose == 100
    assert make_screen(settings, at_prompt).bell is None
    settings.put("wordwrap", "off", Layer.SET)
    settings.put("bell", "10", Layer.SET)
    assert make_screen(settings, at_prompt).prose == 0
    assert make_screen(settings, at_prompt).bell == 10


def test_no_color_drops_the_colours_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Seen()
    screen = Screen(terminal, terminal, width=80, height=24)
    assert not screen.plain
    for view in (Note("careful", "warning"), Document("# T\n\n`x`\n\n```python\nimport a\n```")):
        screen.show(view)
    assert {cell[1] for row in terminal.cells for cell in row} == {"default"}
    assert terminal.text == ["careful", "T", "", "x", "", "─── python", "import a", "───"]


def test_a_narrow_listing_keeps_names_whole_where_its_rows_have_room() -> None:
    names = ("demo-vision", "demo-thinking", "a")
    rows = tuple((name, "2 MB", "525K", "28 days ago") for name in names)
    shown = seen(Listing(("name", "size", "parameters", "changed"), rows), columns=42).text
    assert [line.split()[0] for line in shown[1:]] == list(names)
