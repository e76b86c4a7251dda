"""A function becomes a tool: its schema says what fits, and what fits reaches the function as annotated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.tools.fitting import CHARACTERS, DEPTH, PARTS, fitting, form
from chatcli.tools.schema import LARGEST_RESULT, text_of, tool_of
from chatcli.tools.tool import Reach, Tool, ToolFailure, Workplace


class Color(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Box:
    width: int
    tags: tuple[str, ...] = ()


class Place(TypedDict):
    city: str


_got: list[dict[str, Any]] = []


def everything(
    text: Annotated[str, "The text"],
    *,
    number: Annotated[int, {"minimum": 1, "maximum": 9}] = 5,
    share: float | None = None,
    color: Color = Color.RED,
    unit: Literal["c", "f"] = "c",
    boxes: list[Box] | None = None,
    names: set[str] = frozenset(),  # type: ignore[assignment]
    sizes: dict[str, int] | None = None,
    place: Place | None = None,
    either: int | str = 0,
    on: bool = False,
    anything: Any = None,
    workplace: Workplace = Workplace(Path()),  # noqa: B008 - it is frozen
) -> str:
    """Try every kind
    of parameter.

    This is not for the model.

    Args:
        share: How much of it,
            in all.
        on (bool): Whether it is on.
    """
    _got.append(dict(locals()))
    return "ran"


TOOL = tool_of(everything, Reach.PURE)


def run(tool: Tool = TOOL, **arguments: Any) -> dict[str, Any]:
    """What the function was called with."""
    assert tool.run(fitting(tool, arguments), Workplace(Path())) == "ran"
    return _got.pop()


def test_the_schema_is_made_of_the_signature_and_the_docstring() -> None:
    assert (TOOL.name, TOOL.description) == ("everything", "Try every kind of parameter.")
    assert TOOL.parameters["required"] == ["text"]
    box = {
        "type": "object",
        "properties": {"width": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["width"],
        "additionalProperties": False,
    }
    assert TOOL.parameters["properties"] == {
        "text": {"type": "string", "description": "The text"},
        "number": {"type": "integer", "minimum": 1, "maximum": 9, "default": 5},
        "share": {"type": "number", "description": "How much of it, in all."},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "unit": {"type": "string", "enum": ["c", "f"], "default": "c"},
        "boxes": {"type": "array", "items": box},
        "names": {"type": "array", "items": {"type": "string"}, "default": []},
        "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "default": 0},
        "on": {"type": "boolean", "default": False, "description": "Whether it is on."},
        "anything": {},
    }


def test_what_fits_reaches_the_function_as_it_is_annotated() -> None:
    got = run(text="a", color="blue", boxes=[{"width": 2, "tags": ["x"]}], names=["n", "n"], sizes={"a": 1})
    assert got["color"] is Color.BLUE
    assert got["boxes"] == [Box(2, ("x",))]
    assert got["names"] == {"n"}
    assert got["sizes"] == {"a": 1}
    assert got["workplace"] == Workplace(Path())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"number": "7"}, {"number": 7}),
        ({"number": 7.0}, {"number": 7}),
        ({"share": "0.5"}, {"share": 0.5}),
        ({"share": 1}, {"share": 1}),
        ({"on": "True"}, {"on": True}),
        ({"boxes": '[{"width": "3"}]'}, {"boxes": [Box(3)]}),
        ({"text": 12}, {"text": "12"}),
        ({"either": "5"}, {"either": "5"}),
        ({"number": None}, {"number": 5}),
    ],
)
def test_what_can_only_mean_one_thing_is_converted(given: Mapping[str, Any], meant: Mapping[str, Any]) -> None:
    got = run(**{"text": "a", **given})
    assert {name: got[name] for name in meant} == meant
    assert {name: type(got[name]) for name in meant} == {name: type(value) for name, value in meant.items()}


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "text is missing"),
        ({"text": None}, "text is null; a text is expected"),
        ({"text": True}, "text is true; a text is expected"),
        ({"text": "a", "number": "seven"}, 'number is "seven"; a whole number is expected'),
        ({"text": "a", "number": 1.5}, "number is 1.5; a whole number is expected"),
        ({"text": "a", "number": True}, "number is true; a whole number"),
        ({"text": "a", "number": 10}, "number is 10; at most 9 is expected"),
        ({"text": "a", "color": "green"}, 'color is "green"; one of "red", "blue" is expected'),
        ({"text": "a", "boxes": [{"width": 1}, {}]}, r"boxes\[1\].width is missing"),
        ({"text": "a", "boxes": [{"width": 1, "depth": 2}]}, r"boxes\[0\].depth.* is no parameter"),
        ({"text": "a", "nubmer": 1}, r'"nubmer" is no parameter of it \(did you mean number\?\)'),
        ({"text": "a", "workplace": {}}, "is no parameter"),
        ({"arguments": "{text: a"}, "an object is expected"),
        ({"text": "a", "anything": _deep(DEPTH + 1)}, "nested"),
        ({"text": "a", "anything": _deep(100_000)}, "nested"),
        ({"text": "a", "anything": [0] * PARTS}, "too large"),
        ({"text": "a" * (CHARACTERS + 1)}, "too large"),
        ({"text": "a", "number": "\x1b[31mred"}, r"\\u001b"),
    ],
)
def test_what_does_not_fit_is_told_with_the_right_form(given: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ToolFailure, match=told) as failure:
        fitting(TOOL, given)
    assert str(failure.value).startswith("everything was not run: ")
    assert form(TOOL) in str(failure.value)
    assert "\x1b" not in str(failure.value)


def test_the_right_form_is_short() -> None:
    shown = form(TOOL)
    assert shown.startswith("everything(text: string, number: integer = 5, share: number = null, ")
    assert 'color: "red"|"blue" = "red"' in shown


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(TOOL.parameters["properties"])), _JSON))
def test_whatever_comes_runs_or_is_told(arguments: dict[str, Any]) -> None:
    try:
        fitted = fitting(TOOL, arguments)
    except ToolFailure:
        return
    assert fitting(TOOL, fitted) == fitted
    run(**fitted)


def _no_name(*values: int) -> None: ...


def _unknown_kind(value: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


async def _later() -> None: ...


@pytest.mark.parametrize("function", [_no_name, _unknown_kind, _later, lambda x: x])
def test_a_function_that_no_model_could_call_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError):
        tool_of(function, Reach.PURE)


def test_the_form_of_sphinx_is_read_too() -> None:
    def ask(question: str) -> None:
        """Ask it.
        :param str question: What to ask
        """

    assert tool_of(ask, Reach.PURE).description == "Ask it."
    assert tool_of(ask, Reach.PURE).parameters["properties"]["question"]["description"] == "What to ask"


def test_what_a_function_raises_is_told_to_the_model() -> None:
    def broken() -> None:
        """Fail."""
        raise OSError("\x1b[31mno disk")

    with pytest.raises(ToolFailure, match=r"broken failed \(OSError: no disk\)"):
        tool_of(broken, Reach.PURE).run({}, Workplace(Path()))


@pytest.mark.parametrize(
    ("result", "text"),
    [("a", "a"), (None, "Done."), ({"ü": [1, None]}, '{"ü": [1, null]}'), ("\x1b]0;x\x07a\x1b[2Jb", "ab")],
)
def test_a_result_is_text_that_no_terminal_obeys(result: Any, text: str) -> None:
    assert text_of(result) == text


def test_a_huge_result_keeps_its_beginning_and_its_end() -> None:
    text = text_of("a" + "x" * 100_000_000 + "z")
    assert len(text) < LARGEST_RESULT + 2000
    assert (text[0], text[-1]) == ("a", "z")
    assert "98,000,002 characters are left out" in text


def test_very_long_lines_of_a_result_are_broken() -> None:
    words, letters = "word " * 5000, "x" * 5001
    for text in (words, letters, f"short\n{words}\n{letters}\n\n"):
        broken = text_of(text)
        assert max(map(len, broken.split("\n"))) <= 2000
        assert broken.replace("\n", "") == text.replace("\n", "")
    assert not any(line.startswith("ord") for line in text_of(words).split("\n"))
    assert text_of("x" * 2000) == "x" * 2000


def test_leave_for_a_function_of_ones_own_is_for_that_very_call() -> None:
    tool = tool_of(everything, Reach.ACTS)
    one, other = ({"text": text} for text in "ab")
    assert tool.scope(one, Workplace(Path())) != tool.scope(other, Workplace(Path()))
