"""Tab in the shell: what the command line accepts is offered, from tables and caches; no server is waited for."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.cli.complete import fitting, for_bash, from_line, table
from chatcli.cli.completion_table import commands
from chatcli.commands import everything
from chatcli.commands.completion import SCRIPTS
from chatcli.paths import find_paths
from chatcli.session.known_servers import About, remember
from chatcli.settings.table import TABLE, THEME
from tests.faults import Engine
from tests.starting import ROOT, run


@cache
def made() -> dict[str, Any]:
    return commands()


def offered(line: str) -> list[str]:
    """What is offered at the end of that command line."""
    return [word.text for word in fitting(from_line(line), made())]


@pytest.mark.parametrize("setting", TABLE, ids=lambda each: each.name)
def test_every_flag_and_the_words_of_its_value_are_offered(setting: Any) -> None:
    names = [setting.flag, *([setting.negation] if setting.is_switch else [])]
    for name in names:
        assert name in offered(f"chatcli {name[:4]}")
    if not setting.is_switch and setting.kind.words:
        assert offered(f"chatcli {setting.flag}=") == [f"{setting.flag}={word}" for word in setting.kind.words]
        if not setting.kind.bare:
            assert offered(f"chatcli {setting.flag} ") == list(setting.kind.words)


@pytest.mark.parametrize("words", sorted(everything().subcommands), ids=" ".join)
def test_every_subcommand_is_offered_word_by_word_with_its_own_flags(words: tuple[str, ...]) -> None:
    for at, word in enumerate(words):
        assert word in offered(f"chatcli {' '.join([*words[:at], word[:1]])}")
        assert word in offered(f"chatcli --demo {' '.join(words[:at])} ".replace("  ", " "))
    flags = offered(f"chatcli {' '.join(words)} --")
    own = [f"--{each.name}" for each in everything().subcommands[words].parameters if each.flag]
    assert {*own, "--help", "--host"} <= set(flags)
    assert "--temperature" not in flags


def test_after_a_prompt_flags_are_offered_and_after_two_dashes_nothing() -> None:
    assert offered("chatcli hello mod") == []
    assert "--model" in offered("chatcli hello --mo")
    assert offered("chatcli -- --mo") == []
    assert offered("chatcli --think mod") == ["models"]
    assert offered("chatcli --temperature mod") == []


def test_an_option_is_completed_with_its_name_and_then_its_value() -> None:
    assert "num_ctx=" in offered("chatcli -o num_")
    assert offered("chatcli -o them") == ["theme="]
    assert offered("chatcli -o theme=") == [f"theme={word}" for word in THEME.kind.words]
    assert offered("chatcli --option theme=l") == ["theme=light"]
    assert [for_bash(word, "theme=l") for word in offered("chatcli -o theme=l")] == ["light"]


def test_topics_settings_and_shells_are_offered() -> None:
    assert "settings" in offered("chatcli help sett")
    assert "num_ctx" in offered("chatcli help num_")
    assert "num_ctx" in offered("chatcli config set num_")


def test_models_come_from_what_was_known_of_the_servers() -> None:
    remember(find_paths().servers, "http://gpu:11434", "qwen3", {"qwen3:8b": About(), "llama3.2": About()})
    assert offered("chatcli -m ") == ["qwen3:8b", "llama3.2"]
    assert offered("chatcli --model=qwen3:") == ["--model=qwen3:8b"]
    assert offered("chatcli models show l") == ["llama3.2"]
    assert offered("chatcli --summary-model q") == ["qwen3:8b"]


def test_conversations_come_from_the_store_the_newest_first() -> None:
    with Engine() as engine:
        for prompt in ("whales and krill", "why is the sky blue?"):
            run(["-m", "demo", prompt], {**os.environ, "OLLAMA_HOST": engine.url})
    assert offered("chatcli --resume wh") == ["why is the sky blue?", "whales and krill"]
    assert offered("chatcli -r 'wha") == ["whales and krill"]
    assert offered("chatcli chats export why") == ["why is the sky blue?"]
    assert offered("chatcli --demo --resume wh") == []


def test_names_of_the_settings_file_and_own_commands_are_offered() -> None:
    paths = find_paths()
    paths.own_commands.mkdir(parents=True)
    (paths.own_commands / "review.md").write_text("Review $ARGUMENTS")
    paths.settings_file.write_text('[profiles.code]\nmodel = "qwen3"\n\n[hosts.gpu]\naddress = "gpu:11434"\n')
    assert offered("chatcli --profile ") == ["code"]
    assert offered("chatcli --host g") == ["gpu"]
    assert offered("chatcli -t r") == ["review"]


def test_the_table_is_kept_and_made_again_for_another_version() -> None:
    file = find_paths().cache / "completion.json"
    assert table() == table()
    text = file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    for damaged in (text.replace('"version": "', '"version": "0'), "[]", text[:99]):
        file.write_text(damaged)
        assert list(table()) == list(made())
        assert file.read_text() == text


PLAIN = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12)


@given(PLAIN.filter(lambda text: text == "" or not text.isspace()))
def test_what_is_put_into_the_line_of_bash_is_read_as_the_word_again(word: str) -> None:
    for quote in ("", "'", '"'):
        if quote == '"' and re.search(r'[\\$`!"]', word):
            continue
        assert shlex.split(for_bash(word, quote)) == ([word] if word or quote else [])
    assert for_bash("llama3.2:3b", "llama3.2:") == "3b"
    assert for_bash("--think=on", "--think=o") == "on"


@given(st.lists(PLAIN, max_size=4), st.sampled_from(["", "a b", "it's"]))
def test_a_line_is_split_as_the_shell_splits_it(words: list[str], current: str) -> None:
    line = shlex.join(["chatcli", *words]) + " " + (f'"{current}' if current else "")
    assert from_line(line)[:2] == (words, current)


ASKED = "import sys; sys.argv = ['chatcli', 'chatcli --resume ']; from chatcli.__main__ import main; main()"


def test_an_answer_imports_neither_the_commands_nor_a_library() -> None:
    table()
    code = f"{ASKED}; print(*sorted(sys.modules), file=sys.stderr)"
    environment = {**os.environ, "_CHATCLI_COMPLETE": "bash", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    found = set(done.stderr.split())
    assert "chatcli.cli.complete" in found
    assert not found & {"typer", "prompt_toolkit", "rich", "httpx", "chatcli.commands", "chatcli.store.store"}


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment in which `chatcli` is this chatcli."""
    folder = tmp_path / "bin"
    folder.mkdir()
    file = folder / "chatcli"
    file.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m chatcli "$@"\n')
    file.chmod(0o755)
    table()
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def titled(*titles: str) -> None:
    """A store with conversations of these names."""
    with Engine() as engine:
        for each in titles:
            run(["-m", "demo", each], {**os.environ, "OLLAMA_HOST": engine.url})


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_of_a_shell_asks_chatcli(shell: str, program: dict[str, str], tmp_path: Path) -> None:
    if shell == "zsh" or shutil.which(shell) is None:
        pytest.skip(f"{shell} cannot be asked here without a terminal")
    titled("it's a whale")
    script = tmp_path / "script"
    script.write_bytes(run(["completion", shell], program).stdout)
    for line, expected in (
        ("chatcli mod", "models"),
        ("chatcli --think=me", "medium" if shell == "bash" else "--think=medium"),
        ("chatcli --resume it", r"it\'s\ a\ whale" if shell == "bash" else "it's a whale"),
    ):
        asked = f"source {script}; complete -C '{line}'"
        if shell == "bash":
            at = f'COMP_LINE="{line}"; COMP_POINT={len(line)}'
            asked = f'. {script}; {at}; _chatcli chatcli; printf "%s\\n" "${{COMPREPLY[@]}}"'
        done = subprocess.run([shell, "-c", asked], env=program, capture_output=True, text=True, check=True)
        assert [each.partition("\t")[0] for each in done.stdout.splitlines()] == [expected], done.stderr


def test_a_shell_that_has_no_script_is_told_those_that_have_one() -> None:
    done = run(["completion", "tcsh"], dict(os.environ))
    assert done.returncode == 2
    assert b"bash, zsh, fish" in done.stderr
