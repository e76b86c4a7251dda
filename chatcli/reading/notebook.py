"""Jupyter notebooks as text: the cells and their output, without the images that make such files large."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from chatcli.errors import BadData, BadFile
from chatcli.reading.html import text_of_html
from chatcli.reading.json_toml import TooDeep, read_json
from chatcli.reading.raw import Extracted, left_out, too_deep
from chatcli.reading.terminal_codes import as_shown

_NO_TEXT = re.compile(r"\s*(<[\w.]+ object( at 0x\w+)?>\s*)?")  # what Python prints of a thing that is drawn
# What format 3 calls the forms of an output, beside its text.
_FORMAT_3 = {
    "html": "text/html",
    "latex": "text/latex",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "svg": "image/svg",
}


def is_notebook(text: str) -> bool:
    return text.lstrip()[:1] == "{" and '"nbformat"' in text and '"cells"' in text


def text_of_notebook(text: str, name: str) -> Extracted:
    """The cells, each with what it printed in its best form; pictures are counted as lost. JSON that only looks
    like a notebook stays as it is. Raises BadFile when it has no text, or is nested too deep.
    """
    try:
        notebook = read_json(text)
    except TooDeep:
        raise too_deep(name) from None
    except BadData:
        return Extracted(text)  # JSON that only looks like one
    cells = _cells(notebook)
    if not isinstance(cells, list):
        return Extracted(text)
    lost: Counter[str] = Counter()
    parts = (part for cell in cells if isinstance(cell, dict) for part in _cell(cell, lost))
    told = "\n\n".join(part for part in parts if part.strip())
    if not told:
        raise BadFile(f"{name} is a notebook without text.")
    return Extracted(told + "\n", left_out(name, lost))


def _cells(notebook: Any) -> Any:
    """The cells; format 3 has them in worksheets."""
    sheets = notebook.get("worksheets") if isinstance(notebook, dict) else None
    if not isinstance(sheets, list):
        return notebook.get("cells") if isinstance(notebook, dict) else None
    found = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in found if isinstance(cells, list) for cell in cells]


def _cell(cell: dict[str, Any], lost: Counter[str]) -> Iterator[str]:
    attached = cell.get("attachments")
    lost["picture|"] += len(attached) if isinstance(attached, dict) else 0
    source = _lines(cell.get("source") or cell.get("input"))
    if cell.get("cell_type") != "code":
        yield source
        return
    if source.strip():
        yield f"```\n{source}\n```"
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        printed = _printed(output, lost) if isinstance(output, dict) else ""
        if printed.strip():
            yield f"Output:\n```\n{printed.rstrip()}\n```"


def _printed(output: dict[str, Any], lost: Counter[str]) -> str:
    """What the output says: as plain text, or where that only names a thing, in the form that says most."""
    if output.get("output_type") in {"error", "pyerr"}:
        return as_shown(f"{output.get('ename', '')}: {output.get('evalue', '')}")
    given = output.get("data")
    data = given if isinstance(given, dict) else {_FORMAT_3.get(kind, kind): each for kind, each in output.items()}
    lost["picture|"] += any(str(kind).startswith("image/") for kind in data)
    plain = as_shown(_lines(output.get("text")) or _lines(data.get("text/plain")))
    if not _NO_TEXT.fullmatch(plain):
        return plain
    said = (_lines(data.get("text/markdown")), _lines(data.get("text/latex")), _lines(data.get("text/html")))
    return said[0] or said[1] or (text_of_html(said[2]) if said[2] else plain)


def _lines(value: Any) -> str:
    """Notebooks store a text as a string or as a list of its lines."""
    if isinstance(value, list):
        return "".join(each for each in value if isinstance(each, str))
    return value if isinstance(value, str) else ""
