"""Jupyter notebooks as text: the cells and their output, without the images that make such files large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatcli.errors import BadData, BadFile
from chatcli.reading.json_toml import TooDeep, read_json
from chatcli.reading.raw import too_deep


def is_notebook(text: str) -> bool:
    return text.lstrip()[:1] == "{" and '"nbformat"' in text and '"cells"' in text


def text_of_notebook(text: str, name: str) -> str:
    try:
        notebook = read_json(text)
    except TooDeep:
        raise too_deep(name) from None
    except BadData:
        return text  # JSON that only looks like one
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return text
    told = "\n\n".join(part for cell in cells if isinstance(cell, dict) for part in _cell(cell) if part.strip())
    if not told:
        raise BadFile(f"{name} is a notebook without text.")
    return told + "\n"


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = _lines(cell.get("source"))
    if cell.get("cell_type") != "code":
        yield source
        return
    if source.strip():
        yield f"```\n{source}\n```"
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        printed = _printed(output) if isinstance(output, dict) else ""
        if printed.strip():
            yield f"Output:\n```\n{printed.rstrip()}\n```"


def _printed(output: dict[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data")
    return _lines(output.get("text")) or _lines(data.get("text/plain") if isinstance(data, dict) else None)


def _lines(value: Any) -> str:
    """Notebooks store a text as a string or as a list of its lines."""
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return value if isinstance(value, str) else ""
