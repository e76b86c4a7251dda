"""Files that only their owner can read, and that a full disk does not destroy."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatcli.errors import BadFile, ConfigError, ReadOnly
from chatcli.paths import private_directory, shown, write_private
from chatcli.prompt.history import LineHistory
from chatcli.settings import table
from chatcli.settings.file import read_file, write_setting
from chatcli.settings.layers import Settings
from chatcli.store.store import Store


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As a disk that is full: Python ignores the signal that comes with it, so the write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_anybody_could_read_is_its_owners_once_written_over(tmp_path: Path) -> None:
    file = tmp_path / "chat.md"
    file.write_text("mine, and longer than what comes")
    file.chmod(0o644)
    write_private(file, "hi \udc80")
    assert (file.read_text(), mode(file)) == ("hi ?", 0o600)
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "chat.md"
    file.write_text("mine")
    with no_file_larger_than(100), pytest.raises(BadFile, match="too large"):
        write_private(file, "x" * 1000)
    assert file.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "chat.md", tmp_path / "link.md"
    link.symlink_to(file)
    for text in ("new", "newer"):
        write_private(link, text)
        assert link.is_symlink()
        assert (file.read_text(), mode(file)) == (text, 0o600)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_private(pipe, "hi")
    reader.join()
    assert read == ["hi"]
    assert pipe.is_fifo()


def test_standard_output_is_written_to_wherever_it_leads(tmp_path: Path) -> None:
    code = "import sys, pathlib, chatcli.paths as p; p.write_private(pathlib.Path(sys.argv[1]), 'hi')"
    link, out = tmp_path / "link.md", tmp_path / "out.txt"
    link.symlink_to("/dev/stdout")
    with out.open("wb") as stream:
        subprocess.run([sys.executable, "-c", code, str(link)], stdout=stream, check=True)
        assert os.path.samestat(os.fstat(stream.fileno()), out.stat())
    assert out.read_text() == "hi"
    done = subprocess.run([sys.executable, "-c", code, str(link)], stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"hi"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_still_lets_its_files_be(tmp_path: Path) -> None:
    place = tmp_path / "shut"
    place.mkdir()
    file = place / "chat.md"
    file.write_text("mine")
    place.chmod(0o500)
    try:
        write_private(file, "hi")
        assert (file.read_text(), mode(file)) == ("hi", 0o600)
        with pytest.raises(BadFile, match="Permission"):
            write_private(place / "another.md", "hi")
    finally:
        place.chmod(0o700)


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="a file that nobody, not even root, can replace")
def test_a_file_that_nobody_can_replace_is_written_over() -> None:
    file = Path("/proc/self/comm")
    before = file.read_text()
    try:
        write_private(file, "hi")
        assert file.read_text() == "hi\n"
    finally:
        file.write_text(before)


def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "such.md"):
        with pytest.raises(BadFile, match="Cannot write"):
            write_private(path, "hi")


SHARED = {
    "everybody's, as /tmp": (0o1777, None, "everybody may write to"),
    "everybody's": (0o777, None, "everybody may write to"),
    "another user's": (0o755, 12345, "belongs to another user"),
}


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX")
@pytest.mark.parametrize("what", SHARED)
def test_a_folder_that_others_use_is_left_as_it_is_and_it_is_said(what: str, tmp_path: Path) -> None:
    bits, owner, words = SHARED[what]
    if owner is not None and os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(bits)
    os.chown(folder, owner if owner is not None else -1, -1)
    with pytest.raises(OSError, match=words):
        private_directory(folder)
    with pytest.raises(ReadOnly, match=words):
        Store.open(folder / "chatcli.db")
    with pytest.raises(ConfigError, match=words):
        write_setting(folder / "config.toml", table.SEED, "1")
    LineHistory(folder / "lines.db").add("my secret")
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == bits
    assert mode(private_directory(folder / "mine")) == 0o700


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_settings_that_another_user_put_into_everybodys_folder_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('host = "http://evil.example"\n')
    read_file(Settings(), file)
    os.chown(file, 12345, -1)
    read_file(Settings(), file)
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="another user"):
        read_file(Settings(), file)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_folder_of_ones_own_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    assert mode(private_directory(tmp_path / "mine")) == 0o700


def test_a_name_with_line_breaks_is_shown_on_one_line() -> None:
    assert shown("no\nx\r\t.txt") == r"no\nx\r\t.txt"
