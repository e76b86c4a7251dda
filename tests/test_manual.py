"""The manual is true: its command lines run, on the demo engine, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.color import ColorSystem

from chatcli import Chat
from chatcli.attachments.compose import Composed, composing
from chatcli.cli.flags import parsed, parser
from chatcli.client.fetch import fetch
from chatcli.commands import everything
from chatcli.commands.arguments import read_arguments
from chatcli.commands.chats import open_named
from chatcli.commands.outcomes import Show
from chatcli.commands.perform import perform
from chatcli.demo.models import THINKING
from chatcli.session.build import build
from chatcli.session.wishes import Output, Wishes
from chatcli.settings.file import read_text
from chatcli.settings.layers import Settings
from chatcli.settings.table import TABLE
from chatcli.turn import answer, ask
from tests.commanding import Person, drawn, said
from tests.faults import Engine
from tests.manual import MANUAL, PAGES, Bash, Line, Page, bash
from tests.papers import pdf
from tests.picture import LOOKS, PICTURES, file_of, still, taken, text_in, text_of

if os.name != "posix":
    pytest.skip("a bash is needed", allow_module_level=True)

# The models that the manual names; in the tests each can do everything.
MODELS = ("llama3.2", "qwen3", "gemma3")
FILES = {
    "notes.md": b"# Whales\n\nWhales sing at night.\n",
    "notes.txt": b"Whales sing at night.\n",
    "main.py": b"print('whales')\n",
    "src/whales.py": b"WHALES = 90\n",
    "reviewer.txt": b"You review programs.\n",
    "schema.json": b'{"type": "object", "properties": {"name": {"type": "string"}}}',
    "conversations.json": b'[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello."}]',
    "cat.jpg": b"\xff\xd8\xff\xe0 a cat",
    "cat.png": b"\x89PNG\r\n\x1a\n a cat",
    "report.pdf": pdf(["Whales are large."]),
    "home/commands/review.md": b"Review @$1. $ARGUMENTS\n",
}
# A picture in a page: dark where the page is, else light, with words for those who do not see it.
PICTURE = re.compile(
    r'<picture>\n<source media="\(prefers-color-scheme: dark\)" srcset="(.+-dark\.svg)">\n'
    r'<img src="(.+-light\.svg)" alt="([^"]+)">\n</picture>'
)


class Reader(Person):
    """Does what the manual says, one line after the other, with files beside it and a conversation on whales."""

    def __init__(self, shell: Bash) -> None:
        super().__init__(build(Wishes(resume=True)))
        self._shell = shell

    def close(self) -> None:
        self._session.close()

    def _open(
        self,
        wishes: Wishes,
        prompt: Sequence[str],
        images: Sequence[str],
        files: Sequence[str],
        output: Output,
    ) -> int:
        """As `chatcli` does in a terminal."""
        assert [*prompt, *images, *files] == []
        assert output == Output()
        self._session.close()
        values = {"model": "demo"} if wishes.demo else {}
        self._session = build(replace(wishes, demo=False, values={**values, **wishes.values}))
        if wishes.named is not None:
            perform(self._session, open_named(self._session, wishes.named), self)
        return 0

    def do(self, line: Line) -> str:
        """What is shown then."""
        self.views.clear()
        command, *arguments = shlex.split(line.text) if not line.at_prompt else [""]
        if line.at_prompt:
            return self._type(line.text)
        if line.conversing and command == "chatcli" and not line.shown:
            assert parsed(arguments, self._open)() == 0
            return ""
        done = self._shell.run(line.text)
        assert done.returncode == 0, f"{line.text}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _type(self, text: str) -> str:
        if text.startswith("/"):
            perform(self._session, everything().dispatch(self._session, text[1:]), self)
            return "\n".join(drawn(Show(tuple(self.views)), ColorSystem.TRUECOLOR))
        self.send(text)
        return said(self._session)[-1]

    def send(self, text: str) -> None:
        composed: list[Composed] = []
        for _ in composing(text, composed.append, fetch):
            pass
        question = ask(self._session, composed[0].text, (*self._session.pending, *composed[0].attachments))
        answer(self._session, question, lambda event: None)
        self._session.detach()


@pytest.fixture
def reader(engine: Engine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    able = replace(THINKING, capabilities=("completion", "vision", "thinking"))
    for name in MODELS:
        engine.inside.shelf.put(replace(able, name=f"{name}:latest"))
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": tmp_path, "OLLAMA_HOST": engine.url, "CHATCLI_MODEL": MODELS[0]}.items():
        monkeypatch.setenv(name, str(value))
    with Chat(save=True) as chat:
        for question in ("Tell me of whales.", "How large?", "Is a blue whale blue?", "Do they sing?"):
            chat.send(question)
    with bash(tmp_path) as shell:
        opened = Reader(shell)
        yield opened
        opened.close()


def name_of(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", [each for each in MANUAL if any(Page(each).lines())], ids=name_of)
def test_the_command_lines_run(page: Path, reader: Reader) -> None:
    for line in Page(page).lines():
        try:
            if not line.only_parsed:
                shown = reader.do(line)
                assert line.is_followed_by(shown), shown
        except Exception as error:
            raise AssertionError(f"{page}:{line.number}: {line.text}") from error


@pytest.mark.parametrize("page", MANUAL, ids=name_of)
def test_what_is_named_in_sentences_is_there(page: Path, home: Path) -> None:
    """Commands of the prompt, subcommands and flags; and in the lines that cannot run."""
    (home / "commands").mkdir(parents=True)
    (home / "commands" / "review.md").write_text("Review @$1.")
    for line in Page(page).lines():
        if line.only_parsed and line.at_prompt and line.text.startswith("/"):
            command, rest = everything().chosen(line.text[1:])
            read_arguments(command.parameters, rest)
        elif not line.at_prompt:
            for arguments in chatclis(line.text):
                parsed(arguments, lambda *_: 0)
    for code in Page(page).code():
        if re.match(r"/[a-z?]+( |$)", code):
            command, rest = everything().chosen(code[1:])
            assert flags(rest) <= {f"--{each.name}" for each in command.parameters}, code
        elif code.startswith("chatcli "):
            parsed(shlex.split(code)[1:], lambda *_: 0)
        elif code.startswith("--"):
            assert flags(code) <= EVERY_FLAG, code


def test_the_settings_files_that_are_shown_hold(home: Path) -> None:
    shown = [text for page in MANUAL for text in Page(page).blocks("toml")]
    assert shown
    for text in shown:
        assert read_text(Settings(), text, home / "config.toml") == []


def test_the_own_commands_that_are_shown_can_be_used(home: Path) -> None:
    shown = [text for page in MANUAL for text in Page(page).blocks("markdown")]
    assert shown
    (home / "commands").mkdir(parents=True)
    for number, text in enumerate(shown):
        (home / "commands" / f"own{number}.md").write_text(text, encoding="utf-8")
    assert everything().own().faults == {}


def chatclis(line: str) -> Iterator[list[str]]:
    """The arguments of every chatcli in a line of the shell."""
    between = "|&;<>()"
    lexer = shlex.shlex(re.sub(r'"\$(\(.*?\))"', r"\1", line), posix=True, punctuation_chars=between)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, "|"]:
        if set(word) <= set(between):
            if command[:1] == ["chatcli"]:
                yield command[1:]
            command = []
        else:
            command.append(word)


def flags(text: str) -> set[str]:
    return set(re.findall(r"(?<!\S)--[a-z-]+(?![A-Za-z-])", text))


def every_flag() -> set[str]:
    """Those of chatcli itself, with settings, and those of commands."""
    command, _, _ = parser([], lambda *_: 0)
    with command.make_context("chatcli", []) as context:
        own = {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}
    own |= {each.negation for each in TABLE if each.kind.bare}
    return own | {
        f"--{each.name}" for command in everything().commands for each in command.parameters if each.flag
    }


EVERY_FLAG = every_flag()


def test_the_pictures_show_what_the_program_shows() -> None:
    """Dark and light: the looks differ in nothing but colors. The first screen has the version in it."""
    subjects = []
    for subject, screen in taken(LOOKS["dark"]):
        subjects.append(subject)
        for look in LOOKS:
            shown = text_in(file_of(subject, look).read_text(encoding="utf-8"))
            assert still(shown) == still(text_of(screen)), "run: python -m tests.picture"
    assert {*PICTURES.iterdir()} == {file_of(subject, look) for subject in subjects for look in LOOKS}


def test_each_picture_is_in_the_manual_dark_and_light_and_described() -> None:
    shown = set()
    for page in PAGES:
        for block in Page(page).html():
            if "<picture>" in block:
                found = PICTURE.fullmatch(block.strip())
                assert found, f"{page}: {block}"
                dark, light, alt = found.groups()
                assert len(alt.split()) >= 5, alt
                shown |= {(page.parent / each).resolve() for each in (dark, light)}
    assert shown == {*PICTURES.iterdir()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for link in Page(page).links():
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not re.match(r"[a-z]+:", link):
            assert target.exists(), link
            assert not anchor or anchor in Page(target).anchors(), link
