"""Reports an unexpected error in one sentence, and keeps its traceback in a private file.

The file contains no messages: of an error only its type is written, since its text may quote a message.
"""

from __future__ import annotations

import os
import traceback
from contextlib import suppress
from pathlib import Path

import chatcli
from chatcli.errors import Unforeseen
from chatcli.paths import is_folder, size_of, why

# A larger file is overwritten.
LARGEST = 256_000
_PACKAGE = Path(__file__).parent


def told(error: Exception, log: Path | None) -> Unforeseen:
    """An Unforeseen error that a person can read. `log`: the file for the traceback (None: it is not kept)."""
    where = f" ({_place(error)})"
    if isinstance(error, OSError):
        named = f": {error.filename}" if error.filename is not None else ""
        message = f"The system refused something that chatcli did not expect: {why(error)}{named}{where}."
    else:
        message = f"Something went wrong inside chatcli itself: {type(error).__name__}{where}."
    kept = f"The traceback is in {log}, without any messages." if keep(error, log) else ""
    return Unforeseen(message, kept)


def keep(error: Exception, log: Path | None) -> bool:
    """Append the traceback to the file, if its directory exists; returns whether that worked."""
    if log is None or not is_folder(log.parent):
        return False
    with suppress(OSError):
        whole = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        flags = whole | (os.O_APPEND if size_of(log) < LARGEST else os.O_TRUNC)
        with os.fdopen(os.open(log, flags, 0o600), "w", encoding="utf-8", errors="replace") as file:
            file.write("\n".join([_header(), *_frames(error)]) + "\n\n")
        return True
    return False


def _header() -> str:
    import platform

    return f"chatcli {chatcli.__version__}, Python {platform.python_version()}, {platform.system()}"


def _frames(error: BaseException) -> list[str]:
    """The traceback after that of its cause; of each error only its type."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [*_frames(cause), "then"] if cause is not None else []
    frames = traceback.extract_tb(error.__traceback__)
    number = f" {error.errno}" if isinstance(error, OSError) else ""
    return [*before, *(f"  {_shown(each)}" for each in frames), f"{type(error).__name__}{number}"]


def _place(error: Exception) -> str:
    """The last frame in chatcli's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if Path(each.filename).is_relative_to(_PACKAGE)]
    return _shown((ours or frames)[-1]) if frames else "nowhere"


def _shown(frame: traceback.FrameSummary) -> str:
    file = Path(frame.filename)
    shown = file.relative_to(_PACKAGE.parent) if file.is_relative_to(_PACKAGE) else file
    return f"{shown}, line {frame.lineno}, in {frame.name}"
