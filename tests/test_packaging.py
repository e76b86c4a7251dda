"""What is published: a wheel with the program, an sdist with all that makes and tests it; both reproducible."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Set
from pathlib import Path

import pytest

import chatcli

ROOT = Path(__file__).parent.parent
NAME = f"chatcli-{chatcli.__version__}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders, each with a wheel and an sdist made at the same pretended time."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    there = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    for folder in folders:
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
            cwd=ROOT,
            env=there,
            check=True,
            capture_output=True,
        )
    return folders


def kept(folder: str) -> Set[str]:
    """The files of a folder that git would keep."""
    files = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file())
    return {name for name in files if "__pycache__" not in name and not name.endswith(".pyc")}


def test_the_wheel_has_the_program_and_nothing_else(built: list[Path]) -> None:
    with zipfile.ZipFile(built[0] / f"{NAME}-py3-none-any.whl") as wheel:
        names = {name for name in wheel.namelist() if not name.startswith(f"{NAME}.dist-info/")}
        about = wheel.read(f"{NAME}.dist-info/METADATA").decode()
        assert f"{NAME}.dist-info/licenses/LICENSE" in wheel.namelist()
    assert names == kept("chatcli")
    assert f"Version: {chatcli.__version__}" in about


def test_the_sdist_has_all_that_the_program_is_made_and_tested_from(built: list[Path]) -> None:
    with tarfile.open(built[0] / f"{NAME}.tar.gz") as sdist:
        names = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    wanted = kept("chatcli") | kept("docs") | kept("tests") | {"README.md", "LICENSE", "pyproject.toml"}
    assert names - {"PKG-INFO", ".gitignore"} == wanted


@pytest.mark.parametrize("ending", ["*.whl", "*.tar.gz"])
def test_built_twice_it_is_the_same_byte_for_byte(built: list[Path], ending: str) -> None:
    one, two = (next(folder.glob(ending)).read_bytes() for folder in built)
    assert one == two


def test_the_version_stands_in_the_changelog() -> None:
    changelog = (ROOT / "docs" / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(chatcli.__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
