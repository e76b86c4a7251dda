"""Named tables of the settings file: what one sets, and what is said of one that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.errors import ConfigError, NotFound
from chatcli.paths import find_paths
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.session.wishes import read_settings
from chatcli.settings import table
from chatcli.settings.file import read_file, write_setting
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.named_tables import KINDS, PROFILES, Kind, line_of, read_rows
from chatcli.settings.setting import Setting
from tests.faults import Engine
from tests.starting import run

SOUND = """\
# mine
seed = 7  # lucky

# for programs
[profiles.code]
model = "demo"
num-ctx = "8k"
system = \"\"\"
You write Python.
[not.a.table]
\"\"\"
stop = ["END OF"]
files = ["README.md"]

[profiles."for prose"]
temperature = 1.5
"""


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    return home / "config.toml"


def test_a_profile_is_read_with_any_setting_and_files(file: Path) -> None:
    file.write_text(SOUND)
    rows = read_rows(PROFILES, file)
    assert rows.faults == {}
    assert rows.get("code").values == {
        "model": "demo",
        "num_ctx": 8192,
        "system": "You write Python.\n[not.a.table]\n",
        "stop": ("END OF",),
        "files": ("README.md",),
    }
    assert rows.get("code").line == 5
    assert rows.get("for prose").line == 15
    settings = Settings()
    assert read_file(settings, file) == []
    assert settings[table.SEED] == 7
    assert settings[table.MODEL] == ""


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_a_profile_may_have_every_setting_by_all_its_names(setting: Setting[object], file: Path) -> None:
    typed = setting.kind.write(setting.default) or (setting.kind.words or ("1",))[0]
    for name in (setting.name, *setting.aliases):
        file.write_text(f"[profiles.one]\n{name} = {typed!r}\n")
        assert read_rows(PROFILES, file).get("one").values == {setting.name: setting.kind.read(typed)}


BROKEN = {
    "an unknown key": ("model = 'm'\ntemprature = 1", 3, 'no such key. Did you mean "temperature"?'),
    "a value of another kind": ("\nnum_ctx = 'many'", 3, "is not a size in tokens"),
    "no TOML": ("model = 'm'\nseed 2", 3, "not valid TOML"),
    "a text that is not closed": ('model = "m', 2, "not valid TOML"),
    "a text of lines that is not closed": ('system = """\nhello', 1, "not valid TOML"),
    "the same key twice": ("seed = 1\nseed = 2", 1, "not valid TOML"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_profile_with_a_fault_is_named_with_its_line_and_the_rest_of_the_file_holds(
    what: str, file: Path
) -> None:
    lines, line, words = BROKEN[what]
    before = "seed = 7\n\n[profiles.good]\ntop_k = 3\n\n"
    after = "\n[profiles.also]\ntop_k = 4\n[hosts.gpu]\naddress = 'gpu:1'\n"
    file.write_text(f"{before}[profiles.bad]\n{lines}\n{after}")
    settings = Settings()
    fault = read_file(settings, file)[0]
    assert settings[table.SEED] == 7
    assert f"{file}, line {fault.line}" in fault.message
    assert fault.line is not None
    assert before.count("\n") + line <= fault.line <= before.count("\n") + 1 + lines.count("\n") + 1
    assert words in f"{fault.message} {fault.hint}"
    rows = read_rows(PROFILES, file)
    assert rows.get("good").values == {"top_k": 3}
    if "of lines" not in what:
        assert rows.get("also").values == {"top_k": 4}
        assert read_rows(KINDS["hosts"], file).get("gpu").values == {"address": "gpu:1"}
    with pytest.raises(ConfigError, match=f"line {fault.line}"):
        rows.get("bad")
    write_setting(file, table.TOP_P, "0.5")
    assert 'top_p = "0.5"\n[profiles.good]' in file.read_text().replace("\n\n", "\n")
    assert f"[profiles.bad]\n{lines}\n{after}" in file.read_text()


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("given", ["{} = 3", "[{}]\ncode = 3", "[{0}.code]\n[{0}.code]"])
def test_what_is_no_table_is_a_fault_of_its_kind_alone(kind: Kind, given: str, file: Path) -> None:
    file.write_text(given.format(kind.name) + "\n")
    assert len(read_file(Settings(), file)) == 1
    assert len(read_rows(kind, file).faults) == 1


def test_a_fault_outside_of_named_tables_refuses_the_file_as_ever(file: Path) -> None:
    file.write_text("[profiles.bad]\nseed 2\n[other]\nx y\n")
    with pytest.raises(ConfigError, match="line 4 is not valid TOML"):
        read_rows(PROFILES, file)


def test_an_unknown_name_is_answered_with_the_nearest(file: Path) -> None:
    file.write_text(SOUND)
    with pytest.raises(NotFound, match='no profile "cod"') as caught:
        read_rows(PROFILES, file).get("cod")
    assert caught.value.hint == 'Did you mean "code"?'
    with pytest.raises(NotFound) as caught:
        read_rows(PROFILES, file).get("x")
    assert caught.value.hint == "There are: code, for prose."


def test_a_setting_is_written_above_the_tables_and_their_comments(file: Path) -> None:
    file.write_text(SOUND)
    write_setting(file, table.TOP_K, "3")
    assert file.read_text().replace("\n\n", "\n") == SOUND.replace("\n\n", "\n").replace(
        "# for programs", 'top_k = "3"\n# for programs'
    )
    settings = Settings()
    read_file(settings, file)
    assert settings[table.TOP_K] == 3
    write_setting(file, table.TOP_K, None)
    assert "top_k" not in file.read_text()
    assert "# for programs\n[profiles.code]" in file.read_text()


@given(
    st.lists(st.sampled_from(['"""', "'''", '"', "'", "#", "[profiles.a]", "[a]", "x = 1", "y", "\n", "=", "\\"]))
)
def test_no_text_is_too_strange_to_be_looked_through(parts: list[str]) -> None:
    text = "".join(parts)
    line = line_of(("profiles", "a", "x"), text)
    assert line is None or line <= text.count("\n") + 1


def test_a_profile_by_flag_comes_before_file_and_conversation_and_after_other_flags(file: Path) -> None:
    file.write_text("temperature = 0.1\nseed = 1\n[profiles.code]\nseed = 2\ntop_k = 3\nsystem = 'S'\n")
    settings = read_settings(find_paths(), Wishes({"top_k": "9"}, profile="code"))
    settings.take_up({"seed": "5", "system": "other"})
    assert (settings[table.TEMPERATURE], settings[table.SEED], settings[table.TOP_K]) == (0.1, 2, 9)
    assert settings[table.SYSTEM] == "S"
    assert str(settings.origin(table.SEED)) == "profile"
    assert settings.kept()["system"] == "S"


def test_a_faulty_profile_is_told_at_the_start_and_the_question_is_answered(file: Path, engine: Engine) -> None:
    file.write_text(f"host = '{engine.url}'\nmodel = 'demo'\n[profiles.bad]\nsed = 1\n")
    engine.say("Hello.")
    done = run(["hi"], os.environ)
    assert done.stdout == b"Hello.\n"
    assert "line 4: profiles.bad.sed" in " ".join(done.stderr.decode().split())
    assert run(["--profile", "bad", "hi"], os.environ).returncode == 2
    assert run(["--profile", "none", "hi"], os.environ).returncode == 2


def test_a_question_with_a_profile_has_its_model_system_options_and_files(
    file: Path, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("the notes")
    file.write_text(
        f"host = '{engine.url}'\n[profiles.code]\nmodel = 'demo'\nsystem = 'Be brief.'\nseed = 3\n"
        f"files = ['{tmp_path / 'notes.txt'}']\n"
    )
    engine.say("Hello.")
    assert run(["--profile", "code", "hi"], os.environ).returncode == 0
    request = engine.chats[0]
    assert request["model"] == "demo"
    assert request["options"]["seed"] == 3
    assert request["messages"][0]["content"] == "Be brief."
    assert "the notes" in request["messages"][-1]["content"]


def test_for_one_message_settings_hold_and_are_not_stored(session: Session) -> None:
    session.ensure_stored()
    with session.for_one_message({"model": "demo-vision", "system": "Now."}):
        assert session.settings[table.MODEL] == "demo-vision"
        session.keep_settings()
        stored = session.store.conversation(session.conversation.id).settings
        assert stored["model"] == "demo"
        assert "system" not in stored
    assert session.settings[table.MODEL] == "demo"
    assert session.settings[table.SYSTEM] == ""


def test_a_profile_taken_up_replaces_what_was_set_and_the_next_one_replaces_it(file: Path, engine: Engine) -> None:
    file.write_text(
        "[profiles.a]\nseed = 1\nsystem = 'A'\n[profiles.b]\nseed = 2\n[profiles.no]\nmodel = 'nope'\n"
    )
    rows = read_rows(PROFILES, file)
    session = build(Wishes({"host": engine.url, "model": "demo", "seed": "9"}))
    try:
        settings = session.settings
        settings.put("seed", "8", Layer.SET)
        assert session.use_profile(rows.get("a")) == [table.SYSTEM, table.SEED]
        assert (settings[table.SEED], settings[table.SYSTEM]) == (1, "A")
        session.use_profile(rows.get("b"))
        assert (settings[table.SEED], settings[table.SYSTEM]) == (2, "")
        settings.put("seed", "5", Layer.SET)
        assert settings[table.SEED] == 5
        with pytest.raises(Exception, match="nope"):
            session.use_profile(rows.get("no"))
        assert settings.profile == rows.get("b")
        session.use_profile(None)
        assert settings.profile is None
    finally:
        session.close()
