"""`chatcli config`: the settings file is shown, changed and edited from the shell, and never broken."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from chatcli.settings import table
from tests.starting import run

MINE = '# mine\nseed = 7  # lucky\nnum_ctx = "8k"\n\n# for programs\n[profiles.code]\nseed = 3\n'


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(MINE)
    return home / "config.toml"


def config(*words: str, **environment: str) -> tuple[str, str, int]:
    """What `chatcli config ...` prints, what it says on standard error, and its exit code."""
    done = run(["config", *words], {**os.environ, "COLUMNS": "300", **environment})
    return done.stdout.decode(), done.stderr.decode(), done.returncode


def editor(tmp_path: Path, program: str) -> str:
    """The command of an editor; in its program `path` is the file."""
    script = tmp_path / "editor.py"
    script.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{program}\n")
    return f'"{sys.executable}" "{script}"'


def test_the_path_is_that_of_the_settings_file(home: Path) -> None:
    assert config("path") == (f"{home / 'config.toml'}\n", "", 0)


def test_show_tells_where_each_value_comes_from(file: Path) -> None:
    out, _, code = config("show", CHATCLI_TEMPERATURE="0.5")
    assert code == 0
    rows = [" ".join(row.split()) for row in out.splitlines()]
    assert any(row.startswith("seed 7 settings file") for row in rows)
    assert any(row.startswith("temperature 0.5 environment") for row in rows)
    assert any(row.startswith("thinking fold default") for row in rows)
    assert str(file) in out
    told = json.loads(config("show", "--json", CHATCLI_TEMPERATURE="0.5")[0])
    assert set(told) == {setting.name for setting in table.TABLE}
    assert told["num_ctx"] == {"value": 8192, "from": "settings file"}
    assert told["temperature"] == {"value": 0.5, "from": "environment"}
    assert told["top_k"] == {"value": None, "from": "default"}
    assert told["model"] == {"value": "", "from": "default"}


def test_get_prints_the_value_alone(file: Path) -> None:
    assert config("get", "num-ctx")[0] == "8192\n"
    assert config("get", "top_k")[0] == "\n"
    assert json.loads(config("get", "seed", "--json")[0]) == {"value": 7, "from": "settings file"}
    assert config("get", "sede")[2] == 2
    assert "Did you mean seed?" in config("get", "sede")[1]


def test_set_and_unset_keep_comments_order_and_profiles(file: Path) -> None:
    assert config("set", "seed", "-1")[2] == 0
    assert config("set", "stop", "END OF", "x")[2] == 0
    assert config("set", "verbose")[2] == 0
    before, after = file.read_text().split("# for programs")
    assert before.splitlines()[:3] == ["# mine", 'seed = "-1"  # lucky', 'num_ctx = "8k"']
    assert after == MINE.split("# for programs")[1]
    assert config("get", "stop")[0] == '"END OF" "x"\n'
    assert config("get", "verbose")[0] == "on\n"
    for name in ("seed", "stop", "verbose"):
        assert config("unset", name)[2] == 0
    assert "seed" not in file.read_text().split("# for programs")[0]
    assert "seed = 3" in file.read_text()
    assert "seed is not in" in config("unset", "seed")[1]


def test_a_wrong_value_changes_nothing(file: Path) -> None:
    for words in (("num_ctx", "many"), ("nonsense", "1"), ("seed",), ("format", "/no/such/file")):
        assert config("set", *words)[2] == 2
        assert file.read_text() == MINE


def test_a_wrong_value_in_the_file_can_be_mended_and_what_is_still_wrong_is_said(file: Path) -> None:
    file.write_text('seed = "x"\ntop-k = "y"\nmodle = "z"\n')
    out, err, code = config("set", "seed", "1")
    assert code == 0
    assert "line 2: top-k" in out + err
    out, err, code = config("unset", "top_k")
    assert "line 2: modle" in out + err
    assert file.read_text() == 'seed = "1"\nmodle = "z"\n'


def test_a_value_that_the_environment_hides_is_said(file: Path) -> None:
    out, err, _ = config("set", "seed", "9", CHATCLI_SEED="1")
    assert "The environment comes before the file: seed = 1." in out + err


def test_a_broken_file_is_said_with_its_line_and_can_be_edited(file: Path, tmp_path: Path) -> None:
    file.write_text("seed = 7\nnum_ctx = = 8\n")
    for words in (("show",), ("get", "seed"), ("set", "seed", "1"), ("unset", "seed")):
        _, err, code = config(*words)
        assert code == 2
        assert "line 2" in err
    assert config("path")[2] == 0
    mend = editor(tmp_path, "path.write_text(path.read_text().replace('= =', '='))")
    assert config("edit", EDITOR=mend)[2] == 0
    assert file.read_text() == "seed = 7\nnum_ctx = 8\n"


def test_an_edited_text_that_does_not_parse_is_kept_and_the_file_stays(file: Path, tmp_path: Path) -> None:
    spoil = editor(tmp_path, "path.write_text(path.read_text().replace('seed = 7', 'seed = = 8'))")
    out, err, code = config("edit", EDITOR=spoil)
    assert code == 2
    assert "line 2 is not valid TOML" in out + err
    assert file.read_text() == MINE
    mend = editor(tmp_path, "path.write_text(path.read_text().replace('= =', '='))")
    assert config("edit", EDITOR=mend)[2] == 0
    assert file.read_text() == MINE.replace("seed = 7", "seed = 8")
    assert [each.name for each in file.parent.glob("config*")] == ["config.toml"]


def test_an_edited_profile_with_a_fault_is_written_and_told(file: Path, tmp_path: Path) -> None:
    more = editor(tmp_path, "path.write_text(path.read_text() + 'sede = 1')")
    out, err, code = config("edit", EDITOR=more)
    assert code == 0
    assert 'line 8: profiles.code.sede: a profile has no such key. Did you mean "seed"?' in out + err
    assert file.read_text() == f"{MINE}sede = 1\n"


def test_an_editor_that_changes_nothing_or_fails_leaves_the_file(home: Path, tmp_path: Path) -> None:
    look = editor(tmp_path, "assert '# model' in path.read_text()")
    assert "Nothing is changed." in config("edit", OLLAMA_EDITOR=look, EDITOR="false")[1]
    assert not (home / "config.toml").exists()
    assert config("edit", EDITOR=editor(tmp_path, "sys.exit(3)"))[2] == 2


def test_a_password_in_an_address_is_never_shown(file: Path) -> None:
    assert "hunter2" not in "".join(map(str, config("set", "host", "http://me:hunter2@gpu:11434")))
    assert "hunter2" in file.read_text()
    for words in (("get", "host"), ("get", "host", "--json"), ("show",), ("show", "--json")):
        assert "hunter2" not in "".join(map(str, config(*words)))
