"""Every error a person can meet. Each says what happened (message) and what to do about it (hint).

    ChatcliError
    ├── UserError             the person asked for something that is not possible
    │   ├── UnknownCommand
    │   ├── BadArgument
    │   ├── UnknownSetting
    │   ├── BadValue
    │   ├── BadFile           missing, unreadable, too large, or of the wrong kind
    │   ├── BadData           JSON or TOML that cannot be read; most callers raise another error for it
    │   ├── NotFound          no such conversation, message, model file, ...
    │   │   └── Gone          it existed, and another chatcli may have permanently deleted it
    │   └── Ambiguous         more than one thing has that name
    ├── ServerError           the server, or the way to it
    │   ├── Unreachable
    │   ├── StreamBroken      the reply broke off; the text so far is with the code that collects it
    │   └── BadReply          what came back is not Ollama's protocol
    │       ├── NoText        the reply ended without text; the model's thinking is kept
    │       ├── WrongFormat   the reply has not the format that was asked for; it is kept
    │       └── NoCode        the reply has no code block, and only that was asked for; it is kept
    ├── ModelError            this model cannot do it
    │   ├── Missing
    │   ├── CannotThink
    │   ├── CannotSee
    │   ├── CannotUseTools
    │   ├── CallsWithoutEnd   it asks for tools again and again
    │   └── Refused           the server refused, in its own words
    │       └── Busy          the server has too much to do
    ├── ContextTooLong        the request does not fit into the context window
    ├── StoreError            the conversations on disk
    │   ├── Locked
    │   ├── ReadOnly          the directory, the file or the disk cannot be written
    │   ├── NoRoom            the disk is full
    │   ├── TooNew
    │   └── Damaged
    │       └── Replaced      another chatcli has replaced it by a recovered store
    ├── ConfigError           the settings file
    ├── Interrupted           by Ctrl-C: only the shell has it, for --json and its exit code
    └── Unforeseen            any other exception, which is a bug: made by repl/crash_report.py, the last resort

They are caught in two places only: the loop (shows them and goes on) and the shell's side (stderr, exit code).
"""

from __future__ import annotations

from chatcli.addresses import cleaned
from chatcli.hints import Hint, Words


class ChatcliError(Exception):
    """An error to show without a traceback: `message` says what happened, `advice` what to do about it, to be
    spelled by the surface that shows it. Passwords are removed from addresses in both, also in quoted words of
    servers and libraries. `retry_after`: seconds after which the same request may work (0 where nothing says how
    many), None where it will not by itself.
    """

    exit_code = 1

    def __init__(self, message: str, hint: Words = "", *, retry_after: float | None = None) -> None:
        self.message = cleaned(message)
        self.retry_after = retry_after
        self.advice = (hint if isinstance(hint, Hint) else Hint(hint)).changed(cleaned)
        super().__init__(self.message)

    @property
    def hint(self) -> str:
        """What to do, in the words of a Python program."""
        return str(self.advice)


class UserError(ChatcliError):
    exit_code = 2


class UnknownCommand(UserError):
    pass


class BadArgument(UserError):
    pass


class UnknownSetting(UserError):
    pass


class BadValue(UserError):
    pass


class BadFile(UserError):
    pass


class BadData(UserError, ValueError):
    """`why` is a clause, `line` counts from 1. A ValueError like those of Python's own parsers."""

    def __init__(self, why: str, *, line: int | None = None) -> None:
        super().__init__(f"What came cannot be read: {why}.")
        self.why = why
        self.line = line


class NotFound(UserError):
    pass


class Gone(NotFound):
    pass


class Ambiguous(UserError):
    pass


class ServerError(ChatcliError):
    pass


class Unreachable(ServerError):
    exit_code = 5


class StreamBroken(ServerError):
    pass


class BadReply(ServerError):
    pass


class NoText(BadReply):
    """`thinking` is the model's thinking. `limit` is the setting that ended the reply (num_predict or num_ctx),
    "other" for a limit that is no setting, "" where the model ended it by itself.
    """

    def __init__(self, message: str, hint: Words = "", *, thinking: str = "", limit: str = "") -> None:
        super().__init__(message, hint)
        self.thinking = thinking
        self.limit = limit


class WrongFormat(BadReply):
    pass


class NoCode(BadReply):
    pass


class ModelError(ChatcliError):
    pass


class Missing(ModelError):
    """`model`: the name under which it could be pulled; "" where there is none."""

    exit_code = 4

    def __init__(
        self, message: str, hint: Words = "", *, model: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint, retry_after=retry_after)
        self.model = model


class CannotThink(ModelError):
    pass


class CannotSee(ModelError):
    pass


class CannotUseTools(ModelError):
    pass


class CallsWithoutEnd(ModelError):
    pass


class Refused(ModelError):
    pass


class Busy(Refused):
    """The server has too much to do now: the same request may work a moment later."""


class ContextTooLong(ChatcliError):
    """`needed` and `available` are tokens, where known; `biggest` lists (what, tokens), largest first."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        hint: Words = "",
        *,
        needed: int | None = None,
        available: int | None = None,
        biggest: tuple[tuple[str, int], ...] = (),
    ) -> None:
        super().__init__(message, hint)
        self.needed = needed
        self.available = available
        self.biggest = biggest


class StoreError(ChatcliError):
    pass


class Locked(StoreError):
    pass


class ReadOnly(StoreError):
    pass


class NoRoom(StoreError):
    pass


class TooNew(StoreError):
    pass


class Damaged(StoreError):
    pass


class Replaced(Damaged):
    pass


class Interrupted(ChatcliError):
    exit_code = 130


class Unforeseen(ChatcliError):
    pass


class ConfigError(ChatcliError):
    exit_code = 2

    def __init__(self, message: str, hint: Words = "", *, file: str = "", line: int | None = None) -> None:
        super().__init__(message, hint)
        self.file = file
        self.line = line
