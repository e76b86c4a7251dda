"""Chat, the Python interface: Chat(model).send(text), with the plan, client and store of the program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from chatcli.attachments.compose import compose
from chatcli.conversation.events import Text
from chatcli.conversation.message import Message
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Node
from chatcli.errors import NoText, UserError
from chatcli.paths import path_of, write_private
from chatcli.repl.hints import in_python
from chatcli.session.build import Wishes, build, close, new_conversation
from chatcli.session.session import Session
from chatcli.turn import answered, ask, stream


class Chat:
    """One conversation with one model.

        with Chat("llama3.2", system="Be brief.") as chat:
            print(chat.send("Name a prime."))
            for piece in chat.stream("And another."):
                print(piece, end="")

    `host` is the address of the Ollama server (by default OLLAMA_HOST, else this machine); `save` stores the
    conversation in chatcli's database. Every other setting can be given by name, as a Python value or as it is
    typed: `num_predict=40`, `temperature="0"`, `think=True`, `stop=["END OF"]`,
    `format={"type": "object"}`. None leaves a setting to the settings file and the environment. Raises the errors
    of chatcli.errors: BadValue and UnknownSetting for settings.
    """

    def __init__(
        self,
        model: str = "",
        *,
        system: str = "",
        strategy: str = "auto",
        num_ctx: int | str | None = None,
        host: str = "",
        save: bool | None = False,
        **settings: Any,
    ) -> None:
        given = {
            "model": model,
            "system": system,
            "strategy": strategy,
            "num_ctx": num_ctx,
            "host": host,
            "save": False if save is None else save,
            **settings,
        }
        unset = [name for name, value in given.items() if value is None or (isinstance(value, str) and not value)]
        self._opened = build(Wishes({name: value for name, value in given.items() if name not in unset}))
        self._closed = False
        self._warn()

    def send(
        self,
        text: str,
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> str:
        """Send `text` with these pictures and files, and return the whole reply. `files` are paths, patterns or
        addresses, as for /file.

        Files and pages after an @ in `text` (`@notes.txt`, `@https://...`) and pictures named by their paths are
        sent, too, as at the prompt. Give `mentions=False` for text that you did not write: then nothing is read,
        and the text is sent unchanged. Either way an address after an @ loses its user name and password.

        Raises NoText, a BadReply, when the reply ends before its text begins: `limit` names the setting that ended
        it, `thinking` is what the model thought. The thinking is kept as the last of `messages`, and the next
        `send` continues from there. A completely empty reply is not kept, nor is its question sent again.
        """
        return "".join(self.stream(text, images, files, mentions=mentions))

    def stream(
        self,
        text: str,
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> Iterator[str]:
        """Yield the reply in pieces, as the model writes it. Closing the iterator stops it; what came is kept.
        Raises NoText as `send` does.
        """
        from chatcli.client.fetch import fetch

        composed = compose(text, fetch, map(str, images), map(str, files), mentions=mentions)
        question = ask(self._session, composed.text, composed.attachments)
        try:
            with closing(stream(self._session, question)) as events:
                for event in events:
                    if isinstance(event, Text):
                        yield event.text
        except NoText as error:
            error.hint = in_python(error.hint)
            raise
        self._warn()
        reply = answered(self._session, question)
        if reply is not None and not reply.message.has_text:
            raise _no_text(reply)

    def clear(self) -> None:
        """Start a new conversation with the same settings."""
        new_conversation(self._session)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages, oldest first, after the system prompt if there is one."""
        from chatcli.settings.table import SYSTEM

        system = self._opened.settings[SYSTEM]
        said = tuple(node.message for node in self._opened.conversation.path())
        return (Message.system(system), *said) if system else said

    def save(self, file: str | Path) -> None:
        """Write the conversation to a file that only its owner can read. Its ending says the format: .md, .json,
        .jsonl (both with all branches), or .html (one page with pictures and highlighted code).

        Raises BadFile, UserError.
        """
        from chatcli.commands.share import EXPORTS, exported

        path = path_of(str(file))
        if path.suffix.lower() not in EXPORTS:
            raise UserError(f"The format of {path} is unknown.", f"Name a file that ends in {', '.join(EXPORTS)}.")
        if not self._session.conversation.id:
            raise UserError("Nothing has been said yet, so there is nothing to save.")
        text = exported(self._session, self._session.conversation.id, EXPORTS[path.suffix.lower()])
        write_private(path, text)

    def close(self) -> None:
        """End the connection and background work; safe to call twice. `messages` can still be read."""
        self._closed = True
        close(self._opened)

    @property
    def _session(self) -> Session:
        if self._closed:
            raise UserError("This chat is closed.", "Make another Chat; with save=True conversations are stored.")
        return self._opened

    def _warn(self) -> None:
        """Warn of what the program would show about the store: it was damaged, or cannot be written."""
        while self._opened.warnings:
            warnings.warn(self._opened.warnings.pop(0), stacklevel=4)

    def __enter__(self) -> Chat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _no_text(reply: Node) -> NoText:
    ended = ending_of(reply)
    assert ended is not None, "a reply that has no text says why"
    return NoText(ended.what, in_python(ended.remedy), thinking=reply.message.thinking, limit=ended.limit or "")
