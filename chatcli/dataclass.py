"""The decorator `dataclass` of the standard library, but nothing is compiled before it is used.

That of the standard library compiles up to six functions for each class, which took longer than all else that an
import of the program's modules does. Here it finds the fields and makes the slots; `__init__` is compiled when the
first instance is made, and the other methods are the same for all classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

if TYPE_CHECKING:  # type checkers know that one
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: bool = False, slots: bool = False) -> Callable[[type], type]:
        def decorated(cls: type) -> type:
            own = {name for name, value in vars(cls).items() if value is not None}  # that stays
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            for name, method in _methods(cls, frozen).items():
                if name not in own:
                    setattr(cls, name, method)
            return cls

        return decorated


def _methods(cls: type, frozen: bool) -> dict[str, Any]:
    """Those that `dataclasses` would compile, by their names."""
    names = [each.name for each in dataclasses.fields(cls) if each.compare]
    compared: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: Any) -> Any:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    methods = {"__init__": _Init(cls, frozen), "__repr__": _repr, "__eq__": equal, "__hash__": None}
    if frozen:
        methods |= {"__hash__": lambda self: hash(compared(self))}
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete, "__setstate__": _restore}
    return methods


class _Init:
    """Stands for the `__init__` of a class; when that is looked up, it is compiled and put in its place."""

    def __init__(self, cls: type, frozen: bool) -> None:
        self._cls, self._frozen = cls, frozen

    def __get__(self, instance: object, owner: type) -> Any:
        made = _compiled(self._cls, self._frozen)
        self._cls.__init__ = made  # type: ignore[misc]
        return made.__get__(instance, owner)


def _compiled(cls: type, frozen: bool) -> Any:
    """The `__init__` of the class: a parameter for each field that has one."""
    names: dict[str, Any] = {"SET": object.__setattr__, "NONE_GIVEN": object()}
    parameters, body = ["self"], ["pass"]
    for each in dataclasses.fields(cls):
        name = value = parameter = each.name
        if not each.init:
            continue
        if each.default is not dataclasses.MISSING:
            names[f"DEFAULT_{name}"] = each.default
            parameter = f"{name}=DEFAULT_{name}"
        elif each.default_factory is not dataclasses.MISSING:
            names[f"DEFAULT_{name}"] = each.default_factory
            parameter, value = f"{name}=NONE_GIVEN", f"DEFAULT_{name}() if {name} is NONE_GIVEN else {name}"
        parameters.append(parameter)
        body.append(f"SET(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    source = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body)
    exec(source, names)  # noqa: S102 - its only words are names of fields
    return names["__init__"]


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _restore(self: object, state: Any) -> None:
    """Set what `copy` and `pickle` took from another one."""
    for name, value in (state[1] if isinstance(state, tuple) else state).items():
        object.__setattr__(self, name, value)
