"""A tool made of a function: name, description and JSON Schema come from its signature and its docstring.

    def weather(city: Annotated[str, "Name of the city"], days: int = 1) -> str:
        \"""The weather in a city.\"""

A parameter is described by a text in Annotated, or by the docstring (`Args:` with a line for each, or `:param
city:`). Bounds are a mapping of schema keys in Annotated ({"minimum": 1}), or what annotated_types has (ge, le). A
parameter annotated Workplace is given it, and is not in the schema.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import operator
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence, Set
from enum import Enum
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from chatcli.reading.terminal_codes import as_shown
from chatcli.tools.tool import Reach, Scope, Tool, ToolFailure, Workplace

ScopeOf = Callable[[Mapping[str, Any], Workplace], Scope]

LARGEST_RESULT = 2_000_000  # characters; of a longer one the middle is left out
# As much of a line as has a sign after it; it ends at a blank where one is near.
_LONG_LINE = re.compile(r"(?:[^\n]{1500,2000}(?<=\s)|[^\n]{2000})(?=[^\n])")
DEPTH = 8  # kinds inside each other
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_PLAIN: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_BOUNDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
}
_SECTION = re.compile(r"(?:Args|Arguments|Parameters|Params):\s*")
_OF_A_PARAMETER = re.compile(r":param\s+(?:[^:]*\s)?\*{0,2}(\w+):\s*(.*)|\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)")


def tool_of(function: Callable[..., Any], reach: Reach, scope: ScopeOf | None = None, name: str = "") -> Tool:
    """Raises TypeError for a function that no model could call. Without a `scope`, leave is for the call as it is,
    arguments and all.
    """
    named = name or getattr(function, "__name__", "")
    if not NAME.fullmatch(named):
        raise TypeError(f"{named or function!r} is no name for a tool: it has letters, digits, _ and - only")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{named} is async: a tool is called as a plain function")
    summary, told = _described(inspect.getdoc(function) or "")
    annotations = _annotations(function, named)
    properties: dict[str, Any] = {}
    required, places, anything = list[str](), list[str](), False
    for parameter in inspect.signature(function).parameters.values():
        annotation = annotations.get(parameter.name, Any)
        if annotation is Workplace:
            places.append(parameter.name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            anything = True
        elif parameter.kind in {parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY}:
            raise TypeError(f"{named} has a parameter without a name of its own: {parameter}")
        else:
            properties[parameter.name] = _of_parameter(annotation, parameter, told)
            required += [parameter.name] * (parameter.default is parameter.empty)

    def run(arguments: Mapping[str, Any], workplace: Workplace) -> Any:
        given = {key: _in_python(annotations.get(key, Any), value) for key, value in arguments.items()}
        return _called(function, named, {**given, **dict.fromkeys(places, workplace)})

    parameters: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    if anything:
        parameters["additionalProperties"] = True
    scope_of = scope or (_whole_call if reach is not Reach.PURE else _no_scope)
    return Tool(named, summary, parameters, reach, run, scope_of)


def _called(function: Callable[..., Any], name: str, given: Mapping[str, Any]) -> Any:
    try:
        return function(**given)
    except ToolFailure:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:500]
        raise ToolFailure(f"{name} failed ({as_shown(said)}).") from error


def text_of(result: Any) -> str:
    """A result as the model is given it: what is no text as JSON, without what a terminal would obey. Lines that
    are very long are broken: a result is cut and read on by its lines.
    """
    if result is None:
        return "Done."
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
    if len(text) > LARGEST_RESULT:
        half, left = LARGEST_RESULT // 2, len(text) - LARGEST_RESULT
        text = f"{text[:half]}\n[{left:,} characters are left out here]\n{text[-half:]}"
    return _LONG_LINE.sub(r"\g<0>\n", as_shown(text))


def lines_of(text: str) -> list[str]:
    """As they are counted where a result is cut."""
    return text.removesuffix("\n").split("\n")


def _whole_call(arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope(json.dumps(arguments, ensure_ascii=False, sort_keys=True, default=str))


def _no_scope(_arguments: Mapping[str, Any], _workplace: Workplace) -> Scope:
    return Scope()


def _annotations(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        called = function if inspect.isroutine(function) else type(function).__call__
        return typing.get_type_hints(called, include_extras=True)
    except NameError as error:
        raise TypeError(f"An annotation of {name} cannot be read: {error}") from None


def _of_parameter(annotation: Any, parameter: inspect.Parameter, told: Mapping[str, str]) -> dict[str, Any]:
    optional = parameter.default is None
    schema = _schema(_without_none(annotation) if optional else annotation)
    if "description" not in schema and parameter.name in told:
        schema["description"] = told[parameter.name]
    if parameter.default is not parameter.empty and not optional:
        schema["default"] = _in_json(parameter.default)
    return schema


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        return Annotated[(_without_none(inner), *notes)]
    if get_origin(annotation) in {Union, types.UnionType}:
        return reduce(operator.or_, [each for each in get_args(annotation) if each is not type(None)])
    return annotation


def _schema(annotation: Any, depth: int = 0) -> dict[str, Any]:
    """Of an annotation that JSON has no form for, anything fits."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if depth > DEPTH:
        return {}

    def nested(kind: Any) -> dict[str, Any]:
        return _schema(kind, depth + 1)

    if origin is Annotated:
        return _annotated(nested(inner[0]), inner[1:])
    if origin is Literal:
        return _enum(inner)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [nested(each) for each in inner]}
    kind = origin or annotation
    return _of_class(kind, inner, nested) if isinstance(kind, type) else {}


def _of_class(kind: type, inner: Sequence[Any], nested: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if issubclass(kind, Enum):
        return _enum([member.value for member in kind])
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        return _object(kind, nested)
    if issubclass(kind, Mapping):
        return {"type": "object", **({"additionalProperties": nested(inner[1])} if len(inner) == 2 else {})}
    if issubclass(kind, Sequence | Set):
        return {"type": "array", **({"items": nested(inner[0])} if inner else {})}
    return {}


def _enum(values: Sequence[Any]) -> dict[str, Any]:
    found = {_PLAIN.get(type(value), "") for value in values}
    return {**({"type": found.pop()} if len(found) == 1 and found != {""} else {}), "enum": list(values)}


def _object(kind: type, nested: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    properties = {name: nested(hint) for name, hint in hints.items()}
    if dataclasses.is_dataclass(kind):
        needed = [
            each.name
            for each in dataclasses.fields(kind)
            if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
        ]
    else:
        needed = [name for name in hints if name in getattr(kind, "__required_keys__", ())]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _annotated(schema: dict[str, Any], notes: Sequence[Any]) -> dict[str, Any]:
    for note in notes:
        if isinstance(note, str):
            schema["description"] = note
        elif isinstance(note, Mapping):
            schema.update(note)
        else:
            schema.update({key: getattr(note, name) for name, key in _BOUNDS.items() if _bound(note, name)})
    return schema


def _bound(note: Any, name: str) -> bool:
    return isinstance(getattr(note, name, None), int | float)


def _described(docstring: str) -> tuple[str, dict[str, str]]:
    """The first paragraph in one line, and what is said of the parameters."""
    first, _, rest = docstring.strip().partition("\n\n")
    lines = first.splitlines()
    at = next((at for at, line in enumerate(lines) if _begins(line)), len(lines))
    told: dict[str, str] = {}
    name, inside = "", False
    for line in [*lines[at:], *rest.splitlines()]:
        if _SECTION.fullmatch(line.strip()):
            name, inside = "", True
            continue
        found = _OF_A_PARAMETER.fullmatch(line.strip())
        if found and (found[1] or (inside and line[:1].isspace())):
            name = found[1] or found[3]
            told[name] = (found[2] or found[4] or "").strip()
        elif name and line[:1].isspace() and line.strip():
            told[name] = f"{told[name]} {line.strip()}".strip()
        elif line.strip():
            name, inside = "", False
    return " ".join(" ".join(lines[:at]).split()), told


def _begins(line: str) -> bool:
    return bool(_SECTION.fullmatch(line.strip())) or line.strip().startswith(":param")


def _in_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return list(value) if isinstance(value, tuple | Set) else value


def _in_python(annotation: Any, value: Any) -> Any:
    """A value of JSON as the annotation wants it: a member of an enum, a dataclass, a tuple or a set."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _in_python(inner[0], value)
    if origin in {Union, types.UnionType}:
        others = [each for each in inner if each is not type(None)]
        fits = value is None or any(isinstance(each, type) and isinstance(value, each) for each in others)
        return value if fits else _in_python(others[0], value)
    kind = origin or annotation
    if isinstance(value, list | Mapping):
        return _filled(kind, inner, value)
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value


def _filled(kind: Any, inner: Sequence[Any], value: list[Any] | Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        made = [_in_python(inner[0] if inner else Any, each) for each in value]
        return kind(made) if kind in {tuple, set, frozenset} else made
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(**{name: _in_python(hints[name], each) for name, each in value.items()})
    return {name: _in_python(inner[1] if len(inner) == 2 else Any, each) for name, each in value.items()}
