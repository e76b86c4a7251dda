"""Files that only their owner can read, and that a full disk does not destroy."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatcli.errors import BadFile
from chatcli.paths import write_private


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
