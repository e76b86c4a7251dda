"""Which tools there are, and which a setting chooses."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import chatcli
from chatcli.tools import table
from chatcli.tools.schema import NAME
from chatcli.tools.table import builtins, chosen, known, own_tools
from chatcli.tools.tool import Reach, Workplace

NO_WORKPLACE = Workplace(Path())
ROWS = list(builtins().values())


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that is installed, with tools of its own: two sound ones, and five with faults."""
    (tmp_path / "mine.py").write_text(
        "import chatcli\n"
        "def greet(name: str) -> str:\n    'Greet.'\n    return f'Hello {name}'\n"
        "@chatcli.tool('pure')\ndef double(number: int) -> int:\n    'Double it.'\n    return 2 * number\n"
        "nothing = 5\n"
    )
    (tmp_path / "breaks.py").write_text("raise RuntimeError('no such luck')\n")
    (tmp_path / "exits.py").write_text("print('noise')\nraise SystemExit(4)\n")
    info = tmp_path / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[chatcli.tools]\ngreet = mine:greet\ndouble = mine:double\nnow = mine:greet\n"
        "nothing = mine:nothing\nluck = breaks:luck\ngone = missing:gone\nend = exits:end\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    own_tools.cache_clear()
    yield
    own_tools.cache_clear()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.tool.name)
def test_a_definition_is_lean_and_every_parameter_is_told(row: table.Builtin) -> None:
    tool = row.tool
    assert NAME.fullmatch(tool.name)
    assert tool.description.endswith(".")
    assert len(json.dumps(tool.definition)) < 600
    for name, schema in tool.parameters["properties"].items():
        assert schema["type"], name


def test_on_is_every_builtin_tool_that_need_not_be_named() -> None:
    tools, problems = chosen(("on",), NO_WORKPLACE)
    names = [tool.name for tool in tools]
    assert names == sorted(each.tool.name for each in ROWS if not each.named and each.works_in(NO_WORKPLACE))
    assert {"now", "calculate"} <= set(names)
    assert not problems


@pytest.mark.usefixtures("own")
def test_own_tools_are_offered_when_named_and_act_unless_they_say_otherwise() -> None:
    tools, problems = chosen(("greet", "double", "now"), NO_WORKPLACE)
    assert [(tool.name, tool.reach) for tool in tools] == [
        ("double", Reach.PURE),
        ("greet", Reach.ACTS),
        ("now", Reach.PURE),
    ]
    assert tools[0].run({"number": 4}, NO_WORKPLACE) == 8
    assert not problems
    assert "greet" not in {tool.name for tool in chosen(("on",), NO_WORKPLACE)[0]}
    assert {"greet", "double", "now"} <= set(known(NO_WORKPLACE))


@pytest.mark.usefixtures("own")
def test_a_broken_tool_is_told_and_keeps_no_other_from_working(capsys: pytest.CaptureFixture[str]) -> None:
    said = [str(problem) for problem in own_tools().problems]
    assert len(said) == 5
    for name in ("end", "gone", "luck", "nothing", "now"):
        assert any(each.startswith(f"The tool {name} ") for each in said)
    tools, problems = chosen(("luck", "greet"), NO_WORKPLACE)
    assert [tool.name for tool in tools] == ["greet"]
    assert len(problems) == 1
    assert "no such luck" in str(problems[0])
    assert capsys.readouterr().out == ""


def test_an_unknown_name_gives_the_nearest() -> None:
    tools, problems = chosen(("calculat", "now"), NO_WORKPLACE)
    assert [tool.name for tool in tools] == ["now"]
    assert "There is no tool calculat. Did you mean calculate?" in str(problems[0])


def test_no_package_is_looked_through_for_builtin_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "own_tools", None)
    assert chosen(("on", "now"), NO_WORKPLACE)[0]


def test_a_mark_is_one_of_the_four_words() -> None:
    with pytest.raises(ValueError, match="harmless"):
        chatcli.tool("harmless")
