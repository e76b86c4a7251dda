"""Generates the tables of docs/reference.md from the program's own: the registry, flags, keys, settings,
strategies, errors and paths; and the list of modules in docs/architecture.md from their docstrings.

`python -m tests.readme` writes them; tests/test_readme.py checks that they are current.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from chatcli import errors
from chatcli.cli.flags import parser
from chatcli.commands import everything
from chatcli.commands.registry import Command
from chatcli.paths import Paths
from chatcli.prompt.keys import shortcuts
from chatcli.settings.setting import UNSET, Setting
from chatcli.settings.strategies import STRATEGIES
from chatcli.settings.table import by_group
from chatcli.tools.fitting import form
from chatcli.tools.table import builtins

Row = TypeVar("Row")
ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
LIBRARY = ROOT / "docs" / "library.md"
EXIT_CODES = {
    0: "all is well",
    1: "an error, or a reply without any text",
    2: "wrong usage",
    3: "the message is too long for the context window",
    4: "the model is not there",
    5: "the server is not there",
    130: "interrupted",
}


def tables() -> dict[str, str]:
    subcommands = [(f"`{' '.join(words)}`", each.summary) for words, each in everything().subcommands.items()]
    return {
        "commands": _by_group(("command", "what it does", "also"), everything().groups, _command),
        "subcommands": table(("`chatcli` ...", "what it does"), subcommands),
        "flags": table(("flag", "what it does"), _flags()),
        "keys": table(("key", "what it does"), shortcuts()),
        "strategies": table(("strategy", "what is sent"), [(f"`{each.name}`", each.help) for each in STRATEGIES]),
        "settings": _by_group(("setting", "meaning", "default", "expects", "also"), by_group(), _setting),
        "exit codes": table(("exit code", "meaning", "kinds of error"), _exit_codes()),
        "tools": table(("tool", "what it does", "reach", "offered"), _tools()),
        "files": table(("directory", "name", "what it holds"), _files()),
    }


def _by_group(
    columns: tuple[str, ...], groups: Mapping[str, list[Row]], row: Callable[[Row], tuple[str, ...]]
) -> str:
    """The groups of /help, each with a table."""
    return "\n\n".join(f"**{group}**\n\n{table(columns, map(row, rows))}" for group, rows in groups.items())


def _tools() -> Iterator[tuple[str, ...]]:
    for name, each in builtins().items():
        yield f"`{form(each.tool)}`", each.tool.description, each.tool.reach, f"`{name}`" if each.named else "`on`"


def _command(each: Command) -> tuple[str, ...]:
    return f"`{each.usage}`", each.summary, ", ".join(f"`/{alias}`" for alias in each.aliases)


def _setting(each: Setting[Any]) -> tuple[str, ...]:
    default = each.kind.write(each.default)
    return (
        f"`{each.name}`{' •' if each.kept else ''}",
        each.help,
        f"`{default}`" if default else UNSET,
        each.kind.expects,
        ", ".join(f"`{alias}`" for alias in each.aliases),
    )


def _flags() -> Iterator[tuple[str, str]]:
    """What `chatcli --help` lists, and the flags of all settings in one row."""
    command, _, _ = parser([], lambda *_: 0)
    with command.make_context("chatcli", []) as context:
        for each in command.get_params(context):
            if record := each.get_help_record(context):
                yield f"`{record[0]}`", record[1]
    yield (
        "`--SETTING VALUE`",
        "Any [setting](#settings): `--num-ctx 8k`. `--no-SETTING` turns one off that is on or off.",
    )


def _exit_codes() -> Iterator[tuple[str, str, str]]:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")]
    for code in sorted({0, *(each.exit_code for each in kinds)}):
        yield (
            str(code),
            EXIT_CODES[code],
            ", ".join(f"`{each.__name__}`" for each in kinds if each.exit_code == code),
        )


def _files() -> Iterator[tuple[str, str, str]]:
    """The properties of Paths, each with the first sentence of its docstring."""
    named = {"configuration": Path("config"), "data": Path("data"), "cache": Path("cache")}
    paths = Paths(*named.values())
    for name, each in vars(Paths).items():
        if isinstance(each, property):
            path = getattr(paths, name)
            folder = next(word for word, root in named.items() if root in path.parents)
            yield folder, f"`{path.relative_to(named[folder])}`", (each.__doc__ or "").strip()


def modules() -> str:
    """Every package with its modules, each with the first sentence of its docstring."""
    top = sorted((ROOT / "chatcli").glob("[a-z]*.py"))
    rooms = [folder for folder in sorted((ROOT / "chatcli").iterdir()) if (folder / "__init__.py").exists()]
    parts = [table(("at the top", "what it holds"), map(_module, top))]
    for room in rooms:
        parts.append(f"**`{room.name}/`** {_docstring(room / '__init__.py')}")
        parts.append(table(("module", "what it holds"), map(_module, sorted(room.glob("[a-z]*.py")))))
    return "\n\n".join(parts)


def _module(path: Path) -> tuple[str, str]:
    first = re.split(r"(?<=\.)\s(?=[A-Z])|\n\n", _docstring(path))[0]
    return f"`{path.name}`", " ".join(first.split())


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [
        columns,
        tuple("---" for _ in columns),
        *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_tables(text: str, made_of: dict[str, str]) -> str:
    for name, made in made_of.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{made}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    for file, made_of in ((REFERENCE, tables()), (ARCHITECTURE, {"modules": modules()})):
        file.write_text(with_tables(file.read_text(encoding="utf-8"), made_of), encoding="utf-8")
