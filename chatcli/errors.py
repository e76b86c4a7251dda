"""Every error a person can meet. Each says what happened (message) and what to do about it (hint).

ChatcliError ├── UserError the person asked for something that cannot be │ ├── UnknownCommand │ ├── BadArgument │
├── UnknownSetting │ ├── BadValue │ ├── BadFile missing, unreadable, too large, or of the wrong kind │ ├── BadData
JSON or TOML that cannot be read; most who read it say of what in another error │ ├── NotFound no such
conversation, message, model file, ... │ │ └── Gone it was there, and another chatcli may have deleted it for good
│ └── Ambiguous more than one thing has that name ├── ServerError the server, or the way to it │ ├── Unreachable │
├── StreamBroken the reply broke off; carries nothing, the text so far is with whoever collects it │ └── BadReply
what came back is not Ollama's protocol │ └── NoText the reply has ended without text; what the model thought is
kept ├── ModelError this model cannot do it │ ├── Missing │ ├── CannotThink │ ├── CannotSee │ ├── CannotUseTools │
└── Refused the server said no, in its own words ├── ContextTooLong the request does not fit the window ├──
StoreError the conversations on disk │ ├── Locked │ ├── ReadOnly the directory, the file or the disk cannot be
written │ ├── NoRoom the disk is full │ ├── TooNew │ └── Damaged │ └── Replaced another chatcli has put a
recovered store in its place ├── ConfigError the settings file └── Unforeseen anything else that was raised, which
is a bug: made by repl/crash_report.py, the last resort

They are caught in two places only: the loop (shows them and goes on) and the shell's side (stderr, exit code).
"""

from __future__ import annotations

from chatcli.addresses import cleaned


class ChatcliError(Exception):
    """An error to be shown, not traced: `message` says what happened, `hint` what to do. Addresses that either
    quotes, the words of servers and libraries too, are without passwords.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = cleaned(message)
        self.hint = cleaned(hint)
        super().__init__(self.message)


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
    """`why` is a clause, `line` counts from 1. A ValueError like those of Python's own readers."""

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
    """`thinking` is what the model thought. `limit` is the setting that ended the reply (num_predict or num_ctx),
    "other" for a limit that is no setting, "" where the model ended it by itself.
    """

    def __init__(self, message: str, hint: str = "", *, thinking: str = "", limit: str = "") -> None:
        super().__init__(message, hint)
        self.thinking = thinking
        self.limit = limit


class ModelError(ChatcliError):
    pass


class Missing(ModelError):
    exit_code = 4


class CannotThink(ModelError):
    pass


class CannotSee(ModelError):
    pass


class CannotUseTools(ModelError):
    pass


class Refused(ModelError):
    pass


class Busy(Refused):
    """The server has too much to do just now: the same may be granted a moment later."""


class ContextTooLong(ChatcliError):
    """`needed` and `available` are tokens where they are known; `biggest` names (what, tokens), largest first."""

    exit_code = 3

    def __init__(
        self,
        message: str,
        hint: str = "",
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


class Unforeseen(ChatcliError):
    pass


class ConfigError(ChatcliError):
    exit_code = 2

    def __init__(self, message: str, hint: str = "", *, file: str = "", line: int | None = None) -> None:
        super().__init__(message, hint)
        self.file = file
        self.line = line
