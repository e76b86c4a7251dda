"""The README's reference tables, made from the registry, the key table and the settings table.

`python -m tests.readme` writes them; tests/test_readme.py holds them to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from chatcli.commands import everything
from chatcli.prompt.keys import shortcuts
from chatcli.settings.table import TABLE

README = Path(__file__).parent.parent / "README.md"


def tables() -> dict[str, str]:
    commands = [
        (f"`{each.usage}`", each.summary, ", ".join(f"`/{alias}`" for alias in each.aliases))
        for each in everything().commands
    ]
    subcommands = [(f"`{' '.join(words)}`", each.summary) for words, each in everything().subcommands.items()]
    settings = [
        (
            f"`{each.name}`{' •' if each.kept else ''}",
            each.help,
            f"`{each.kind.write(each.default)}`" if each.kind.write(each.default) else "unset",
            each.kind.expects,
            ", ".join(f"`{alias}`" for alias in each.aliases),
        )
        for each in TABLE
    ]
    return {
        "commands": table(("command", "what it does", "also"), commands),
        "subcommands": table(("`chatcli` ...", "what it does"), subcommands),
        "keys": table(("key", "what it does"), shortcuts()),
        "settings": table(("setting", "meaning", "default", "expects", "also"), settings),
    }


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [
        columns,
        tuple("---" for _ in columns),
        *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_tables(text: str) -> str:
    for name, made in tables().items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{made}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
