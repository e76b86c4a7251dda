"""The same for Python programs: Chat(model).send(text). The same plan, client and store as the program's own."""

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

    `host` is where Ollama is (else OLLAMA_HOST, else this machine); `save` keeps the conversation in chatcli's own
    store. Every other setting of chatcli may be given by name, as Python has it or as it would be typed:
    `num_predict=40`, `temperature="0"`, `think=True`, `stop=["END OF"]`, `format={"type": "object"}`. None leaves
    a setting as the settings file and the environment have it. Errors are those of chatcli.errors: BadValue and
    UnknownSetting for settings.
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
        """Say `text`, with these picture files and texts, and get the whole reply. `files` are what /file takes:
        paths, patterns, addresses.

        What `text` names is read as at the prompt: files and pages behind an @ (`@notes.txt`, `@https://...`) and
        pictures by their paths go to the model. Give `mentions=False` for a text that is not your own words, such
        as a stranger's: nothing is read then, and it is sent as it is. Either way an address marked with an @
        loses its user name and password.

        Raises NoText, a BadReply, for a reply that ends before its text begins: `limit` names the setting that
        ended it, `thinking` is what the model thought. That is kept as the last of `messages`, and the next `send`
        goes on from there. A reply with nothing in it at all is not kept, and its question is no longer asked.
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
        """The reply in pieces, as it is made. Closing the iterator stops it; what came is kept. Raises NoText as
        `send` does.
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
        """Begin a new conversation with the same settings."""
        new_conversation(self._session)

    @property
    def messages(self) -> tuple[Message, ...]:
        """What has been said, oldest first; the system prompt first where there is one."""
        from chatcli.settings.table import SYSTEM

        system = self._opened.settings[SYSTEM]
        said = tuple(node.message for node in self._opened.conversation.path())
        return (Message.system(system), *said) if system else said

    def save(self, file: str | Path) -> None:
        """Write the conversation to a file of its owner's, as its ending says: .md, .json, .jsonl (both with all
        branches), or .html (one page with its pictures and highlighted code). Raises BadFile, UserError.
        """
        from chatcli.commands.share import EXPORTS, exported

        path = path_of(str(file))
        if path.suffix.lower() not in EXPORTS:
            raise UserError(f"What is {path} to be?", f"Name a file that ends in {', '.join(EXPORTS)}.")
        if not self._session.conversation.id:
            raise UserError("Nothing has been said yet, so there is nothing to save.")
        text = exported(self._session, self._session.conversation.id, EXPORTS[path.suffix.lower()])
        write_private(path, text)

    def close(self) -> None:
        """End what was started; safe to call twice. `messages` are still there afterwards."""
        self._closed = True
        close(self._opened)

    @property
    def _session(self) -> Session:
        if self._closed:
            raise UserError("This chat is closed.", "Make another Chat; with save=True conversations are kept.")
        return self._opened

    def _warn(self) -> None:
        """What the program would say of the store: that it was damaged, or cannot be written."""
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
