"""The README is the manual, and it is true."""

from __future__ import annotations

import re

from chatcli.commands import everything
from tests.readme import ARCHITECTURE, README, modules, tables, with_tables


def test_the_reference_tables_are_those_of_the_program() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text, tables()), "run: python -m tests.readme"


def test_the_list_of_modules_is_that_of_the_program() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    assert text == with_tables(text, {"modules": modules()}), "run: python -m tests.readme"


def test_the_two_commands_stand_on_top() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert lines[2:6] == ["```sh", "pip install . && chatcli --demo", "pip install '.[test]' && pytest", "```"]


def test_every_subcommand_of_the_shell_is_named() -> None:
    text = README.read_text(encoding="utf-8")
    for words in everything().subcommands:
        assert f"`{' '.join(words)}`" in text


def test_no_hint_names_a_command_that_is_not_there() -> None:
    """Of the program's own words: hints, docstrings and the demo engine's tour. Two paths only look like one."""
    sources = [path for path in (README.parent / "chatcli").rglob("*") if path.suffix in {".py", ".md"}]
    a_command = r"(?<![\w/.:<~-])/([a-z]{3,})(?![\w/.-])"
    named = {name for path in sources for name in re.findall(a_command, path.read_text(encoding="utf-8"))}
    assert {name for name in named if name not in everything()} <= {"export", "path"}
