from __future__ import annotations

import re
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from chatcli.prompt.completer import Suggestion
from chatcli.prompt.history import LineHistory
from chatcli.prompt.line import Closed, Interrupted, Outcome, ReaderOptions, TypedLine
from chatcli.prompt.toolbar import Toolbar
from tests.typing_keys import Keyboard, keyboard, reader_at

FULL = Toolbar("llama3.2", "~3900", 4096, 3900, "trim", ("12 left out",))
LONG = "\n".join(f"line {number}" for number in range(30))


def entry(typed: str) -> Outcome:
    """What one prompt gives for these keys."""
    with keyboard() as board:
        board.type(typed)
        return reader_at(board).read()


def screen_while(board: Keyboard, typed: str, until: str) -> list[str]:
    """The screen once `until` is on it, after `typed`; the prompt is left then."""
    board.type(typed)
    return board.when(until, then="<c-c><c-c>")


def test_enter_sends_the_line() -> None:
    assert entry("hi there<enter>") == TypedLine("hi there")


def test_enter_on_a_blank_line_sends_nothing() -> None:
    assert entry("<enter>  <enter>hi<enter>") == TypedLine("  hi")


@pytest.mark.parametrize("key", ["<c-j>", "<alt-enter>"])
def test_a_message_can_have_several_lines(key: str) -> None:
    assert entry(f"one{key}two<enter>") == TypedLine("one\ntwo")


def test_continuation_lines_are_marked() -> None:
    with keyboard() as board:
        seen = screen_while(board, "one<c-j>two", "two")
        reader_at(board).read()
    assert seen[:2] == [">>> one", "... two"]


def test_an_empty_line_says_what_to_do_and_leaves_no_trace() -> None:
    with keyboard() as board:
        seen = screen_while(board, "", "Send a message")
        reader_at(board).read()
        assert seen[0] == ">>> Send a message (/? for help)"
        assert board.screen() == [">>>"]


def test_what_is_shown_above_the_line_changes_neither_the_line_nor_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with keyboard() as board:
        reader = reader_at(board)

        def show() -> None:
            board.output.write("a note\r\n")
            board.output.flush()

        # In the terminal's usual mode, an Enter pressed meanwhile would be another key, and keys would be echoed.
        changes: list[object] = []

        def cooked_mode(changed: object) -> nullcontext[None]:
            changes.append(changed)
            return nullcontext()

        monkeypatch.setattr(type(board.input), "cooked_mode", cooked_mode)
        board.type("half a")
        reader.on_first_render(lambda: reader.show_above(show))
        seen = board.when("a note", then=" line<enter>")
        assert reader.read() == TypedLine("half a line")
        assert seen[0] == "a note"
        assert not changes
        assert board.screen()[:2] == ["a note", ">>> half a line"]
        reader.show_above(show)
        assert board.screen()[:2] == ["a note", ">>> half a line"]


@pytest.mark.parametrize("early", [False, True])
def test_what_is_said_only_once_stands_above_the_prompt_or_the_next_one(early: bool) -> None:
    with keyboard() as board:
        reader = reader_at(board)

        def show() -> None:
            board.output.write("a note\r\n")
            board.output.flush()

        if early:
            reader.show_above_next(show)
        else:
            board.type("first<enter>")
            assert reader.read() == TypedLine("first")
            reader.show_above_next(show)
        assert "a note" not in board.screen()
        board.type("second")
        board.when("a note", then="<enter>")
        assert reader.read() == TypedLine("second")
        rows = board.screen()
        assert rows[rows.index("a note") + 1] == ">>> second"


def test_what_is_typed_too_early_is_the_next_line() -> None:
    with keyboard() as board:
        reader = reader_at(board)
        board.type("first<enter>second<enter>")
        assert [reader.read(), reader.read()] == [TypedLine("first"), TypedLine("second")]


def test_bytes_that_are_no_text_are_replaced() -> None:
    with keyboard() as board:
        board.input.send_bytes(b"caf\xe9<\r")
        assert reader_at(board).read() == TypedLine("caf\N{REPLACEMENT CHARACTER}<")


class TestBlocks:
    def test_three_quotes_begin_a_block_and_three_end_it(self) -> None:
        assert entry('"""<enter>one<enter>two<enter>"""<enter>') == TypedLine("one\ntwo", pasted=True)

    def test_a_block_may_begin_and_end_within_its_text(self) -> None:
        assert entry('"""one<enter>two"""<enter>') == TypedLine("one\ntwo", pasted=True)

    def test_a_block_may_be_one_line(self) -> None:
        assert entry('"""one"""<enter>') == TypedLine("one", pasted=True)

    def test_an_empty_block_is_not_sent(self) -> None:
        assert entry('""""""<enter><c-c>hi<enter>') == TypedLine("hi")

    def test_a_block_is_never_a_command(self) -> None:
        assert entry('"""/bye"""<enter>') == TypedLine("/bye", pasted=True)

    def test_a_block_ends_a_command(self) -> None:
        assert entry('/set system """<enter>You are brief.<enter>Very.<enter>"""<enter>') == TypedLine(
            "/set system You are brief.\nVery."
        )

    def test_quotes_elsewhere_are_text(self) -> None:
        assert entry('what is """ in Python?<enter>') == TypedLine('what is """ in Python?')


class TestPastes:
    def test_a_paste_is_not_sent_by_its_line_ends(self) -> None:
        with keyboard() as board:
            board.paste("one\ntwo\n")
            board.type("three<enter>")
            assert reader_at(board).read() == TypedLine("one\ntwo\nthree", pasted=True)

    @pytest.mark.parametrize(
        ("before", "pasted", "after", "literal"),
        [
            ("", "/etc/hosts", " what is it<enter>", True),
            ("", "/etc/hosts", "<backspace><backspace><enter>", True),
            ("/image ", "/home/me/cat.png", "<enter>", False),
            ("", "me", "<home>/help <enter>", False),
            ("", "/etc/hosts", "<c-u>/help<enter>", False),
            ("", "/etc/hosts", "<c-c>/help<enter>", False),
        ],
    )
    def test_only_a_line_that_begins_with_a_paste_is_literal(
        self, before: str, pasted: str, after: str, literal: bool
    ) -> None:
        with keyboard() as board:
            board.type(before)
            board.paste(pasted)
            board.type(after)
            line = reader_at(board).read()
        assert isinstance(line, TypedLine)
        assert line.pasted is literal

    def test_pasted_quotes_begin_no_block(self) -> None:
        with keyboard() as board:
            board.paste('"""A docstring.')
            board.type("<enter>")
            assert reader_at(board).read() == TypedLine('"""A docstring.', pasted=True)

    def test_a_literal_slash_comes_back_from_the_history_as_one_that_is_typed(self) -> None:
        history = LineHistory(None)
        with keyboard() as board:
            reader = reader_at(board, history=history)
            board.paste("/etc/hosts")
            board.type("<enter>")
            reader.read()
        assert history.lines() == ["//etc/hosts"]

    def test_a_long_paste_is_folded_on_the_screen_and_whole_in_the_message(self) -> None:
        with keyboard() as board:
            board.type("look: ")
            board.paste(LONG)
            seen = board.when("Pasted text", then=" ok?<enter>")
            assert reader_at(board).read() == TypedLine(f"look: {LONG} ok?")
            assert seen[0] == ">>> look: [Pasted text #1 +30 lines]"
            assert board.screen() == [">>> look: [Pasted text #1 +30 lines] ok?"]

    def test_a_newline_at_the_end_of_a_paste_is_no_further_line(self) -> None:
        with keyboard() as board:
            board.paste(LONG + "\n")
            seen = board.when("Pasted text", then="<enter>")
            reader_at(board).read()
            assert seen[0] == ">>> [Pasted text #1 +30 lines]"

    def test_a_long_line_is_folded_too(self) -> None:
        with keyboard() as board:
            board.paste("x" * 1000)
            board.type("<enter>")
            assert reader_at(board).read() == TypedLine("x" * 1000, pasted=True)
            assert board.screen() == [">>> [Pasted text #1 +1000 characters]"]

    def test_a_folded_paste_is_deleted_as_one_and_undone_as_one(self) -> None:
        with keyboard() as board:
            board.type("a")
            board.paste(LONG)
            board.type("<backspace>b")
            board.paste(LONG)
            board.type("c<enter>")
            assert reader_at(board).read() == TypedLine(f"ab{LONG}c")
            assert board.screen() == [">>> ab[Pasted text #2 +30 lines]c"]

    def test_the_cursor_passes_a_folded_paste_in_one_step(self) -> None:
        with keyboard() as board:
            board.type("ab")
            board.paste(LONG)
            board.type("c<left><left><left>X<enter>")
            assert reader_at(board).read() == TypedLine(f"aXb{LONG}c")

    def test_tabs_are_kept_and_shown_as_blanks(self) -> None:
        with keyboard() as board:
            board.paste("a\tb")
            board.type("<enter>")
            assert reader_at(board).read() == TypedLine("a\tb", pasted=True)
            assert board.screen() == [">>> a   b"]


class TestLeaving:
    def test_ctrl_c_clears_the_line(self) -> None:
        assert entry("nonsense<c-c>hi<enter>") == TypedLine("hi")

    def test_ctrl_c_on_an_empty_line_is_reported(self) -> None:
        assert entry("<c-c>") == Interrupted()

    def test_ctrl_d_on_an_empty_line_closes(self) -> None:
        with keyboard() as board:
            board.when("Send a message", then="<c-d>")
            assert reader_at(board).read() == Closed()

    @pytest.mark.parametrize(
        ("ahead", "left"),
        [("<c-d>", "!"), ("<c-d><c-d>hi", "hi!"), ("hi<c-d>", "hi!"), ("bhi<c-a><c-d><c-e>", "hi!")],
    )
    def test_ctrl_d_that_was_pressed_before_the_prompt_stood_ends_nothing(self, ahead: str, left: str) -> None:
        with keyboard() as board:
            board.type(ahead)
            board.when(">>> ", then="!<enter>")
            assert reader_at(board).read() == TypedLine(left)

    def test_ctrl_d_behind_a_line_that_was_sent_ends_nothing(self) -> None:
        with keyboard() as board:
            reader = reader_at(board)
            board.type("one<enter><c-d>two<enter>")
            assert [reader.read(), reader.read()] == [TypedLine("one"), TypedLine("two")]

    def test_ctrl_d_behind_the_ctrl_c_of_an_empty_line_closes(self) -> None:
        with keyboard() as board:
            reader = reader_at(board)
            board.when("Send a message", then="<c-c><c-d>")
            assert [reader.read(), reader.read()] == [Interrupted(), Closed()]

    def test_what_stood_in_the_line_when_the_terminal_went_is_remembered(self) -> None:
        history = LineHistory(None)
        with keyboard() as board:
            board.type("half a thought \x1b[200~and half a paste")
            board.input.close()
            assert reader_at(board, history=history).read() == Closed()
        assert history.lines() == ["half a thought and half a paste"]

    def test_ctrl_d_in_a_line_deletes(self) -> None:
        assert entry("abc<home><c-d><enter>") == TypedLine("bc")

    def test_the_end_of_the_input_closes(self) -> None:
        with keyboard() as board:
            board.input.close()
            assert reader_at(board).read() == Closed()


class TestPrefill:
    def test_a_prefill_is_edited_not_sent(self) -> None:
        with keyboard() as board:
            board.type("!<enter>")
            assert reader_at(board).read("Hello") == TypedLine("Hello!")

    def test_a_prefill_may_have_several_lines(self) -> None:
        with keyboard() as board:
            board.type("<enter>")
            assert reader_at(board).read("one\ntwo") == TypedLine("one\ntwo")


class TestHistory:
    def recalled(self, typed: str) -> Outcome:
        history = LineHistory(None)
        for line in ("hello world", "/help", "one\ntwo", "help me"):
            history.add(line)
        history.lines()
        with keyboard() as board:
            reader = reader_at(board, history=history)
            board.when("/? for help", then=typed)
            return reader.read()

    def test_up_brings_the_last_line(self) -> None:
        assert self.recalled("<up><enter>") == TypedLine("help me")

    def test_an_entry_of_several_lines_comes_back_whole(self) -> None:
        assert self.recalled("<up><up><enter>") == TypedLine("one\ntwo")

    def test_up_goes_on_from_what_is_typed(self) -> None:
        assert self.recalled("hel<up><up><enter>") == TypedLine("hello world")

    def test_down_returns_to_what_was_typed(self) -> None:
        assert self.recalled("hel<up><down>!<enter>") == TypedLine("hel!")

    def test_ctrl_p_and_ctrl_n_go_through_earlier_lines_too(self) -> None:
        assert self.recalled("<c-p><c-p><c-n><enter>") == TypedLine("help me")

    def test_ctrl_r_searches(self) -> None:
        assert self.recalled("<c-r>world<enter><enter>") == TypedLine("hello world")

    def test_what_is_sent_is_remembered(self) -> None:
        history = LineHistory(None)
        with keyboard() as board:
            reader = reader_at(board, history=history)
            board.type("one<enter>two<c-j>lines<enter>")
            reader.read()
            reader.read()
        assert history.lines() == ["two\nlines", "one"]


class TestCompletion:
    WORDS = (
        Suggestion("/set", 2, "/set", "change a setting"),
        Suggestion("/show", 2, "/show", "what is set"),
    )

    def test_the_menu_of_a_command_shows_what_it_means(self) -> None:
        with keyboard() as board:
            seen = screen_while(board, "/s", "what is set")
            reader_at(board, suggestions=self.WORDS).read()
        assert [" ".join(row.split()) for row in seen[:3]] == [
            ">>> /s",
            "/set change a setting",
            "/show what is set",
        ]

    def test_tab_completes_what_is_the_only_one(self) -> None:
        with keyboard() as board:
            board.type("/sh")
            word = Suggestion("/show", 3, "/show", "what is set")
            board.when("what is set", then="<tab> model<enter>")
            assert reader_at(board, suggestions=[word]).read() == TypedLine("/show model")

    def test_enter_in_the_menu_takes_the_choice_and_sends_nothing(self) -> None:
        with keyboard() as board:
            board.type("/s")
            board.when("what is set", then="<down><down><enter> x<enter>")
            assert reader_at(board, suggestions=self.WORDS).read() == TypedLine("/show x")

    def test_more_choices_than_rows_are_said(self) -> None:
        words = [Suggestion(f"/say{number}", 2, f"/say{number}") for number in range(20)]
        with keyboard() as board:
            seen = screen_while(board, "/s", "20 choices, Down for more")
            reader_at(board, suggestions=words).read()
        assert "/say0" in "".join(seen)

    def test_ordinary_text_opens_no_menu(self) -> None:
        word = Suggestion("hello", 1, "hello", "a greeting")
        with keyboard() as board:
            board.type("h")
            seen = board.when(">>> h", then="i<enter>")
            assert reader_at(board, suggestions=[word]).read() == TypedLine("hi")
        assert not any("greeting" in row for row in seen)

    def test_a_file_behind_an_at_sign_is_offered_as_it_is_typed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "harbour.txt").write_text("x")
        monkeypatch.chdir(tmp_path)
        with keyboard() as board:
            board.type("read @har")
            board.when("harbour.txt", then="<tab> aloud<enter>")
            assert reader_at(board).read() == TypedLine("read @harbour.txt aloud")

    def test_names_of_elsewhere_bring_nothing_onto_the_screen_but_themselves(self) -> None:
        name = "ev\u202eil\U000e0041"
        with keyboard() as board:
            board.type("/e")
            seen = board.when("a model evil", then="<tab> x<enter>")
            word = Suggestion(f"/{name}", 2, name, f"a model {name}")
            assert reader_at(board, suggestions=[word]).read() == TypedLine(f"/{name} x")
        assert not {"\u202e", "\U000e0041"} & set(board.recorded.getvalue().decode())
        assert seen


class TestToolbar:
    def test_it_stands_below_the_line_and_goes_with_it(self) -> None:
        with keyboard() as board:
            seen = screen_while(board, "hi", ">>> hi")
            reader_at(board, toolbar=lambda: FULL).read()
            assert seen == [">>> hi", " llama3.2 · ~3900 of 4096 tokens (96 %) ■■■■■■■□ · trim · 12 left out"]
            assert board.screen() == [">>>"]

    def test_it_fits_a_narrow_terminal(self) -> None:
        with keyboard(columns=40) as board:
            seen = screen_while(board, "hi", ">>> hi")
            reader_at(board, toolbar=lambda: FULL).read()
        assert seen[1:] == [" llama3.2 · ~3900 of 4096 · 12 left out"]

    def test_a_terminal_without_unicode_gets_ascii(self) -> None:
        with keyboard(encoding="ascii") as board:
            seen = screen_while(board, "hi", ">>> hi")
            reader_at(board).read()
        assert seen[1:] == [" llama3.2 - ~120 of 4096 tokens (3 %) #------- - trim"]

    def test_without_colours_nothing_is_coloured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        with keyboard() as board:
            screen_while(board, "hi", ">>> hi")
            reader_at(board, toolbar=lambda: FULL).read()
            assert not re.search(rb"\x1b\[[0-9;]*[34]8;", board.recorded.getvalue())

    def test_a_window_nearly_full_is_coloured(self) -> None:
        with keyboard() as board:
            screen_while(board, "hi", ">>> hi")
            reader_at(board, toolbar=lambda: FULL).read()
            assert re.search(rb"\x1b\[[0-9;]*38;[0-9;]*m~3900 of 4096", board.recorded.getvalue())

    def test_another_thread_may_redraw_it(self) -> None:
        values = [Toolbar("no model yet", "~0", 0, 0)]
        with keyboard() as board:
            reader = reader_at(board, toolbar=lambda: values[0])

            def find_a_model() -> None:
                values[0] = Toolbar("llama3.2", "~0", 4096, 0)
                reader.refresh()

            reader.refresh()  # no prompt is up: nothing to do
            reader.on_first_render(lambda: threading.Thread(target=find_a_model).start())
            seen = screen_while(board, "", "llama3.2")
            reader.read()
            reader.refresh()
        assert seen[1] == " llama3.2 · ~0 of 4096 tokens (0 %) □□□□□□□□"


def test_the_first_drawing_is_announced_once() -> None:
    drawn: list[str] = []
    with keyboard() as board:
        reader = reader_at(board)
        reader.on_first_render(lambda: drawn.append(board.screen()[0]))
        board.when("Send a message", then="one<enter>two<enter>")
        reader.read()
        reader.read()
    assert drawn == [">>> Send a message (/? for help)"]


class TestAsking:
    @pytest.mark.parametrize(
        ("typed", "default", "answer"),
        [
            ("y<enter>", False, True),
            ("No<enter>", True, False),
            ("<enter>", True, True),
            ("<enter>", False, False),
            ("what<enter>yes<enter>", False, True),
            ("<c-c>", True, False),
            ("<c-d>", True, False),
        ],
    )
    def test_yes_or_no(self, typed: str, default: bool, answer: bool) -> None:
        with keyboard() as board:
            board.when("Delete it?", then=typed)
            assert reader_at(board).ask("Delete it?", default) is answer

    def test_answers_are_not_remembered(self) -> None:
        history = LineHistory(None)
        with keyboard() as board:
            board.type("y<enter>")
            reader_at(board, history=history).ask("Delete it?")
        assert history.lines() == []


class TestViMode:
    def test_escape_moves_and_edits(self) -> None:
        with keyboard() as board:
            reader = reader_at(board, options=ReaderOptions(vi=True))
            board.type("hello world")
            board.when(">>> hello world", then="<escape>bcwthere")
            board.when(">>> hello there", then="<enter>")
            assert reader.read() == TypedLine("hello there")

    def test_enter_and_the_newline_key_work_as_ever(self) -> None:
        with keyboard() as board:
            board.type("one<c-j>two<enter>")
            assert reader_at(board, options=ReaderOptions(vi=True)).read() == TypedLine("one\ntwo")
