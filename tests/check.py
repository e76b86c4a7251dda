"""The developer's loop: format, lint, types, walls, and the tests of what changed, in under a minute.

    python -m tests.check [--base REV] [--fix]

What changed is the difference to REV (by default HEAD), including files that git does not track yet. A changed
module is tested by the test files named after it or its package (tests/test_<package>_<module>.py), and by those
that import it. If more than MOST import it, they are only counted, and left to .ci/run, which runs everything.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
ALWAYS = ("tests/test_layers.py", "tests/test_readme.py")
# Nothing that Windows lacks is used unguarded: guards ask sys.platform, which mypy knows. Its types have a cache
# of their own: in a common one each of the two runs would discard what the other has kept.
WINDOWS = (
    *("--platform", "win32", "--no-warn-unreachable", "--cache-dir", ".mypy_cache/windows"),
    *("--package", "chatcli"),
)
MOST = 6  # test files that are run because they import one changed module


def changed(base: str) -> list[Path]:
    """Python files that differ from `base` and still exist, relative to ROOT."""
    listed = _git("diff", "--name-only", base) + _git("ls-files", "--others", "--exclude-standard")
    return sorted({Path(name) for name in listed if name.endswith(".py") and (ROOT / name).exists()})


def tests_of(paths: Iterable[Path]) -> tuple[list[str], int]:
    """The test files to run for these files, and how many more import one of them."""
    tests = sorted(ROOT.glob("tests/test_*.py"))
    imported = {test: _imports(test) for test in tests}
    chosen = {ROOT / name for name in ALWAYS}
    left: set[Path] = set()
    for path in paths:
        if path.parts[0] == "tests":
            chosen.update(test for test in tests if test == ROOT / path)
        if path.parts[0] in {"chatcli", "tests"}:
            chosen.update(test for test in tests if _is_named_after(test, path))
            users = {test for test in tests if ".".join(path.with_suffix("").parts) in imported[test]}
            (chosen if len(users) <= MOST else left).update(users)
    return sorted(str(path.relative_to(ROOT)) for path in chosen), len(left - chosen)


def _is_named_after(test: Path, path: Path) -> bool:
    """Whether `test` is test_<package>_<module>.py for a module, or test_<package>.py."""
    *packages, stem = path.with_suffix("").parts[1:]
    name = test.stem.removeprefix("test_")
    return name in {"_".join((*packages, stem)), "_".join(packages) or stem}


def _imports(path: Path) -> set[str]:
    """Every dotted name that the file imports, whether it is a module or something in one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _git(*arguments: str) -> list[str]:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout.splitlines()


def _run(name: str, command: Sequence[str]) -> bool:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False)
    print(f"== {name}: {'ok' if done.returncode == 0 else 'failed'}, {time.monotonic() - began:.1f} s", flush=True)
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HEAD", help="what counts as changed is all since this revision")
    parser.add_argument("--fix", action="store_true", help="format, and mend what ruff can, first")
    given = parser.parse_args(arguments)
    tests, left = tests_of(changed(given.base))
    format_ = ["ruff", "format", "--quiet", "."] if given.fix else ["ruff", "format", "--check", "--quiet", "."]
    lint = ["ruff", "check", "--quiet", *(["--fix"] if given.fix else []), "."]
    good = [
        _run("format", format_),
        _run("lint", lint),
        _run("types", ["mypy"]),
        _run("types on Windows", ["mypy", *WINDOWS]),
        _run(f"tests ({len(tests)} files)", ["pytest", "-q", *tests]),
    ]
    if left:
        print(f"{left} more test files import what changed: .ci/run runs them.")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
