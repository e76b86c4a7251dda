"""The last resort: an error that nobody foresaw is told in a sentence, and its traceback kept in a private file.

The file has no word of what was said: of the error only its kind, since its own words may quote a message.
"""

from __future__ import annotations

import os
import platform
import traceback
from contextlib import suppress
from pathlib import Path

import chatcli
from chatcli.errors import Unforeseen
from chatcli.paths import is_folder, size_of, why

# The file is begun anew once it is larger.
LARGEST = 256_000
_PACKAGE = Path(__file__).parent


def told(error: Exception, log: Path | None) -> Unforeseen:
    """`error` as a person can be told of it. `log`: where its traceback is kept; None: nowhere."""
    where = f" ({_place(error)})"
    if isinstance(error, OSError):
        named = f": {error.filename}" if error.filename is not None else ""
        message = f"The system refused something that chatcli had not foreseen: {why(error)}{named}{where}."
    else:
        message = f"Something went wrong inside chatcli itself: {type(error).__name__}{where}."
    kept = f"The traceback is in {log}, without anything that was said." if keep(error, log) else ""
    return Unforeseen(message, kept)


def keep(error: Exception, log: Path | None) -> bool:
    """Add its traceback to the file, where its directory is there. Whether that was possible."""
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
    return f"chatcli {chatcli.__version__}, Python {platform.python_version()}, {platform.system()}"


def _frames(error: BaseException) -> list[str]:
    """The traceback, with that of its cause before it; of each error only its kind."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [*_frames(cause), "then"] if cause is not None else []
    frames = traceback.extract_tb(error.__traceback__)
    number = f" {error.errno}" if isinstance(error, OSError) else ""
    return [*before, *(f"  {_shown(each)}" for each in frames), f"{type(error).__name__}{number}"]


def _place(error: Exception) -> str:
    """The last place in chatcli that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if Path(each.filename).is_relative_to(_PACKAGE)]
    return _shown((ours or frames)[-1]) if frames else "nowhere"


def _shown(frame: traceback.FrameSummary) -> str:
    file = Path(frame.filename)
    shown = file.relative_to(_PACKAGE.parent) if file.is_relative_to(_PACKAGE) else file
    return f"{shown}, line {frame.lineno}, in {frame.name}"
