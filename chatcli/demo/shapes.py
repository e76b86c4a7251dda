"""JSON for a request that asks for a format: the smallest value that fits the schema, with the reply in it."""

from __future__ import annotations

from typing import Any

from chatcli.demo.protocol import Refusal


def read_format(value: object) -> dict[str, Any] | None:
    """The "format" of a body as a JSON Schema, None where none is asked for; Refusal (500) when it is neither."""
    if value is None or value == "":
        return None
    if value == "json":
        return {"type": "object", "properties": {"reply": {"type": "string"}}}
    if not isinstance(value, dict):
        raise Refusal(500, f'invalid format: "{value}"; expected "json" or a valid JSON Schema object')
    return value


def shaped(schema: dict[str, Any], words: str) -> Any:
    """`words` stand where the schema asks for a string."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return shaped(schema[several][0], words)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: shaped(inner, words) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [shaped(schema.get("items", {}), words)] * max(1, schema.get("minItems", 1))
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, words) if isinstance(kind, str) else words
