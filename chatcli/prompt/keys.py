"""The table of keys, from which come the bindings and the shortcut help. Imports prompt_toolkit only to bind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from chatcli.dataclass import dataclass
from chatcli.prompt.line import Closed, Interrupted
from chatcli.suspension import stop_all

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyBindings

    from chatcli.prompt.editing import EditedLine

Action = Callable[["EditedLine"], None]


@dataclass(frozen=True, slots=True)
class Key:
    """A row: the keys as shown to users, what they do, and what is bound.

    `sequences` use prompt_toolkit's names; without an `act`, prompt_toolkit handles the key itself. An Alt key is
    Escape and the key; it is not bound in vi mode, where Escape means something else.
    """

    shown: str
    meaning: str
    sequences: tuple[tuple[str, ...], ...] = ()
    act: Action = lambda _: None


_TABLE: list[Key] = []


def shortcuts() -> tuple[tuple[str, str], ...]:
    """Returns (keys, meaning) of every key that has help."""
    return tuple((key.shown, key.meaning) for key in _TABLE)


def bind(line: EditedLine) -> KeyBindings:
    """Returns the bindings of the table, acting on `line`."""
    from prompt_toolkit.enums import DEFAULT_BUFFER
    from prompt_toolkit.filters import emacs_mode, has_focus
    from prompt_toolkit.key_binding import KeyBindings

    typing = has_focus(DEFAULT_BUFFER)
    bindings = KeyBindings()
    bindings.add("<bracketed-paste>", filter=typing)(lambda event: line.pastes.insert(event.data))
    for key in _TABLE:
        for sequence in key.sequences:
            when = typing & emacs_mode if sequence[0] == "escape" else typing
            bindings.add(*sequence, filter=when)(lambda _, act=key.act: act(line))
    return bindings


def _key(shown: str, *sequences: str) -> Callable[[Action], Action]:
    """Adds the function as a row; its docstring is the meaning. A sequence is written "escape enter"."""

    def enter_row(act: Action) -> Action:
        keys = tuple(tuple(sequence.split()) for sequence in sequences)
        _TABLE.append(Key(shown, (act.__doc__ or "").strip(), keys, act))
        return act

    return enter_row


def _builtin(shown: str, meaning: str) -> None:
    _TABLE.append(Key(shown, meaning))


@_key("Enter", "enter")
def submit(line: EditedLine) -> None:
    """send the message, or queue it while a reply comes"""
    menu = line.buffer.complete_state
    if menu and menu.current_completion:
        line.buffer.complete_state = None
    else:
        line.submit()


@_key("Ctrl+J, Alt+Enter", "c-j", "escape enter")
def start_new_line(line: EditedLine) -> None:
    """begin a new line of the same message"""
    line.buffer.insert_text("\n")


_builtin('"""', 'begin a text of several lines; another """ ends it')
_builtin("!COMMAND", "run it in your shell; its output can go with a message")
_builtin("//, !!", "begin a message with / or !")
_builtin("Tab", "complete, or open the menu of what fits (Enter takes one)")
_builtin("Up, Down", "earlier and later lines that begin with what is typed")


@_key("Alt+Up", "escape up")
def go_to_earlier_question(line: EditedLine) -> None:
    """an earlier question: a line that is no command"""
    line.earlier_question(-1)


@_key("Alt+Down", "escape down")
def go_to_later_question(line: EditedLine) -> None:
    """a later one"""
    line.earlier_question(1)


_builtin("Ctrl+R", "search the earlier lines")


@_key("Ctrl+V", "c-v")
def paste(line: EditedLine) -> None:
    """attach the picture on the clipboard, or paste its text"""
    line.paste()


@_key("Ctrl+O", "c-o")
def open_paste(line: EditedLine) -> None:
    """open a folded paste in the line"""
    line.open_paste()


@_key("Ctrl+G, Ctrl+X Ctrl+E", "c-g", "c-x c-e")
def compose(line: EditedLine) -> None:
    """write the message in your editor (OLLAMA_EDITOR, EDITOR)"""
    line.compose()


_builtin("Ctrl+A, Ctrl+E", "go to the beginning, the end of the line (also Home, End)")
_builtin("Alt+B, Alt+F", "go one word back, forward; with Ctrl one character")
_builtin("Ctrl+W, Alt+Backspace", "delete the word before the cursor")
_builtin("Ctrl+U, Ctrl+K", "delete to the beginning, to the end of the line")
_builtin("Ctrl+Y", "put back what was deleted last")
_builtin("Ctrl+_", "undo")


@_key("Ctrl+L", "c-l")
def clear_screen(line: EditedLine) -> None:
    """clear the screen"""
    if not line.is_beside_reply:  # it would tear the reply
        line.app.renderer.clear()


@_key("Ctrl+C", "c-c", "<sigint>")
def clear_line(line: EditedLine) -> None:
    """clear the line; stop the reply; take back what is queued"""
    if line.is_composing:
        return  # it was meant for the editor
    if line.is_beside_reply:  # pressed in the moment in which the line begins, where it is a key and no signal yet
        signal.raise_signal(signal.SIGINT)
    elif line.buffer.text:
        line.clear()
    elif line.queue:
        line.take_back()
    else:
        line.app.exit(result=Interrupted())


@_key("Ctrl+D", "c-d")
def delete_or_leave(line: EditedLine) -> None:
    """delete a character; on an empty line, leave"""
    if line.buffer.text or line.is_beside_reply:
        line.buffer.delete()
    else:
        line.app.exit(result=Closed())


@_key("Ctrl+Z", "c-z")
def suspend(_line: EditedLine) -> None:
    """back to the shell for a while (fg returns)"""
    stop_all()
