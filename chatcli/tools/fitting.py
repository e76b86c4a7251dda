"""Arguments of a call, as a model wrote them, checked against the tool's schema. What can only mean one thing is
converted ("5" for a number); anything else is told to the model, with the right form of the call.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chatcli.errors import BadData
from chatcli.reading.json_toml import read_json
from chatcli.text import escaped, shortened
from chatcli.tools.tool import Tool, ToolFailure

DEPTH = 20  # lists and objects inside each other
PARTS = 10_000  # values in all
CHARACTERS = 1_000_000  # of all texts and names together

# What a model is told that a value of that JSON type is.
_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("minimum", "at least", operator.ge),
    ("maximum", "at most", operator.le),
    ("exclusiveMinimum", "more than", operator.gt),
    ("exclusiveMaximum", "less than", operator.lt),
)
_LENGTHS = {
    "string": ("minLength", "maxLength", "characters"),
    "array": ("minItems", "maxItems", "entries"),
}


class _Misfit(Exception):
    """`where`: the way to the value, from the parameter on."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where} {what}")


def fitting(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as `tool.run` takes them. Raises ToolFailure."""
    try:
        _bounded(arguments)
        properties = tool.parameters.get("properties", {})
        if set(arguments) == {"arguments"} and "arguments" not in properties:
            raise _Misfit("the arguments", f"are {_shown(arguments['arguments'])}; an object is expected")
        # A model that has nothing to say of a parameter often says null.
        required = tool.parameters.get("required", ())
        said = {
            name: value
            for name, value in arguments.items()
            if value is not None or name in required or name not in properties
        }
        return _object(said, {"additionalProperties": False, **tool.parameters}, "")
    except _Misfit as misfit:
        raise ToolFailure(f"{tool.name} was not run: {misfit}. The right form: {form(tool)}.") from None


def form(tool: Tool) -> str:
    """read_file(path: string, first_line: integer = 1)"""
    required = tool.parameters.get("required", ())
    parts = []
    for name, schema in tool.parameters.get("properties", {}).items():
        default = (
            f" = {_shown(schema['default'])}" if "default" in schema else "" if name in required else " = null"
        )
        parts.append(f"{name}: {_written(schema)}{default}")
    return f"{tool.name}({', '.join(parts)})"


def _written(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(_shown, schema["enum"]))
    if "anyOf" in schema:
        return "|".join(map(_written, schema["anyOf"]))
    named = schema.get("type", "any")
    return named if isinstance(named, str) else "|".join(named)


def _bounded(arguments: Mapping[str, Any]) -> None:
    """Looked at without recursion: a model may nest as deep as it likes."""
    waiting: list[tuple[Any, int]] = [(arguments, 0)]
    parts = characters = 0
    while waiting:
        value, depth = waiting.pop()
        parts += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, Mapping | Sequence):
            inner = list(value.values()) if isinstance(value, Mapping) else value
            characters += sum(len(str(name)) for name in value) if isinstance(value, Mapping) else 0
            waiting += [(each, depth + 1) for each in inner]
        if depth > DEPTH:
            raise _Misfit("the arguments", f"are nested more than {DEPTH} deep")
        if parts + len(waiting) > PARTS or characters > CHARACTERS:
            raise _Misfit("the arguments", f"are too large ({PARTS:,} values, {CHARACTERS:,} characters at most)")


def _object(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> dict[str, Any]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        raise _Misfit(_under(where, missing[0]), "is missing")
    found = {}
    for name, given in value.items():
        place = _under(where, str(name))
        if name not in properties and others is False:
            near = _nearest(str(name), properties)
            raise _Misfit(_shown(place), f"is no parameter of it{near}")
        inner = properties.get(name, others)
        found[str(name)] = _value(given, inner if isinstance(inner, Mapping) else {}, place)
    return found


def _value(value: Any, schema: Mapping[str, Any], where: str) -> Any:
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return _first_that_fits(value, choices, where)
    named = schema.get("type", ())
    types = (named,) if isinstance(named, str) else tuple(named)
    found = value
    if types and not any(_is(value, each) for each in types):
        found = next((made for each in types for made in _converted(value, each)), _Misfit)
        if found is _Misfit:
            expected = " or ".join(_KINDS.get(each, each) for each in types)
            raise _Misfit(where, f"is {_shown(value)}; {expected} is expected")
    if "enum" in schema and not any(found == each and type(found) is type(each) for each in schema["enum"]):
        raise _Misfit(where, f"is {_shown(value)}; one of {', '.join(map(_shown, schema['enum']))} is expected")
    _within(found, schema, where)
    if isinstance(found, Mapping):
        return _object(found, schema, where)
    if isinstance(found, list):
        items = schema.get("items", {})
        items = items if isinstance(items, Mapping) else {}
        return [_value(each, items, f"{where}[{at}]") for at, each in enumerate(found)]
    return found


def _first_that_fits(value: Any, choices: Sequence[Mapping[str, Any]], where: str) -> Any:
    """What needs no conversion comes first: "5" stays a text where a text may stand."""
    as_it_is = [each for each in choices if isinstance(each.get("type"), str) and _is(value, each["type"])]
    misfit = _Misfit(where, "fits nothing that is expected")
    for choice in (*as_it_is, *choices):
        try:
            return _value(value, choice, where)
        except _Misfit as found:
            misfit = found
    raise misfit


def _is(value: Any, named: str) -> bool:
    if isinstance(value, bool):
        return named == "boolean"
    if isinstance(value, Mapping):
        return named == "object"
    if isinstance(value, list | tuple):
        return named == "array"
    found = _TYPES.get(type(value))
    return found == named or (found == "integer" and named == "number")


def _converted(value: Any, named: str) -> Iterator[Any]:
    """The value as one of that type, if it can only mean that."""
    if isinstance(value, str) and named not in {"string", "null"}:
        try:
            found = read_json(value.strip().lower() if named == "boolean" else value.strip(), exact=True)
        except BadData:
            return
        if _is(found, named):
            yield found
        elif named == "integer" and isinstance(found, float) and found.is_integer():
            yield int(found)
    elif isinstance(value, float) and named == "integer" and value.is_integer():
        yield int(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and named == "string":
        yield json.dumps(value)


def _within(value: Any, schema: Mapping[str, Any], where: str) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for key, words, holds in _BOUNDS:
            if key in schema and not holds(value, schema[key]):
                raise _Misfit(where, f"is {_shown(value)}; {words} {schema[key]} is expected")
    least, most, what = _LENGTHS.get("string" if isinstance(value, str) else "array", ("", "", ""))
    if isinstance(value, str | list) and not schema.get(least, 0) <= len(value) <= schema.get(most, CHARACTERS):
        raise _Misfit(
            where,
            f"has {len(value)} {what}; {schema.get(least, 0)} to {schema.get(most, CHARACTERS)} are expected",
        )


def _under(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _nearest(name: str, names: Mapping[str, Any]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(value: Any) -> str:
    """In a sentence: a few words of it, and nothing that a terminal would obey."""
    return shortened(escaped(json.dumps(value, ensure_ascii=False, default=str)), 60)
