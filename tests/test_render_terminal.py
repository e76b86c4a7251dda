"""What a terminal tells about itself, and what follows from it: colors, pictures, the width of emoji."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.color import ColorSystem

from chatcli import text
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known, Protocol
from chatcli.render.theme import Palette
from chatcli.render.views import Document, Listing, View
from tests.screen import Seen

WHITE, BLACK = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\", "\x1b]11;rgb:1c/1c/1e\x07"
NAMES = ("TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID", "TMUX", "STY", "COLORFGBG")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    yield
    text.join_emoji(False)


@pytest.mark.parametrize(("answer", "theme"), [(WHITE, "light"), (BLACK, "dark"), ("\x1b]11;?\x07", "auto")])
def test_auto_takes_the_theme_that_suits_the_background(answer: str, theme: str) -> None:
    known = Known()
    known.heed(answer)
    found = Palette("auto", colors=ColorSystem.TRUECOLOR, background=known.background).styles
    assert found == Palette(theme, colors=ColorSystem.TRUECOLOR).styles


def test_the_terminals_answer_counts_for_more_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORFGBG", "15;0")
    found = Palette("auto", colors=ColorSystem.TRUECOLOR, background="light").styles
    assert found == Palette("light", colors=ColorSystem.TRUECOLOR).styles


def test_sixteen_colours_are_the_terminals_own_whatever_its_background() -> None:
    found = Palette("auto", colors=ColorSystem.STANDARD, background="light").styles
    assert found == Palette("auto", colors=ColorSystem.STANDARD).styles


def test_what_is_drawn_after_the_answer_has_its_colours() -> None:
    terminal = Seen()
    screen = Screen(terminal, terminal, width=80, height=24)
    screen.show(Document("# Title"))
    screen.heed(WHITE)
    screen.show(Document("# Title"))
    assert [terminal.cells[row][0][1] for row in (0, 1)] == ["magenta", "5f00af"]


def test_it_is_asked_once_and_last_what_every_terminal_answers() -> None:
    known = Known()
    assert known.questions().endswith("\x1b[c")
    assert known.questions() == ""


@pytest.mark.parametrize("kind", ["dumb", "linux", "vt100", "unknown", ""])
def test_a_terminal_that_may_show_the_question_is_not_asked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", kind)
    if not kind:
        monkeypatch.delenv("TERM")
    assert Known().questions() == ""


def test_only_a_terminal_that_may_have_a_mode_is_asked_for_it() -> None:
    assert "2027" in Known().heed("\x1bP>|foot(1.18)\x1b\\")
    assert Known().heed("\x1bP>|Konsole 22.12.3\x1b\\") == ""
    assert Known().heed("\x1b[?62;c") == ""


def test_a_plain_screen_asks_nothing() -> None:
    assert Screen(Seen(), plain=True).questions() == ""
    assert Screen(io.StringIO()).questions() == ""


@pytest.mark.parametrize(
    ("answers", "environment", "protocol"),
    [
        ((), {}, ""),
        (("\x1bP>|kitty(0.35.2)\x1b\\",), {}, "kitty"),
        (("\x1bP>|ghostty 1.2.0\x1b\\",), {}, "kitty"),
        (("\x1bP>|iTerm2 3.6.4\x1b\\",), {}, "iterm"),
        (("\x1bP>|WezTerm 20240203\x1b\\",), {}, "iterm"),
        (("\x1bP>|XTerm(390)\x1b\\", "\x1b[6;20;10t", "\x1b[?64;1;4;9c"), {}, "sixel"),
        (("\x1b[?64;1;4;9c",), {}, ""),  # how large sixels are there is not known
        (("\x1b[6;20;10t", "\x1b[?4c"), {}, ""),  # a VT132, not sixels
        ((), {"TERM": "xterm-kitty"}, "kitty"),
        ((), {"KITTY_WINDOW_ID": "1"}, "kitty"),
        ((), {"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ((), {"LC_TERMINAL": "iTerm2"}, "iterm"),
        ((), {"TERM_PROGRAM": "ghostty"}, "kitty"),
        ((), {"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, ""),
        ((), {"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, ""),
        (("\x1bP>|tmux 3.5\x1b\\", "\x1b[6;20;10t", "\x1b[?1;2;4c"), {"TERM_PROGRAM": "iTerm.app"}, "sixel"),
    ],
)
def test_how_pictures_are_shown_is_told_by_answers_and_environment(
    answers: tuple[str, ...], environment: dict[str, str], protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    known = Known()
    for answer in answers:
        known.heed(answer)
    assert known.protocol() == protocol


JOINED = ["👨‍👩‍👧", "🇩🇪", "❤️", "👍🏽", "1️⃣", "👩🏽‍🚀", "🏳️‍🌈"]


@pytest.mark.parametrize("emoji", JOINED)
def test_a_terminal_with_mode_2027_has_two_cells_for_what_is_joined(emoji: str) -> None:
    Known().heed("\x1b[?2027;1$y")
    assert text.cells(f"a{emoji}b") == 4
    assert list(text.clusters(f"a{emoji}b")) == ["a", emoji, "b"]
    assert text.is_sure(emoji)


@pytest.mark.parametrize("state", [0, 2, 4])
def test_a_mode_that_is_off_or_not_there_changes_nothing(state: int) -> None:
    Known().heed(f"\x1b[?2027;{state}$y")
    assert text.cells("👨‍👩‍👧") == 6
    assert not text.is_sure("👨‍👩‍👧")


@pytest.mark.parametrize(
    ("said", "sure"),
    [("abc", True), ("日本 é e\u0301", True), ("நி", False), *((emoji, False) for emoji in JOINED)],
)
def test_what_terminals_draw_in_different_widths_is_known(said: str, sure: bool) -> None:
    assert text.is_sure(f"a {said}") == sure


def test_letters_that_a_joiner_makes_one_keep_their_cells() -> None:
    text.join_emoji(True)
    assert list(text.clusters("क्‍ष")) == ["क्‍ष"]
    assert text.cells("क्‍ष") == 2


MARKDOWN = Document("| flag | other |\n|---|---|\n" + "\n".join(f"| {emoji} | x |" for emoji in JOINED))
LISTING = Listing(("flag", "other"), (("", ""), *((emoji, "x") for emoji in JOINED)))


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("table", [MARKDOWN, LISTING], ids=["reply", "listing"])
def test_columns_stand_under_each_other_whatever_an_emoji_takes(table: View, joined: bool) -> None:
    """pyte takes six cells for a family; a terminal that joins takes two, and the column is where it should be."""
    terminal = Seen()
    Screen(terminal, terminal, width=80, height=24).show(table)
    if joined:
        again = Seen()
        text = "".join(terminal.written)
        for emoji in JOINED:
            text = text.replace(emoji, "##")
        again.write(text)
        terminal = again
    columns = [[cell[0] for cell in row].index("x") for row in terminal.cells[2 : 2 + len(JOINED)]]
    assert columns == [[cell[0] for cell in terminal.cells[0]].index("o")] * len(JOINED)


def test_a_pipe_gets_no_steps_of_the_cursor() -> None:
    pipe = io.StringIO()
    Screen(pipe, pipe).show(Document("| a | b |\n|---|---|\n| 👨‍👩‍👧 | x |"))
    assert "\x1b" not in pipe.getvalue()
