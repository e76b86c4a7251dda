"""Hints are values: each surface spells them, and whatever a surface spells can be typed there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.chat import Chat
from chatcli.cli.flags import line_of, parser
from chatcli.cli.main import chat, run
from chatcli.commands import everything
from chatcli.commands.arguments import read_arguments
from chatcli.commands.spelling import at_prompt, in_shell
from chatcli.errors import ChatcliError
from chatcli.hints import PYTHON, Do, Either, Hint, Usage, in_python, lines, spelled
from chatcli.settings.layers import find_setting
from chatcli.settings.table import TABLE
from tests.typable import slash_commands

SOURCES = Path(__file__).parent.parent / "chatcli"
ROWS = [row.name for row in TABLE]
# A word in a hint that stands for whatever is to be typed there.
PLACEHOLDER = re.compile(r"[A-Z]+|FILE\.md")
# Text as a person names things: no surrogates, and no control characters, which no line can hold.
NAMES = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Zs"), include_characters=" "), min_size=1
)


@dataclass(frozen=True)
class Written:
    """A command in a hint, as some module writes it. What is computed there is None."""

    kind: str
    command: str
    words: tuple[str | None, ...]
    flags: tuple[tuple[str, str | bool | None], ...]

    def __str__(self) -> str:
        return " ".join(
            [self.kind, self.command, *(word or "..." for word in self.words), *(name for name, _ in self.flags)]
        )

    def filled(self) -> Do:
        """The same with something to type in place of placeholders and of what is computed."""
        words = [self._typed(position, word) for position, word in enumerate(self.words)]
        flags = {name: True if value is True else "1" for name, value in self.flags}
        return Do(self.command, *words, **flags)

    def _typed(self, position: int, word: str | None) -> str:
        if word is not None and not PLACEHOLDER.fullmatch(word):
            return word
        return {"set": ("num_ctx", "1"), "unset": ("num_ctx",)}.get(self.command, ("1", "1"))[position]


def _value(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _written() -> Iterator[Written]:
    for path in sorted(SOURCES.rglob("*.py")):
        if path.name in {"hints.py", "spelling.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            if node.func.id in {"Do", "Usage"} and isinstance(node.args[0], ast.Constant):
                command, *words = map(_value, node.args)
                flags = tuple((each.arg, _value(each.value)) for each in node.keywords if each.arg)
                yield Written(node.func.id, command, tuple(words), flags)


WRITTEN = list(dict.fromkeys(_written()))
SHELL_WORDS = {" ".join(words) for words in everything().subcommands}


def shell_parses(line: str) -> dict[str, Any]:
    """What Typer reads from a command line; raises where it does not parse."""
    words = shlex.split(line)
    given = list(line_of(words[1:] if words[0] == "chatcli" else [*words, "a question"]).arguments)
    chosen = everything().subcommand(given)
    command, taken = _command(chosen.subcommand if chosen is not None else "")
    with redirect_stdout(StringIO()):
        try:
            return dict(command.make_context("chatcli", given[taken:]).params)
        except typer.Exit:  # --help
            return {}


@cache
def _command(words: str) -> tuple[Any, int]:
    """Typer's command of that name, and how many words the name has; making one takes a while."""
    command, _, rest = parser(words.split(), partial(chat, {}))
    assert not rest
    return command, len(words.split())


def test_hints_are_found_in_the_sources() -> None:
    assert len(WRITTEN) > 60
    assert {"set", "pull", "retry", "continue", "chats restore", "chatcli"} <= {each.command for each in WRITTEN}


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_a_command_that_a_hint_names_exists_under_that_name(written: Written) -> None:
    names = {command.name for command in everything().commands} | SHELL_WORDS | {"chatcli"}
    assert written.command in names
    if written.command in {"set", "unset"} and written.words and written.words[0] not in {None, "NAME"}:
        assert written.words[0] in ROWS
    if written.command == "set" and len(written.words) > 1 and written.words[1] not in {None, "VALUE"}:
        find_setting(written.words[0] or "").kind.take(written.words[1])


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_what_the_prompt_spells_can_be_typed_at_the_prompt(written: Written) -> None:
    do = written.filled() if written.kind == "Do" else Usage(written.command)
    line = at_prompt(do)
    assert line is not None
    if written.command not in everything():
        assert line.startswith("chatcli")
        return
    assert line.startswith(f"/{written.command}")
    command, rest = everything().chosen(line[1:])
    assert command is everything().find(written.command)
    if written.kind == "Do":
        positional, keywords = read_arguments(command.parameters, rest)
        given = [*map(str, positional), *(str(value) for value in keywords.values() if value is not True)]
        assert given == [*do.words, *(value for value in do.flags.values() if value is not True)]


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_what_the_shell_spells_can_be_typed_in_a_shell(written: Written) -> None:
    if written.kind == "Usage":
        line = in_shell(Usage(written.command))
        assert line is None or line.startswith("chatcli ")
        return
    line = in_shell(written.filled())
    if line is not None:
        shell_parses(line)
        assert not slash_commands(line)


@pytest.mark.parametrize("written", WRITTEN, ids=str)
def test_what_python_spells_is_an_argument_or_method_of_chat_or_typed_in_a_shell(written: Written) -> None:
    line = in_python(written.filled()) if written.kind == "Do" else in_python(Usage(written.command))
    if line is None:
        return
    if line.startswith("chatcli"):
        shell_parses(line)
    elif line.startswith("Chat."):
        assert callable(getattr(Chat, re.split(r"[.(]", line)[1]))
    else:
        name = line.partition("=")[0]
        taken = {*inspect.signature(Chat).parameters, *inspect.signature(Chat.send).parameters, *ROWS}
        assert name in taken


@pytest.mark.parametrize("command", PYTHON)
def test_every_row_of_pythons_spellings_is_a_command(command: str) -> None:
    assert command in everything() or command in SHELL_WORDS | {"chatcli"}
    assert in_python(Do(command, "x"))


@pytest.mark.parametrize(
    "command", [each for each in everything().commands if each.in_shell], ids=lambda c: c.name
)
def test_what_a_shell_has_in_place_of_a_command_parses(command: Any) -> None:
    assert not command.subcommand
    line = in_shell(Do(command.name))
    assert line is not None
    shell_parses(line)


@settings(max_examples=25)
@given(NAMES)
def test_a_name_at_the_prompt_is_quoted_so_that_the_command_gets_it(name: str) -> None:
    for command in ("pull", "model", "goto", "load", "save", "rename"):
        line = at_prompt(Do(command, name))
        if line is None:
            assert name.startswith("--")
            continue
        found, _, rest = line[1:].partition(" ")
        positional, keywords = read_arguments(everything().find(found).parameters, rest)
        assert [*positional, *keywords.values()] in ([name], [name.strip()] if name.strip() else [])


@settings(max_examples=25)
@given(NAMES)
def test_a_name_in_a_shell_is_quoted_so_that_the_program_gets_it(name: str) -> None:
    for do, parameter in (
        (Do("pull", name), "name"),
        (Do("chats restore", name), "name"),
        (Do("load", name), "prompt"),
    ):
        read = shell_parses(in_shell(do) or "")[parameter]
        assert read == (name if isinstance(read, str) else type(read)([name]))
    for flag in ("system", "model", "format"):
        assert shell_parses(in_shell(Do("set", flag, name)) or "")[flag] == name


@settings(max_examples=25)
@given(NAMES)
def test_a_value_in_python_is_a_literal(value: str) -> None:
    for flag in ("system", "format"):
        argument = in_python(Do("set", flag, value)) or ""
        assert ast.literal_eval(argument.removeprefix(f"{flag}=")) == value
    assert ast.literal_eval((in_python(Do("model", value)) or "").removeprefix("model=")) == value


@pytest.mark.parametrize("name", ROWS)
def test_every_setting_is_a_flag_a_line_and_an_argument(name: str) -> None:
    assert at_prompt(Do("set", name)) == f"/set {name}"
    assert in_python(Do("set", name)) == name
    shell_parses(in_shell(Do("set", name)) or "")
    for word in find_setting(name).kind.words:
        shell_parses(in_shell(Do("set", name, word)) or "")


def test_a_part_that_a_surface_cannot_do_is_left_out_there() -> None:
    hint = Hint("Wait, then ask again", Hint(" with ", Do("retry")), ".")
    assert spelled(hint, at_prompt) == "Wait, then ask again with /retry."
    assert spelled(hint, in_shell) == spelled(hint, in_python) == str(hint) == "Wait, then ask again."
    assert spelled(Hint("Ask: ", Do("retry")), in_shell) == ""


def test_of_alternatives_the_first_that_can_be_done_is_said() -> None:
    hint = Hint("Now ", Either(Hint(Do("unset", "format"), " does it"), "leave it out"), ".")
    assert spelled(hint, at_prompt) == "Now /unset format does it."
    assert spelled(hint, in_shell) == "Now leave it out."
    assert spelled(Hint("Now ", Either(Do("undo"))), in_shell) == ""


def test_a_hint_that_says_nothing_is_false() -> None:
    assert not Hint()
    assert not Hint("", Hint())
    assert not lines([])
    assert str(lines(["one", Hint("two")])) == "one\ntwo"


def test_passwords_are_removed_from_the_arguments_of_a_hint_too() -> None:
    address = "http://me:secret@127.0.0.1:1/x"
    error = ChatcliError(
        address, Hint("Use ", Do("set", "host", address), Hint(": ", address), Do("file", x=address))
    )
    for speller in (at_prompt, in_shell, in_python):
        assert "secret" not in spelled(error.advice, speller)
    assert "secret" not in f"{error} {error.hint} {error.advice!r}"
    assert "127.0.0.1:1/x" in error.hint


def test_only_python_programs_read_a_hint_as_text() -> None:
    """Whoever shows or passes on an error uses its `advice`. The line editor's own errors name no command."""
    apart = {SOURCES / "prompt" / "editing.py"}
    readers = [
        (str(path), node.lineno)
        for path in set(SOURCES.rglob("*.py")) - apart
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "hint"
    ]
    assert not readers


def test_what_a_program_is_told_of_its_settings_names_no_slash_command() -> None:
    told = []
    for name in [*ROWS, "nosuch", "modle"]:
        for value in ("no such value", "-1", "/nope", "http://[::1/x"):
            try:
                Chat(**{name: value}).close()  # type: ignore[arg-type]
            except ChatcliError as error:
                told.append(f"{error} {error.hint}")
    assert len(told) > len(ROWS)
    assert not [each for each in told if slash_commands(each)]


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts of a module that are neither docstrings nor the help of a parameter."""
    apart = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            apart.add(id(node.body[0].value))  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Arg", "Do"}:
            apart |= {id(each) for each in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.lineno, node.value


def test_no_sentence_names_a_command_that_a_surface_would_have_to_reword() -> None:
    apart = {
        SOURCES / "commands" / "help.py",
        *(SOURCES / "demo").rglob("*.py"),
    }  # help of the prompt; what models say
    found = [
        (str(path), line, text)
        for path in set(SOURCES.rglob("*.py")) - apart
        for line, text in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if slash_commands(text) and "\\" not in text  # a regular expression
    ]
    assert not found


@pytest.mark.parametrize("words", [(), *sorted(everything().subcommands)], ids=" ".join)
def test_the_help_of_the_shell_names_no_slash_command(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--help"]) == 0
    assert not slash_commands(capsys.readouterr().out)
