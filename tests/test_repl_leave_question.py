"""The question for leave: the whole call is seen, nothing typed before it answers it, and no is the default."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.conversation.message import ToolUse
from chatcli.prompt.line import TypedLine
from chatcli.render.screen import Screen
from chatcli.render.tool_calls import called, whole
from chatcli.repl.leave_question import asked, nobody
from chatcli.text import UNWANTED, cells
from chatcli.tools.leave import Answer, Asking, Leave, Rules, Verdict, judged
from chatcli.tools.tool import Reach, Scope, Tool
from tests.faults import Engine
from tests.starting import Process, _lead_terminal
from tests.test_terminal import Terminal
from tests.typing_keys import Keyboard, keyboard, pasted, reader_at

KEYS = "y yes, once"


def asking(arguments: Mapping[str, Any], *, what: str = "", secret: bool = False, lasting: bool = True) -> Asking:
    tool = Tool("run", "", {}, Reach.ACTS, lambda _arguments, _workplace: "")
    return Asking(tool, ToolUse("run", arguments), Scope(what, secret), "it can change something", lasting)


def screen_of(board: Keyboard) -> Screen:
    screen = Screen(board.output.stdout, plain=True, width=board.columns, height=board.rows)
    screen.is_terminal = True
    return screen


@pytest.mark.parametrize(
    ("key", "leave"),
    [
        ("y", Leave.ONCE),
        ("a", Leave.ALWAYS),
        ("<enter>", Leave.NO),
        ("<escape>", Leave.NO),
        ("q", Leave.QUIT),
        ("<c-c>", Leave.QUIT),
    ],
)
def test_a_key_answers(key: str, leave: Leave) -> None:
    with keyboard() as board:
        board.when(KEYS, then=key)
        assert asked(screen_of(board), reader_at(board), asking({"command": "ls"}, what="ls")) == Answer(leave)


def test_a_reason_goes_with_a_no() -> None:
    with keyboard() as board:
        board.when(KEYS, then="n")
        board.when("Why not?", then="not today<enter>")
        answer = asked(screen_of(board), reader_at(board), asking({"command": "ls"}))
        assert answer == Answer(Leave.NO, "not today")


@pytest.mark.parametrize("typed", ["y", "yes please", "a", "y<enter>"])
def test_what_was_typed_ahead_is_no_answer_and_is_in_the_line(typed: str) -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.type(typed)
        board.when(KEYS, then="<escape>")
        assert asked(screen_of(board), reader, asking({"command": "rm -rf ."})) == Answer(Leave.NO)
        if not typed.endswith("<enter>"):
            board.type("<enter>")
        assert reader.read() == TypedLine(typed.removesuffix("<enter>"))


@pytest.mark.parametrize("text", ["y", "a", "an", "q"])
def test_what_is_pasted_is_no_answer_and_is_in_the_line(text: str) -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.in_turn(((KEYS,), pasted(text)), (("...",), ""), ((KEYS,), "<escape>"))
        assert asked(screen_of(board), reader, asking({"command": "ls"}, what="ls")) == Answer(Leave.NO)
        board.type("<enter>")
        assert reader.read() == TypedLine(text, pasted=True)


@pytest.mark.parametrize(("secret", "lasting"), [(True, True), (False, False)])
def test_always_is_not_offered_where_it_would_not_hold(secret: bool, lasting: bool) -> None:
    with keyboard() as board:
        seen = board.when(KEYS, then="<enter>")
        asked(screen_of(board), reader_at(board), asking({"command": "ls"}, secret=secret, lasting=lasting))
    assert not any("always" in row for row in seen)


def test_a_call_longer_than_the_screen_is_read_page_by_page_to_its_end() -> None:
    lines = [f"echo {number}" for number in range(40)]
    with keyboard(rows=20) as board:
        first = board.when("Enter shows more", then="")
        more = "Enter shows more"
        board.in_turn((("echo 5", more), "<enter>"), (("echo 20", more), "<enter>"), (("echo 39", KEYS), "y"))
        assert asked(screen_of(board), reader_at(board), asking({"command": "\n".join(lines)})).leave is Leave.ONCE
        drawn = board.recorded.getvalue().decode()
    assert any("echo 0" in row for row in first)
    assert not any("echo 20" in row for row in first)
    assert all(line in drawn for line in lines)


_texts = st.text(st.sampled_from("ab \n\t\r\x1b\x07\u202e\u200b\u2066\ufeff\u00ad\u3164漢"), max_size=40)


@given(
    st.dictionaries(
        _texts.filter(bool), st.one_of(_texts, st.integers(), st.lists(_texts, max_size=2)), max_size=3
    )
)
def test_a_call_is_shown_whole_and_nothing_in_it_is_unseen_or_obeyed(arguments: dict[str, Any]) -> None:
    lines = list(whole(ToolUse("run", arguments), 30))
    assert lines
    for line in lines:
        assert line.startswith("  ")
        assert not UNWANTED.search(line)
        assert line.isprintable()
        assert cells(line) < 30
    together = "".join(line.removeprefix("  | ") for line in lines)
    for value in arguments.values():
        if isinstance(value, str):
            assert together.count("a") + together.count("b") >= value.count("a") + value.count("b")
    assert "\n" not in called(ToolUse("run", arguments))


def test_where_nobody_can_be_asked_it_is_said_which_rule_allows_it() -> None:
    told: list[str] = []
    asked_for = asking({"command": "ls && pwd"}, what="ls && pwd")
    assert nobody(told.append, asked_for).leave is Leave.NO
    assert told == [
        "run was not run: it can change something, and nobody can be asked here. "
        "To allow it: --allow 'run(ls && pwd)'"
    ]
    rules = Rules(here=(asked_for.rule,))
    assert judged(asked_for.tool, asked_for.use, asked_for.scope, rules, set(), False)[0] is Verdict.RUN


def test_of_a_secret_no_rule_is_told() -> None:
    told: list[str] = []
    nobody(told.append, asking({"path": ".env"}, secret=True))
    assert "--allow" not in told[0]


class Shell(Terminal):
    """A shell, from which programs are started and in which they can be stopped."""

    def _begin(
        self, arguments: Sequence[str], variables: Mapping[str, str], theirs: int, directory: str
    ) -> Process:
        return subprocess.Popen(
            ["sh", "-i", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=variables,
            cwd=directory,
            preexec_fn=_lead_terminal,  # noqa: PLW1509 it takes no lock
        )

    def stopped(self, times: int, question: str) -> None:
        """Press Ctrl-Z at the question, and go back to it."""
        self.see(question)
        self.press("\x1a")
        self.until(lambda: self.text.count("Stopped") == times)
        self.enter("fg")
        self.until(lambda: question in self.text.rpartition("Stopped")[2])
        self.settle()  # a key that comes while the question is drawn is none


def test_ctrl_z_stops_the_program_at_any_question_and_fg_asks_it_again() -> None:
    with Engine() as engine, closing(Shell(OLLAMA_HOST=engine.url, PS1="shell> ")) as person:
        person.see("shell>")
        person.enter(f"{sys.executable} -m chatcli -m demo-tools --tools on")
        person.see("Send a message")
        person.enter("read the file notes.txt")
        person.stopped(1, KEYS)
        person.press("n")
        person.stopped(2, "Why not?")
        person.press("\r")
        person.see("Send a message")
        person.enter("/model")
        person.stopped(3, "type to filter")
        person.press("\x1b")
        person.until(lambda: "Send a message" in person.text.rpartition("Stopped")[2])
        person.press("\x04")
        person.see("Kept as")
        person.until(lambda: "shell>" in person.text.rpartition("Kept as")[2])
        person.enter("exit")
        assert person.ends() == 0
