"""JSON for a request that asks for a format: the smallest value that fits the schema, with the reply in it."""

from __future__ import annotations

from typing import Any

from chatcli.demo.protocol import Refusal


def shaped(wanted: object, words: str) -> Any:
    """`wanted` is "json" or a JSON Schema; `words` stand where the schema asks for a string."""
    if wanted == "json":
        return {"reply": words}
    if not isinstance(wanted, dict):
        raise Refusal(500, f'invalid format: "{wanted}"; expected "json" or a valid JSON Schema object')
    return _example(wanted, words)


def _example(schema: dict[str, Any], words: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for several in ("anyOf", "oneOf"):
        if schema.get(several):
            return _example(schema[several][0], words)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: _example(inner, words) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema.get("items", {}), words)] * max(1, schema.get("minItems", 1))
    plain: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
    return plain.get(kind, words) if isinstance(kind, str) else words
