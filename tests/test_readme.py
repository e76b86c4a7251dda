"""README and docs/ are the manual, and they are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from chatcli import Chat, Reply
from chatcli.commands import everything
from chatcli.demo.replies import DemoReply
from chatcli.demo.request import DemoCall
from tests.faults import Cut, Engine
from tests.readme import ARCHITECTURE, LIBRARY, README, REFERENCE, modules, tables, with_tables

# A Python block, what a comment before it runs for it, and the block of what it prints, if there is one.
EXAMPLE = re.compile(
    r"(?:^<!-- run: (?P<before>[^\n]*) -->\n)?^```python\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<printed>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)
# The models that examples name, and those of the demo engine that stand for them.
MODELS = {"llama3.2": "demo", "qwen3": "demo-thinking", "gemma3": "demo-vision", "qwen3-coder": "demo-tools"}


def test_the_reference_tables_are_those_of_the_program() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert text == with_tables(text, tables()), "run: python -m tests.readme"


def test_the_list_of_modules_is_that_of_the_program() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    assert text == with_tables(text, {"modules": modules()}), "run: python -m tests.readme"


@pytest.mark.parametrize("guide", [README, LIBRARY], ids=lambda path: path.name)
def test_the_python_examples_run_and_print_what_is_said(
    guide: Path,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All in one namespace, in their order; `engine` is the demo engine that they talk to."""
    for name, model in MODELS.items():
        engine.inside.shelf.copy(model, name)
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"a cat")
    (tmp_path / "notes.txt").write_text("Cats sleep.", encoding="utf-8")
    (tmp_path / "more.md").write_text("Dogs bark.", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", engine.url)
    names: dict[str, Any] = {}
    examples = list(EXAMPLE.finditer(guide.read_text(encoding="utf-8")))
    for example in examples:
        engine.forget()
        exec(example["before"] or "", {"engine": engine, "Cut": Cut, "DemoReply": DemoReply, "DemoCall": DemoCall})
        exec(example["code"], names)
        printed = capsys.readouterr().out
        if example["printed"] is not None:
            assert printed == example["printed"], example["code"]
    assert examples


@pytest.mark.parametrize("owner", [Chat, Reply], ids=lambda owner: owner.__name__)
def test_the_guide_names_everything_that_a_program_may_use(owner: type) -> None:
    text = LIBRARY.read_text(encoding="utf-8")
    members = {name for name in vars(owner) if not name.startswith("_")}
    assert {name for name in members if not re.search(rf"\b{name}\b", text)} == set()


def test_the_two_commands_are_the_first_code() -> None:
    """Where .ci/run takes them from. Above them stands what the program is, and a picture."""
    code = README.read_text(encoding="utf-8").split("```")[1]
    assert code.splitlines() == ["sh", "pip install . && chatcli --demo", "pip install '.[test]' && pytest"]


def test_every_subcommand_of_the_shell_is_named() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for words in everything().subcommands:
        assert f"`{' '.join(words)}`" in text


def test_the_readme_fits_three_screens() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_no_hint_names_a_command_that_is_not_there() -> None:
    """Of the program's own words: hints, docstrings and the demo engine's tour. Two paths only look like one."""
    sources = [path for path in (README.parent / "chatcli").rglob("*") if path.suffix in {".py", ".md"}]
    a_command = r"(?<![\w/.:<~-])/([a-z]{3,})(?![\w/.-])"
    named = {name for path in sources for name in re.findall(a_command, path.read_text(encoding="utf-8"))}
    assert {name for name in named if name not in everything()} <= {"export", "path"}
