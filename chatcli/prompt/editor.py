"""Opens the user's own editor on a text: in a private temporary file, read back when the editor ends."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from chatcli.errors import NotFound, UserError
from chatcli.paths import is_there, readable, writable
from chatcli.reading.files import read_bytes
from chatcli.suspension import handed_over

_VARIABLES = ("OLLAMA_EDITOR", "VISUAL", "EDITOR")
_KNOWN = ("sensible-editor", "nano", "vim", "vi")
_ROOM = "Make room in the temporary directory, or name another with TMPDIR."
_REMEDY = "Set VISUAL or EDITOR to one you have."


def edit(text: str, ending: str = ".md") -> str:
    """Returns `text` as the editor left it. Raises UserError when there is no editor or it failed; BadFile when
    the file it left cannot be read, which is then kept.
    """
    command = find_editor(os.environ)
    with writable("a file for the editor", _ROOM):
        descriptor, name = tempfile.mkstemp(prefix="chatcli-", suffix=ending)
    path, is_kept = Path(name), False
    try:
        with writable(path, _ROOM), os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        _run([*command, name])
        is_kept = is_there(path)
        with readable(name, "It is left where it is."):
            edited = read_bytes(path).decode("utf-8", errors="replace")
        is_kept = False
    finally:
        with suppress(OSError):
            if not is_kept:
                path.unlink(missing_ok=True)
    # Editors end the last line with a newline; a message does not need it.
    return edited.removesuffix("\n")


def edit_between_prompts(text: str, ending: str = ".md") -> str:
    """The same when no prompt is there: the terminal is the editor's."""
    with handed_over():
        return edit(text, ending)


def find_editor(environment: Mapping[str, str]) -> list[str]:
    """Returns the editor's command: OLLAMA_EDITOR, VISUAL, EDITOR, or an editor that most systems have."""
    for variable in _VARIABLES:
        chosen = environment.get(variable, "").strip()
        if chosen:
            return _split(chosen)
    known = ("notepad",) if sys.platform == "win32" else _KNOWN
    found = next((name for name in known if shutil.which(name)), None)
    if found is None:
        raise NotFound("No editor was found.", _REMEDY)
    return [found]


def _split(command: str) -> list[str]:
    """Returns the words of `command`. A command that is itself a program's path may have spaces in it."""
    if shutil.which(command):
        return [command]
    try:
        return shlex.split(command, posix=sys.platform != "win32")
    except ValueError:
        return [command]


def _run(command: list[str]) -> None:
    try:
        status = subprocess.run(command, check=False).returncode  # noqa: S603  the person's own editor
    except OSError as error:
        raise NotFound(f"The editor {command[0]} did not start: {error.strerror}.", _REMEDY) from None
    if status != 0:
        raise UserError(f"The editor {command[0]} ended with status {status}.", "The line is as it was.")
