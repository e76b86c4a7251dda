"""read_file and list_files: what is below the folder, and nothing else, however it is spelled."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chatcli.tools import files, folder
from chatcli.tools.files import LISTED, list_files, read_file
from chatcli.tools.fitting import fitting
from chatcli.tools.folder import is_secret
from chatcli.tools.schema import text_of
from chatcli.tools.table import Builtin
from chatcli.tools.tool import Scope, ToolFailure, Workplace
from tests.papers import pdf

needs_posix = pytest.mark.skipif(os.name != "posix", reason="has other kinds of files")


@pytest.fixture
def here(tmp_path: Path) -> Workplace:
    """A folder with a few files, beside one with a secret in it."""
    root = tmp_path / "project"
    for name, text in {
        "notes.txt": "one\ntwo\nthree\n",
        "src/main.py": "print()\n",
        "src/deep/er.py": "pass\n",
        ".env": "KEY=hidden\n",
        ".git/config": "[core]\n",
        "node_modules/left/pad.js": "x\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "diary.txt").write_text("confidential\n")
    return Workplace(root.resolve())


def ran(tool: Builtin, workplace: Workplace, **arguments: Any) -> str:
    fitted = fitting(tool.tool, arguments)
    tool.tool.scope(fitted, workplace)
    return text_of(tool.tool.run(fitted, workplace))


def refused(tool: Builtin, workplace: Workplace, arguments: Mapping[str, Any]) -> str:
    """By scope, so that nobody is asked, and by run, should it ever be called without."""
    said = []
    for step in (tool.tool.scope, tool.tool.run):
        with pytest.raises(ToolFailure) as failure:
            step(fitting(tool.tool, arguments), workplace)
        said.append(str(failure.value))
    assert said[0] == said[1]
    return said[0]


def test_a_file_comes_with_its_name_and_the_numbers_of_its_lines(here: Workplace) -> None:
    assert ran(read_file, here, path="notes.txt") == "notes.txt, lines 1 to 3 of 3:\n1: one\n2: two\n3: three"
    assert ran(read_file, here, path="./src/../notes.txt", first_line=2, last_line=2).endswith("of 3:\n2: two")
    assert ran(read_file, here, path=str(here.folder / "notes.txt"), first_line="3").endswith("\n3: three")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("nothing.txt", "There is no nothing.txt"),
        ("notes.txt/more", "There is no notes.txt/more"),
        ("src", "is a folder"),
        (".", "is a folder"),
        ("", "is a folder"),
        ("n" * 5000, "There is no|cannot be read"),
    ],
)
def test_what_is_no_file_is_told(here: Workplace, path: str, why: str) -> None:
    with pytest.raises(ToolFailure, match=why) as failure:
        ran(read_file, here, path=path)
    assert len(str(failure.value)) < 400


def test_lines_that_are_not_there_are_told(here: Workplace) -> None:
    with pytest.raises(ToolFailure, match="There are 3 lines"):
        ran(read_file, here, path="notes.txt", first_line=4)
    with pytest.raises(ToolFailure, match="none of them"):
        ran(read_file, here, path="notes.txt", first_line=2, last_line=1)


OUTSIDE: list[str | Callable[[Path], str]] = [
    "../outside/diary.txt",
    "src/../../outside/diary.txt",
    "./.././outside/diary.txt",
    "src/deep/../../../outside/diary.txt",
    "..",
    "../",
    "/",
    "/etc/passwd",
    "//etc/passwd",
    "/../etc/passwd",
    "~",
    "~/.ssh/id_rsa",
    "~root/.profile",
    lambda root: str(root.parent / "outside" / "diary.txt"),
    lambda root: f"{root}/../outside/diary.txt",
    lambda root: f"{root}-of-another/diary.txt",
    "link/diary.txt",
    "link-to-file",
    "src/link-to-link/diary.txt",
    "C:\\Users\\ada\\diary.txt",
    "C:diary.txt",
    "\\\\server\\share\\diary.txt",
    "//server/share/diary.txt",
    "\\\\?\\C:\\diary.txt",
    "notes.txt\0/../../outside/diary.txt",
]


@needs_posix
@pytest.mark.parametrize("spelled", OUTSIDE)
def test_what_is_outside_is_refused_whoever_allows_it(
    here: Workplace, spelled: str | Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = here.folder.parent / "outside"
    (here.folder / "link").symlink_to("../outside")
    (here.folder / "link-to-file").symlink_to(outside / "diary.txt")
    (here.folder / "src" / "link-to-link").symlink_to(here.folder / "link")
    path = spelled if isinstance(spelled, str) else spelled(here.folder)
    assert "confidential" not in refused(read_file, here, {"path": path})
    if "\0" not in path and "\\" not in path:
        refused(list_files, here, {"pattern": f"{path.removesuffix('diary.txt')}/*"})


@needs_posix
def test_a_link_inside_the_folder_is_followed(here: Workplace) -> None:
    (here.folder / "main").symlink_to("src/main.py")
    (here.folder / "deep").symlink_to(here.folder / "src" / "deep")
    assert "print()" in ran(read_file, here, path="main")
    assert "pass" in ran(read_file, here, path="deep/er.py")
    assert read_file.tool.scope({"path": "main"}, here) == Scope(str(here.folder / "src"))
    assert ran(list_files, here, pattern="deep/*").startswith("src/deep/er.py ")
    assert "main (link)" in ran(list_files, here)
    assert "deep/er.py" not in ran(list_files, here, pattern="de*/*").replace("src/deep/er.py", "")


@needs_posix
def test_links_in_a_circle_are_told(here: Workplace) -> None:
    (here.folder / "a").symlink_to("b")
    (here.folder / "b").symlink_to("a")
    with pytest.raises(ToolFailure):
        ran(read_file, here, path="a")


@needs_posix
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_regular_file_is_never_opened(here: Workplace, kind: str) -> None:
    place = here.folder / "special"
    if kind == "pipe":
        os.mkfifo(place)
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            before = Path.cwd()
            os.chdir(here.folder)  # the name of a socket is short
            listening.bind("special")
            os.chdir(before)
    with pytest.raises(ToolFailure, match=kind):
        ran(read_file, here, path="special")


@needs_posix
@pytest.mark.parametrize("by_steps", [True, False])
@pytest.mark.parametrize("exchanged", ["src/main.py", "src"])
def test_a_link_put_there_after_the_check_is_not_followed(
    here: Workplace, exchanged: str, by_steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_BY_STEPS", by_steps)
    (here.folder.parent / "outside" / "main.py").write_text("confidential\n")
    place = folder.place_of("src/main.py", here.folder)
    target = here.folder / exchanged
    target.rename(here.folder / "aside")
    target.symlink_to(here.folder.parent / "outside" / ("main.py" if exchanged.endswith(".py") else ""))
    with pytest.raises(ToolFailure):
        folder.content(place, 1000)


def test_a_word_document_a_page_and_a_binary_file_are_read_as_attachments_are(here: Workplace) -> None:
    (here.folder / "page.html").write_text("<p>as it is written</p>")
    (here.folder / "data.bin").write_bytes(bytes(range(256)) * 20)
    (here.folder / "paper.pdf").write_bytes(pdf(["In the paper"]))
    assert "<p>as it is written</p>" in ran(read_file, here, path="page.html")
    assert "In the paper" in ran(read_file, here, path="paper.pdf")
    with pytest.raises(ToolFailure, match=r"data\.bin is"):
        ran(read_file, here, path="data.bin")


def test_a_file_that_is_too_large_is_refused_unread(here: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    with (here.folder / "huge.log").open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(ToolFailure, match="it has more than 20 MB"):
        ran(read_file, here, path="huge.log")


def test_names_and_texts_have_nothing_that_a_terminal_obeys(here: Workplace) -> None:
    (here.folder / "text").write_text("\x1b]0;title\x07plain\x1b[2J\n")
    assert ran(read_file, here, path="text").endswith("1: plain")
    if os.name == "posix":
        (here.folder / "\x1b[31mred\n").write_text("x")
        assert "\x1b" not in ran(list_files, here)
        assert "\x1b" not in ran(read_file, here, path="\x1b[31mred\n")
    with pytest.raises(ToolFailure) as failure:
        ran(read_file, here, path="\x1b[2Jnothing")
    assert "\x1b" not in str(failure.value)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["node_modules/", "notes.txt", "src/"]),
        ("*", ["node_modules/", "notes.txt", "src/"]),
        ("src", ["src/deep/", "src/main.py"]),
        ("src/", ["src/deep/", "src/main.py"]),
        ("notes.txt", ["notes.txt"]),
        ("*.py", []),
        ("**/*.py", ["src/main.py", "src/deep/er.py"]),
        ("src/**", ["src/deep/", "src/main.py", "src/deep/er.py"]),
        ("**/er.py", ["src/deep/er.py"]),
        ("s*/[dm]*", ["src/deep/", "src/main.py"]),
        (".*", [".env", ".git/"]),
        (".env", [".env"]),
        (".git/*", [".git/config"]),
        ("node_modules/**/*.js", ["node_modules/left/pad.js"]),
        ("**/*.js", []),
    ],
)
def test_a_pattern_lists_what_fits_and_nothing_hidden_unasked(
    here: Workplace, pattern: str, names: list[str]
) -> None:
    told = ran(list_files, here, pattern=pattern)
    expected = [name for name in names if name != "node_modules/"]
    assert [line.split(" ")[0] for line in told.splitlines() if not told.startswith("Nothing")] == expected


def test_a_listed_file_has_its_size_and_date(here: Workplace) -> None:
    assert re.fullmatch(r"notes\.txt 14 bytes \d{4}-\d\d-\d\d", ran(list_files, here, pattern="notes.txt"))


def test_a_folder_of_very_many_files_is_told_in_part(here: Workplace) -> None:
    for number in range(LISTED + 5):
        (here.folder / "src" / f"{number:04}.txt").touch()
    lines = ran(list_files, here, pattern="src/*.txt").splitlines()
    assert len(lines) == LISTED + 1
    assert "narrower" in lines[-1]


def test_the_walk_ends_when_the_person_stops_it_or_enough_was_looked_at(
    here: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolFailure, match="stopped"):
        ran(list_files, Workplace(here.folder, stopped=lambda: True))
    monkeypatch.setattr(files, "SEEN", 2)
    assert "Only the first 2 were looked at" in ran(list_files, here, pattern="**")


def test_leave_is_for_the_folder_of_a_file(here: Workplace) -> None:
    scopes = {path: read_file.tool.scope({"path": path}, here) for path in ("notes.txt", "src/main.py", "new/x")}
    assert [scope.what for scope in scopes.values()] == [
        str(here.folder),
        str(here.folder / "src"),
        str(here.folder / "new"),
    ]
    assert not any(scope.secret for scope in scopes.values())
    assert list_files.tool.scope({"pattern": "src/**/*.py"}, here) == Scope(str(here.folder / "src"))
    assert list_files.tool.scope({}, here) == Scope(str(here.folder))


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", "prod.env", ".ssh/config", ".gnupg/ring", ".aws/credentials", ".netrc", "_netrc"),
        *("id_rsa", "id_ed25519.old", "server.pem", "tls/server.KEY", "cert.p12", "vault.kdbx", "store.jks"),
        *("passwords.txt", "my-password.doc", "dbPassword.txt", "secrets/db.yml", "client_secret.json"),
        *("credentials.json", "api_key.txt", "token", "access-tokens.csv", "private_key.txt", "terraform.tfstate"),
    ],
)
def test_what_looks_like_a_secret_is_told(here: Workplace, name: str) -> None:
    assert read_file.tool.scope({"path": name}, here).secret
    assert list_files.tool.scope({"pattern": name}, here).secret


@pytest.mark.parametrize(
    "name",
    ["README.md", "src/tokenizer.py", "keyboard.c", "environment.yml", "compass.txt", "monkey.jpg", "a.keys.md"],
)
def test_what_does_not_look_like_a_secret_is_not(name: str) -> None:
    assert not is_secret(name.split("/"))


@needs_posix
def test_a_link_to_a_secret_is_one(here: Workplace) -> None:
    (here.folder / "harmless").symlink_to(".env")
    assert read_file.tool.scope({"path": "harmless"}, here).secret


def test_a_folder_of_secrets_has_nothing_else(tmp_path: Path) -> None:
    assert read_file.tool.scope({"path": "config"}, Workplace(tmp_path / ".ssh")).secret
    assert not read_file.tool.scope({"path": "config"}, Workplace(tmp_path / ".local")).secret


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everything can be read")
def test_a_file_that_may_not_be_read_is_told(here: Workplace) -> None:
    (here.folder / "notes.txt").chmod(0)
    with pytest.raises(ToolFailure, match="cannot be read"):
        ran(read_file, here, path="notes.txt")
