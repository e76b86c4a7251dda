"""The walls of the house: which package may import which. Read from the sources, so late imports count, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from chatcli.settings.strategies import STRATEGIES

ROOT = Path(__file__).parent.parent / "chatcli"

LAYERS: list[set[str]] = [
    {"dataclass", "pattern"},
    {"addresses", "hints"},
    {"errors"},
    {"paths", "text", "suspension"},
    {"reading"},
    {"conversation", "settings"},
    {"attachments"},
    {"prompt", "tokens", "context", "client", "render", "store", "tools"},
    {"session"},
    {"turn"},
    {"commands"},
    {"repl"},
    {"cli", "chat"},
    {"__main__"},
]
FENCED: dict[str, set[str]] = {
    "ollama": {"client"},
    "httpx": {"client"},
    "prompt_toolkit": {"prompt"},
    "rich": {"render"},
    "markdown_it": {"render"},
    "pygments": {"render"},
    "sqlite3": {"store", "prompt/history.py"},
    "tiktoken": {"tokens"},
    "typer": {"cli"},
    "pypdf": {"reading/pdf.py"},
    "fontTools": {"reading/pdf.py"},
    "mammoth": {"reading/docx.py"},
    "jsonschema": {"session/reply_format.py"},
    "referencing": {"session/reply_format.py"},
    "yaml": {"store/aichat.py"},
}
OF_STRATEGIES = re.compile("strateg", re.IGNORECASE)
OWNER_OF_STATE = ROOT / "session/session.py"
LONGEST_FUNCTION = 50  # lines
POSIX_ONLY = {"termios", "tty", "pty", "fcntl", "resource", "pwd", "grp", "readline", "curses"}

MODULES = sorted(ROOT.rglob("*.py"))
NAMES = {".".join(("chatcli", *path.relative_to(ROOT).with_suffix("").parts)): path for path in MODULES}


def of_every_module(check: Callable[[Path], None]) -> Callable[[str], None]:
    """One test for each room: a test for each module would cost more than what it checks."""
    rooms = sorted({path.relative_to(ROOT).parts[0] for path in MODULES})

    @pytest.mark.parametrize("room", rooms)
    def test(room: str) -> None:
        for path in MODULES:
            if path.relative_to(ROOT).parts[0] == room:
                check(path)

    return test


def _room(name: str) -> str:
    """`chatcli.render.screen` -> `render`; `chatcli` itself -> ""."""
    return name.partition(".")[2].partition(".")[0]


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(path: Path) -> list[tuple[str, bool]]:
    """Names of modules imported anywhere in the file, and whether at module level."""
    tree = _parsed(path)
    top = {id(node) for node in tree.body}
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "chatcli":
                found += [(f"chatcli.{alias.name}", id(node) in top) for alias in node.names]
            else:
                names = (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
                found += [(name, id(node) in top) for name in names if name == node.module or name in NAMES]
    return found


def compiles_patterns(module: str) -> bool:
    """Whether a module of chatcli compiles regular expressions while it is imported."""
    nodes: list[ast.AST] = [_parsed(NAMES[module])] if module in NAMES else []
    for node in nodes:
        if not isinstance(node, ast.FunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)
    return any(ast.unparse(node) == "re.compile" for node in nodes if isinstance(node, ast.Attribute))


def _layer(room: str) -> int:
    return next(index for index, layer in enumerate(LAYERS) if room in layer)


@of_every_module
def test_a_module_imports_only_from_earlier_layers_or_its_own_room(path: Path) -> None:
    here = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name, _ in _imports(path):
        room = _room(name) if name.split(".")[0] == "chatcli" else ""
        if room in {"", here} or (not (ROOT / room).is_dir() and not (ROOT / f"{room}.py").exists()):
            continue
        if here == "demo":
            # Its tour names the strategies, and they are named once.
            assert (
                room in {"dataclass", "errors", "paths", "pattern", "text"}
                or name == "chatcli.settings.strategies"
            ), f"{path} imports {name}"
        elif here == "__init__":
            continue
        else:
            assert room != "demo", f"{path} imports {name}: the demo engine is a process of its own"
            assert _layer(room) < _layer(here), f"{path} imports {name}"


@of_every_module
def test_third_parties_stay_behind_their_fence(path: Path) -> None:
    inside = path.relative_to(ROOT)
    for name, _ in _imports(path):
        allowed = FENCED.get(name.split(".")[0])
        if allowed is not None:
            assert {inside.parts[0], inside.as_posix()} & allowed, f"{path} imports {name}"


@of_every_module
def test_nothing_that_only_posix_has_is_imported_at_module_level(path: Path) -> None:
    early = [name for name, at_top in _imports(path) if at_top]
    assert not [name for name in early if name.split(".")[0] in POSIX_ONLY], path


@of_every_module
def test_nothing_compares_the_name_of_a_strategy(path: Path) -> None:
    names = {strategy.name for strategy in STRATEGIES}
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.Compare) and OF_STRATEGIES.search(ast.unparse(node)):
            texts = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
            assert not texts & names, f"{path}, line {node.lineno}: give the row a flag for it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """The background imports beside the prompt: in a circle, one of them could get a module that is half made."""
    graph = {
        name: {each for each, at_top in _imports(path) if at_top and each in NAMES} for name, path in NAMES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_room_is_called_utils() -> None:
    forbidden = {"utils", "util", "helpers", "helper", "manager", "base", "misc", "common"}
    assert not [path for path in MODULES if path.stem in forbidden]


@of_every_module
def test_every_module_says_what_it_owns(path: Path) -> None:
    assert ast.get_docstring(_parsed(path)), f"{path} has no docstring"


@of_every_module
def test_a_function_can_be_seen_at_a_glance(path: Path) -> None:
    functions = [each for each in ast.walk(_parsed(path)) if isinstance(each, ast.FunctionDef)]
    long = [each.name for each in functions if (each.end_lineno or 0) - each.lineno >= LONGEST_FUNCTION]
    assert not long, f"{path}: {', '.join(long)} has {LONGEST_FUNCTION} lines or more"


def _sessions(tree: ast.Module) -> set[str]:
    """The names that hold a session in that module: annotated as one, made by build(), or given one of these."""
    names: set[str] = set()
    for node in (*ast.walk(tree), *ast.walk(tree)):  # again, for what is given a name that is found later
        match node:
            case ast.arg(arg=name, annotation=ast.Name(id="Session")):
                names.add(name)
            case ast.Assign(targets=targets, value=ast.Call(func=ast.Name(id="build" | "Session"))):
                names.update(map(_last_name, targets))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=False)
                names.update(_last_name(target) for target, value in pairs if _last_name(value) in names)
            case ast.Assign(targets=targets, value=value) if _last_name(value) in names:
                names.update(map(_last_name, targets))
    return names


def _last_name(node: ast.expr) -> str:
    """`self._session` -> `_session`; "" for what has no name."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _assigned(tree: ast.Module, owners: set[str]) -> list[str]:
    """The attributes of one of the owners, or of its parts, that are assigned, rebound or deleted there."""
    return [
        f"{ast.unparse(node)}, line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and any(_last_name(each) in owners for each in ast.walk(node.value) if isinstance(each, ast.expr))
    ]


def test_nobody_but_the_session_assigns_its_attributes_or_those_of_its_parts() -> None:
    paths = [path for path in MODULES if path != OWNER_OF_STATE]
    sessions = {path: _sessions(_parsed(path)) for path in paths}
    assert set().union(*sessions.values()) >= {"session", "_session", "_opened"}
    assert not [f"{path}: {each}" for path in paths for each in _assigned(_parsed(path), sessions[path])]


def test_every_way_to_assign_to_a_session_is_found() -> None:
    ways = ["{}.plan = 1", "{}.plan, x = 1, 2", "{}.pending += x", "del {}.plan", "{}.plan: int = 1",
            "{}.conversation.title = x", "for {}.plan in x: pass", "with x as {}.plan: pass"]  # fmt: skip
    setup = "def f(session: Session):\n    self._own = session\n    made = build(wishes)\n"
    for name in ("session", "self._own", "made"):
        for way in ways:
            tree = ast.parse(f"{setup}    {way.format(name)}")
            assert len(_assigned(tree, _sessions(tree))) == 1, way.format(name)
