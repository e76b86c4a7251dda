"""The program's data classes do what those of the standard library do; nothing is compiled before it is used."""

from __future__ import annotations

import ast
import copy
import dataclasses
import importlib
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

from chatcli.dataclass import dataclass

PACKAGE = Path(__file__).parent.parent / "chatcli"
OWN = "chatcli.dataclass"


def sources() -> dict[str, str]:
    """The program's modules by their names."""
    paths = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(("chatcli", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths]
    return {name: path.read_text(encoding="utf-8") for name, path in zip(names, paths, strict=True)}


def all_of_the_program() -> set[type]:
    """Every data class of the program."""
    modules = [importlib.import_module(name) for name, source in sources().items() if f"from {OWN}" in source]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {each for each in found if dataclasses.is_dataclass(each) and each.__module__.startswith("chatcli")}


def parameters(cls: type) -> list[tuple[str, bool]]:
    """Of each parameter the name, and whether it has a default."""
    each = inspect.signature(cls).parameters.values()
    return [(one.name, one.default is not one.empty) for one in each]


def test_each_has_the_parameters_that_the_standard_library_would_give_it() -> None:
    classes = all_of_the_program()
    assert len(classes) > 100
    for cls in classes:
        fields = [(each.name, Any, copy.copy(each)) for each in dataclasses.fields(cls)]
        assert parameters(cls) == parameters(dataclasses.make_dataclass("Same", fields)), cls


def test_none_is_compiled_before_it_is_used() -> None:
    @dataclass(frozen=True, slots=True)
    class Pair:
        """Two of a kind."""

        one: int

    assert not hasattr(vars(Pair)["__init__"], "__code__")
    Pair(1)
    assert hasattr(vars(Pair)["__init__"], "__code__")


@dataclass(frozen=True, slots=True)
class Named:
    """A frozen one with every kind of field."""

    name: str
    size: int = 3
    parts: list[int] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="", repr=False, compare=False)


@dataclass(slots=True)
class Growing:
    """One that changes, with a field that is set later."""

    size: int = 1
    twice: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.size


def test_what_is_compared_shown_and_hashed() -> None:
    assert Named("a") == Named("a", secret="other")
    assert Named("a") != Named("a", 4)
    assert Named("a").__eq__("a") is NotImplemented
    assert repr(Named("a", secret="other")).endswith("Named(name='a', size=3, parts=[])")
    assert hash(Named("a", parts=())) == hash(Named("a", 3, (), "other"))  # type: ignore[arg-type]
    assert Growing(2) == Growing(2)
    assert Growing(2).twice == 4
    with pytest.raises(TypeError, match="unhashable"):
        hash(Growing())


def test_each_instance_has_a_default_of_its_own() -> None:
    Named("a").parts.append(1)
    assert Named("a").parts == []


def test_a_frozen_one_does_not_change() -> None:
    one = Named("a")
    with pytest.raises(dataclasses.FrozenInstanceError, match="'name'"):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="'name'"):
        del one.name
    assert dataclasses.replace(one, name="b") == Named("b")
    assert dataclasses.asdict(one) == {"name": "a", "size": 3, "parts": [], "secret": ""}
    with pytest.raises(AttributeError):
        Growing().size_ = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("one", [Named("a", 4, [1], "secret"), Growing(5)])
def test_a_copy_is_equal(one: Any) -> None:
    copies = [copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
    assert copies == [one] * 3
    assert [dataclasses.asdict(each) for each in copies] == [dataclasses.asdict(one)] * 3


def test_what_a_class_defines_itself_stays() -> None:
    @dataclass(frozen=True, slots=True)
    class Own:  # noqa: PLW1641 - it gets one
        """With an equality of its own."""

        size: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "own"

    assert Own(1) == Own(2)
    assert hash(Own(1)) == hash(Own(1))
    assert repr(Own(1)) == "own"
    assert Own.__match_args__ == ("size",)


def test_a_subclass_keeps_an_init_of_its_own() -> None:
    @dataclass(slots=True)
    class First:
        """One field."""

        size: int

    class Second(First):
        def __init__(self) -> None:
            super().__init__(7)

    assert [Second().size, Second().size] == [7, 7]


def test_the_program_uses_no_other() -> None:
    for name, source in sources().items():
        imported = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ImportFrom)]
        names = {alias.name for each in imported if each.module == "dataclasses" for alias in each.names}
        assert name == OWN or "dataclass" not in names, f"{name}: {OWN} has it"
