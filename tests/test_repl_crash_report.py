"""The last resort: an unforeseen error does not end the loop, is named as one, and writes a report that contains
nothing of the conversation.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcli.repl.crash_report import LARGEST, told
from tests.faults import Engine

posix = pytest.mark.skipif(os.name != "posix", reason="a pty is POSIX's")
ROOT = Path(__file__).parent.parent
# Loaded before the program: parts of it fail where the word "boom" is met.
BROKEN = """
import chatcli.commands.registry, chatcli.repl.toolbar_data, chatcli.turn

def broken(function, error):
    def step(*given, **named):
        if "boom" in repr(given) and "quiet" not in repr(given):
            raise error
        return function(*given, **named)
    return step

Registry = chatcli.commands.registry.Registry
chatcli.turn.ask = broken(chatcli.turn.ask, KeyError("what was said"))
chatcli.repl.toolbar_data.meter = broken(chatcli.repl.toolbar_data.meter, ZeroDivisionError("what was said"))
Registry.dispatch = broken(Registry.dispatch, PermissionError(13, "Permission denied", "/some/place"))
Registry.suggest = broken(Registry.suggest, IndexError("what was said"))
"""


@pytest.fixture
def broken(tmp_path: Path, home: Path) -> Iterator[dict[str, str]]:
    """The environment of a program with these faults. Its account is taken away: here it is no bug."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(BROKEN)
    yield {"PYTHONPATH": os.pathsep.join([str(tmp_path / "broken"), str(ROOT)])}
    (home / "faults.log").unlink(missing_ok=True)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@posix
def test_the_loop_goes_on_after_a_fault_in_a_turn_with_the_text_in_the_line(
    broken: dict[str, str], engine: Engine, home: Path
) -> None:
    from tests.test_terminal import Terminal

    person = Terminal("-m", "demo", columns=200, OLLAMA_HOST=engine.url, **broken)  # type: ignore[arg-type]
    try:
        person.see(">>>", "Send a message")
        engine.say("Here I am.")
        person.enter("hello")
        person.see("Here I am.")
        person.enter("boom it goes")
        said = person.see("Something went wrong inside chatcli itself: KeyError", "faults.log", ">>> boom it goes")
        assert "Traceback" not in said
        person.press("\x15")
        engine.say("Still here.")
        person.enter("and now?")
        person.see("Still here.")
        person.enter("/stats boom")
        person.see("The system refused something", "Permission denied: /some/place", ">>> /stats boom")
        person.press("\x15/load boo\x15")
        person.press("/bye\r")
        assert person.ends() == 0
    finally:
        person.close()
    account = home / "faults.log"
    assert account.stat().st_mode & 0o777 == 0o600
    kept = account.read_text()
    assert "KeyError" in kept
    assert "PermissionError 13" in kept
    assert "ZeroDivisionError" in kept, "a toolbar that fails is left out, and the prompt lives on"
    assert not [word for word in ("what was said", "boom", "/some/place") if word in kept]


@posix
def test_completion_that_fails_offers_nothing(broken: dict[str, str], engine: Engine, home: Path) -> None:
    from tests.test_terminal import Terminal

    person = Terminal("-m", "demo", columns=200, OLLAMA_HOST=engine.url, **broken)  # type: ignore[arg-type]
    try:
        person.see(">>>", "Send a message")
        person.press("/load boom\t")
        said = person.settle()
        assert "Press ENTER" not in said
        person.press("\x15")
        engine.say("Here I am.")
        person.enter("hello")
        person.see("Here I am.")
    finally:
        person.close()
    assert "IndexError" in (home / "faults.log").read_text()


def test_in_the_shell_it_is_a_sentence_and_exit_code_1(broken: dict[str, str], engine: Engine, home: Path) -> None:
    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chatcli", "-m", "demo", "--host", engine.url, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **broken},
            check=False,
        )

    assert asked("hello").returncode == 0
    done = asked("boom")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Something went wrong inside chatcli itself: KeyError (")
    assert "Traceback" not in done.stderr
    assert (home / "faults.log").exists()


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["hi"], ["--json", "hi"], ["--version"], ["models"]])
def test_only_what_cannot_be_written_is_an_error_of_the_output(
    arguments: list[str], unbuffered: str, engine: Engine
) -> None:
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": unbuffered,
        "PYTHONPATH": str(ROOT),
        "OLLAMA_HOST": engine.url,
    }
    with Path("/dev/full").open("w") as full:
        for errors in (subprocess.PIPE, full):
            done = subprocess.run(
                [sys.executable, "-m", "chatcli", *arguments],
                stdout=full,
                stderr=errors,
                text=True,
                stdin=subprocess.DEVNULL,
                env={**environment, "CHATCLI_MODEL": "demo"},
                check=False,
            )
            assert done.returncode == 1
            assert done.stderr in {None, "The output cannot be written: No space left on device.\n"}


def test_the_account_has_the_kinds_of_errors_and_none_of_their_words(tmp_path: Path) -> None:
    log = tmp_path / "faults.log"
    try:
        try:
            raise ValueError("a secret")
        except ValueError as first:
            raise KeyError("another secret") from first
    except KeyError as error:
        said = told(error, log)
    assert "secret" not in said.message + said.hint
    kept = log.read_text()
    assert kept.index("ValueError") < kept.index("then") < kept.index("KeyError")
    assert "secret" not in kept


def test_the_account_stays_small_and_makes_no_directory(tmp_path: Path) -> None:
    log = tmp_path / "faults.log"
    log.write_text("x" * LARGEST)
    told(raised(KeyError()), log)
    assert log.stat().st_size < LARGEST / 10
    elsewhere = tmp_path / "not" / "there.log"
    assert told(raised(KeyError()), elsewhere).hint == ""
    assert told(raised(KeyError()), None).hint == ""
    assert not elsewhere.parent.exists()


@posix
def test_an_account_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "faults.log").symlink_to(tmp_path / "precious")
    assert told(raised(KeyError()), tmp_path / "faults.log").hint == ""
    assert (tmp_path / "precious").read_text() == "mine"
