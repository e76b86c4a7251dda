"""What fingers trained on `ollama run` type works: its commands, parameters, flags and variables.

Its keys are tested in test_prompt_keys.py, test_prompt_reader.py and test_prompt_history.py.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from chatcli.cli.flags import parsed
from chatcli.commands import everything
from chatcli.commands.outcomes import Choose, Outcome, Quit
from chatcli.errors import UnknownCommand, UnknownSetting
from chatcli.prompt.editor import find_editor
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import read_environment
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.setting import Setting
from chatcli.turn import ask
from tests.commanding import do, followed, said, say, shown
from tests.faults import Engine
from tests.starting import run
from tests.test_cli_flags import Asked

SETS = [
    ("parameter num_ctx 8192", table.NUM_CTX, 8192),
    ("parameter temperature 0.5", table.TEMPERATURE, 0.5),
    ('parameter stop "END OF" x', table.STOP, ("END OF", "x")),
    ("system You are brief.", table.SYSTEM, "You are brief."),
    ('system """You are\nbrief."""', table.SYSTEM, "You are\nbrief."),
    ("history", table.HISTORY, True),
    ("nohistory", table.HISTORY, False),
    ("wordwrap", table.WORDWRAP, 100),
    ("nowordwrap", table.WORDWRAP, 0),
    ("format json", table.FORMAT, "json"),
    ("noformat", table.FORMAT, ""),
    ("verbose", table.VERBOSE, True),
    ("quiet", table.VERBOSE, False),
    ("think", table.THINK, "on"),
    ("think high", table.THINK, "high"),
    ("nothink", table.THINK, "off"),
    ("hidethinking", table.THINKING, "hide"),
]
# Every parameter of Ollama, with a value for it.
PARAMETERS = """
    num_ctx=8192 num_batch=512 num_gpu=1 main_gpu=0 use_mmap=true num_thread=4 draft_num_predict=4 seed=7
    num_predict=100 num_keep=5 top_k=40 top_p=0.9 min_p=0.1 typical_p=0.7 repeat_last_n=64 repeat_penalty=1.1
    temperature=0.5 presence_penalty=0.5 frequency_penalty=0.5 stop=END
"""
FLAGS: list[tuple[list[str], Setting[Any], object]] = [
    (["--keepalive", "10m"], table.KEEP_ALIVE, "10m"),
    (["--verbose"], table.VERBOSE, True),
    (["--insecure"], table.INSECURE, True),
    (["--nowordwrap"], table.WORDWRAP, 0),
    (["--format", "json"], table.FORMAT, "json"),
    (["--think"], table.THINK, "on"),
    (["--think=high"], table.THINK, "high"),
    (["--think=false"], table.THINK, "off"),
    (["--hidethinking"], table.THINKING, "hide"),
]


@pytest.mark.parametrize(("line", "setting", "value"), SETS, ids=[line for line, *_ in SETS])
def test_set_takes_the_forms_of_ollama_run(
    line: str, setting: Setting[object], value: object, session: Session
) -> None:
    do(session, f"set {line}")
    assert session.settings[setting] == value


@pytest.mark.parametrize("parameter", PARAMETERS.split())
def test_every_parameter_can_be_set_taken_back_and_is_sent(
    parameter: str, session: Session, engine: Engine
) -> None:
    name, _, value = parameter.partition("=")
    do(session, f"set parameter {name} {value}")
    assert name in session.settings.options()
    say(session, "hi")
    assert engine.chats[-1]["options"][name] == session.settings.options()[name]
    do(session, f"unset {name}")
    assert session.settings.origin(table.TABLE[[row.name for row in table.TABLE].index(name)]) is not Layer.SET


@pytest.mark.parametrize("name", ["mirostat", "tfs_z", "numa", "low_vram", "use_mlock", "f16_kv"])
def test_a_parameter_that_ollama_no_longer_has_is_refused(name: str, session: Session) -> None:
    with pytest.raises(UnknownSetting):
        do(session, f"set parameter {name} 1")


@pytest.mark.parametrize("aspect", ["info", "license", "modelfile", "parameters", "system", "template"])
def test_show_tells_of_the_model(aspect: str, session: Session) -> None:
    assert shown(do(session, f"show {aspect}"))


def test_show_system_tells_the_prompt_that_is_in_use_and_with_a_name_that_of_the_model(session: Session) -> None:
    do(session, "set system You are a pirate.")
    assert "You are a pirate." in shown(do(session, "show system"))
    assert "demo sets no system prompt" in shown(do(session, "show demo system"))


def test_load_another_model_keeps_the_conversation(session: Session) -> None:
    say(session, "hi")
    assert "demo-vision" in shown(followed(session, do(session, "load demo-vision")))
    assert session.settings[table.MODEL] == "demo-vision"
    assert said(session)[0] == "hi"


def test_save_gives_a_name_or_makes_a_model(session: Session) -> None:
    say(session, "hi")
    do(session, "save pirates")
    assert session.conversation.title == "pirates"
    followed(session, do(session, "save --model talk"))
    assert "talk" in [each.name.removesuffix(":latest") for each in session.client.get().models()]


def test_clear_keeps_the_system_prompt_and_the_old_conversation(session: Session) -> None:
    do(session, "system Be brief.")
    say(session, "hi")
    do(session, "clear")
    assert said(session) == []
    assert session.settings[table.SYSTEM] == "Be brief."
    assert len(session.store.entries()) == 1


@pytest.mark.parametrize("line", ["bye", "exit"])
def test_the_words_for_leaving(line: str, session: Session) -> None:
    assert isinstance(do(session, line), Quit)


@pytest.mark.parametrize("line", ["list", "?", "help", "help set", "? shortcuts"])
def test_the_words_for_lists_and_help(line: str, session: Session) -> None:
    outcome: Outcome = do(session, line)
    assert not isinstance(outcome, Choose)
    assert shown(outcome)


@pytest.mark.parametrize("line", ["byes", "clearfoo", "listing"])
def test_a_longer_word_is_no_command(line: str) -> None:
    with pytest.raises(UnknownCommand):
        everything().chosen(line)


@pytest.mark.parametrize(("flags", "setting", "value"), FLAGS, ids=[" ".join(flags) for flags, *_ in FLAGS])
def test_the_flags_of_ollama_run_are_taken(flags: list[str], setting: Setting[object], value: object) -> None:
    chat = Asked()
    assert parsed([*flags, "what is rain"], chat)() == 0
    settings = Settings()
    for name, given in chat.values.items():
        settings.put(name, given, Layer.FLAG)
    assert chat.prompt == ["what is rain"]
    assert settings[setting] == value


@pytest.mark.parametrize("name", table.SHORTHANDS)
def test_a_flag_of_its_own_comes_before_a_shorthand(name: str) -> None:
    setting, value = table.SHORTHANDS[name]
    other = next(word for word in (*setting.kind.words, "80") if word != value)
    chat = Asked()
    parsed([f"--{name}", f"{setting.flag}={other}", "hi"], chat)()
    assert setting.kind.take(chat.values[setting.name]) == setting.kind.read(other)


def test_its_flags_reach_the_server_and_its_thinking_stays_out_of_pipes(engine: Engine) -> None:
    place = {**os.environ, "OLLAMA_HOST": engine.url}
    engine.say('{"a": 1}')
    done = run(["-m", "demo", "--keepalive", "10m", "--format", "json", "--verbose", "hi"], place)
    assert json.loads(done.stdout) == {"a": 1}
    assert b"eval rate" in done.stderr
    assert engine.chats[-1]["keep_alive"] == "10m"
    assert engine.chats[-1]["format"] == "json"


def test_its_variables_are_heard() -> None:
    settings = Settings()
    read_environment(settings, {"OLLAMA_NOHISTORY": "1"})
    assert settings[table.HISTORY] is False
    assert find_editor({"EDITOR": "vi", "OLLAMA_EDITOR": "nano"}) == ["nano"]


def test_a_system_prompt_may_be_a_file(session: Session, tmp_path: Path) -> None:
    (tmp_path / "pirate.md").write_text("You are a pirate.\n")
    for line in (f"system @{tmp_path / 'pirate.md'}", f"set system @'{tmp_path / 'pirate.md'}'"):
        do(session, "unset system")
        do(session, line)
        assert session.settings[table.SYSTEM] == "You are a pirate."
    with pytest.raises(Exception, match="no file"):
        do(session, f"system @{tmp_path / 'none.md'}")
    assert session.settings[table.SYSTEM] == "You are a pirate."
    do(session, 'system "@home"')
    assert session.settings[table.SYSTEM] == "@home"
    typed = f"/system @{tmp_path}/pi"
    assert [word.text for word, _ in everything().suggest(session, typed)] == [f"@{tmp_path}/pirate.md"]


@pytest.fixture
def config(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    return home / "config.toml"


def test_in_demo_a_model_of_the_settings_file_holds_or_it_is_said_why_not(config: Path) -> None:
    for named, used in (("demo-vision", "demo-vision"), ("llama3.2", "demo")):
        config.write_text(f'model = "{named}"\n')
        session = build(Wishes(demo=True))
        try:
            ask(session, "hello")  # a pipe stores the question before it asks the server
            assert session.model.get().name.removesuffix(":latest") == used
            warnings = " ".join(map(str, session.take_warnings()))
            assert ("llama3.2 (settings file) is not used." in warnings) is (named != used)
            assert ("demo-vision" in warnings) is (named != used)
        finally:
            session.close()


def test_a_script_without_a_model_uses_the_setting_and_not_what_was_used_last(
    config: Path, engine: Engine
) -> None:
    config.write_text(f'host = "{engine.url}"\nmodel = "demo"\n')
    for flags in (["-m", "demo-vision"], []):
        assert run([*flags, "hi"], os.environ).returncode == 0
    assert [each["model"] for each in engine.chats] == ["demo-vision", "demo"]
    run(["hi"], {**os.environ, "CHATCLI_MODEL": "demo-vision"})
    assert engine.chats[-1]["model"] == "demo-vision"
