"""Chat, the Python interface: Chat(model).send(text), with the plan, client and store of the program.

docs/library.md shows how to use it.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from chatcli.attachments.compose import Composed, compose
from chatcli.attachments.mentions import as_words
from chatcli.conversation.events import Done, Repeats, Retry, Text, Thinking, Tick, ToolCall, ToolResult, ToolRuns
from chatcli.conversation.message import Message, ToolUse
from chatcli.conversation.plan import Plan
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Count, Turn, Usage
from chatcli.errors import Ambiguous, NoText, NotFound, UserError
from chatcli.paths import path_of, write_private
from chatcli.session.build import Wishes, build
from chatcli.session.planning import counter_of
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer, not_loaded
from chatcli.settings.strategies import AUTO
from chatcli.store.listing import Entry
from chatcli.tools.leave import Allow, Answer, Asking, Leave, nobody
from chatcli.tools.tool import Tool
from chatcli.turn import answered, ask, preview, stream

# Seconds to wait for another thread to leave the reply that it reads.
PATIENCE = 5.0


class Reply(str):
    """A reply: its text, which is what this string holds, and everything that is known of it. It does not change.

        reply = chat.send("Name a prime.")
        print(reply, reply.usage.reply_tokens)

    As a str it can be printed, compared and written as JSON. What is made of it (`reply.strip()`) is a plain str.
    """

    __slots__ = ("_node", "_plan")
    _node: Node
    _plan: Plan | None

    def __new__(cls, node: Node, plan: Plan | None = None) -> Reply:
        reply = super().__new__(cls, node.message.text)
        reply._node, reply._plan = node, plan
        return reply

    def __getnewargs__(self) -> tuple[Node, Plan | None]:  # type: ignore[override]  # for copy and pickle
        return self._node, self._plan

    @property
    def message(self) -> Message:
        """The same as one of Chat.messages."""
        return self._node.message

    @property
    def thinking(self) -> str:
        """What the model thought before it replied; "" for nothing."""
        return self.message.thinking

    @property
    def tool_calls(self) -> tuple[ToolUse, ...]:
        """The calls that this reply asks for and that were not run. Those that were are in Chat.messages, each
        before its result.
        """
        return self.message.tool_uses

    @property
    def ended(self) -> Ended:
        """COMPLETE; LENGTH (see `limit`); STOPPED (closed, Ctrl-C, or loop_guard); BROKEN (an error)."""
        return self._node.ended

    @property
    def limit(self) -> str:
        """What ended a reply with LENGTH: the setting num_predict or num_ctx, or "other"; "" for any other end."""
        ending = ending_of(self._node)
        return (ending.limit or "") if ending is not None else ""

    @property
    def model(self) -> str:
        """The model that wrote it."""
        return self.turn.model

    @property
    def usage(self) -> Usage:
        """What the server measured. Empty for a reply that did not come to its end."""
        return self.turn.usage

    @property
    def planned(self) -> Count:
        """The tokens of the prompt as they were planned; the server measured `usage.prompt_tokens`."""
        return self.turn.planned

    @property
    def plan(self) -> Plan | None:
        """What was sent for it, and what was not, and why."""
        return self._plan

    @property
    def turn(self) -> Turn:
        """Where it comes from: the model and its digest, the options as sent, the server's done_reason, the
        seconds to the first token; and the counts again.
        """
        return self._node.turn or Turn("")


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

    `tools` are functions that the model may call (their names, annotations and docstrings are what it is told),
    names of built-in tools, or "on". What a call needs leave for is asked of `allow`, which gets an Asking (tool,
    use, scope, why) and returns True or False, or an Answer. Without it the functions run, and built-in tools only
    where the rules of the settings allow it.

    Any thread may use a Chat, but only one at a time, for one reply at a time: everything else raises UserError
    meanwhile. Several Chats are independent of each other, also with save=True.
    """

    def __init__(
        self,
        model: str = "",
        *,
        system: str = "",
        strategy: str = AUTO.name,
        num_ctx: int | str | None = None,
        host: str = "",
        save: bool | None = False,
        tools: ToolsGiven = (),
        allow: Callable[[Asking], bool | Answer] | None = None,
        **settings: Any,
    ) -> None:
        named, own = _sorted_out(tools)
        given = {
            "tools": named or ("off" if own else None),
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
        self._opened.settings.put_value(table.LOOP_GUARD, "off", Layer.DEFAULT)
        self._opened.settings.put_value(table.MEMORY, False, Layer.DEFAULT)  # a program is nobody's conversation
        self._opened.tools.add(own)
        self._allow = _asked(allow, {tool.name for tool in own})
        self._closed = False
        self._busy = threading.Lock()
        self._running: Generator[object] | None = None
        self._reply: Reply | None = None
        self._warn()

    def send(
        self,
        text: str,
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> Reply:
        """Send `text` with these pictures and files, and return the whole reply. `files` are paths, patterns or
        addresses, as for /file.

        Files and pages after an @ in `text` (`@notes.txt`, `@https://...`) and pictures named by their paths are
        sent, too, as at the prompt. Give `mentions=False` for text that you did not write: then nothing is read,
        and the text is sent unchanged. Either way an address after an @ loses its user name and password.

        Raises ContextTooLong when the request cannot be made to fit; nothing was sent then. Raises NoText, a
        BadReply, when the reply ends before its text begins: `limit` names the setting that ended it, `thinking`
        is what the model thought. The thinking is kept as the last of `messages`, and the next `send` continues
        from there. A completely empty reply is not kept, nor is its question sent again. After any error
        `last_reply` is what came before it.
        """
        for _ in self.events(text, images, files, mentions=mentions):
            pass
        assert self._reply is not None, "a reply of which nothing came is an error"
        return self._reply

    def stream(
        self,
        text: str,
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> Generator[str]:
        """Yield the text of the reply in pieces, as the model writes it. Nothing is sent before the first piece is
        asked for. Closing the iterator stops the reply; what came is kept. Raises as `send` does.
        """
        with closing(self.events(text, images, files, mentions=mentions)) as events:
            for event in events:
                if isinstance(event, Text):
                    yield event.text

    def events(
        self,
        text: str,
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> Generator[Thinking | Text | ToolCall | ToolResult | Done]:
        """Yield the events of the reply as they arrive: any number of Thinking, Text and ToolCall, then one Done
        with the server's counts. Where tools were called, a ToolResult for each call and the events of the next
        reply follow. `last_reply` has all of it afterwards. Otherwise as `stream`.
        """
        with self._in_use() as session:
            self._running, self._reply = (running := self._events(session, text, images, files, mentions)), None
            try:
                with closing(running):
                    yield from running
            finally:
                self._running = None

    def _events(
        self,
        session: Session,
        text: str,
        images: Sequence[str | Path],
        files: Sequence[str | Path],
        mentions: bool,
    ) -> Generator[Thinking | Text | ToolCall | ToolResult | Done]:
        composed = _composed(session, text, images, files, mentions)
        session.warn(*(note for each in composed.attachments for note in each.notes))
        session.warn(*filter(None, [as_words(composed.missing)]))
        question = ask(session, composed.text, composed.attachments)
        try:
            with closing(stream(session, question, allow=self._allow)) as events:
                for event in events:
                    if self._closed:
                        return
                    if isinstance(event, Repeats):
                        session.warn(f"{event}.")
                    elif not isinstance(event, Tick | Retry | ToolRuns):
                        yield event
        finally:
            node = answered(session, question)
            self._reply = Reply(node, session.plan) if node is not None else None
        self._warn()
        if node is not None and not node.message.has_text:
            raise _no_text(node)

    def plan(
        self,
        text: str = "",
        images: Sequence[str | Path] = (),
        files: Sequence[str | Path] = (),
        *,
        mentions: bool = True,
    ) -> Plan:
        """What `send` would send now: each message of the conversation is sent, summarized, recalled or not sent,
        with its tokens and the reason. No reply is asked for, and nothing is stored.

        The first plan of a conversation asks the server about the model and its window, as the first message does.
        A summary that is not made yet is not in it. Raises ContextTooLong, CannotSee, and BadFile.
        """
        with self._in_use() as session:
            composed = _composed(session, text, images, files, mentions)
            return preview(session, composed.text, composed.attachments)

    def count(self, text: str) -> Count:
        """The tokens of `text` alone, without what the model's template puts around a message. The count is exact
        where the model's own vocabulary is known, else an estimate, as it is where no server answers.
        """
        with self._in_use() as session:
            return counter_of(session).text(text)

    @property
    def last_reply(self) -> Reply | None:
        """What came of the last `send`, `stream` or `events`, also of one that was stopped or that an error ended;
        None when nothing did.
        """
        return self._reply

    @property
    def last_plan(self) -> Plan | None:
        """The plan of the last request, as it was sent; None before the first one of a conversation. What it does
        not send is counted by `plan` only.
        """
        return self._opened.plan

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages, oldest first, after the system prompt if there is one."""
        system = self._opened.settings[table.SYSTEM]
        said = tuple(node.message for node in self._opened.conversation.path())
        return (Message.system(system), *said) if system else said

    def clear(self) -> None:
        """Start a new conversation with the same settings."""
        with self._in_use() as session:
            session.begin()
            self._reply = None

    def open(self, name: str) -> None:
        """Continue a stored conversation, with the settings it was left with: named by its title, the beginning or
        a part of it, or its number. Raises NotFound and Ambiguous. Without save=True none is stored.
        """
        from chatcli.commands.chats import LISTED, find_chats

        with self._in_use() as session:
            found = find_chats(session, name)
            if not found:
                raise NotFound(f'There is no conversation called "{name}".', LISTED)
            if len(found) > 1:
                titles = ", ".join(f'{entry.id} "{entry.title}"' for entry in found)
                raise Ambiguous(f'Several conversations match "{name}": {titles}.', "Name one by its number.")
            refused = session.open(found[0].id)
            self._reply = None
            session.warn(*filter(None, [not_loaded(refused)]))
        self._warn()

    def conversations(self) -> list[Entry]:
        """The stored conversations, the newest first."""
        with self._in_use() as session:
            return session.store.entries(demo=session.server.demo)

    def save(self, file: str | Path) -> None:
        """Write the conversation to a file that only its owner can read. Its ending says the format: .md, .json,
        .jsonl (both with all branches), or .html (one page with pictures and highlighted code).

        Raises BadFile, UserError.
        """
        from chatcli.commands.share import EXPORTS, exported

        path = path_of(str(file))
        with self._in_use() as session:
            if path.suffix.lower() not in EXPORTS:
                raise UserError(
                    f"The format of {path} is unknown.", f"Name a file that ends in {', '.join(EXPORTS)}."
                )
            if not session.conversation.id:
                raise UserError("Nothing has been said yet, so there is nothing to save.")
            write_private(path, exported(session, session.conversation.id, EXPORTS[path.suffix.lower()]))

    def close(self) -> None:
        """End the connection and background work; safe to call twice. A reply that is still being read, by any
        thread, is stopped, and what came is kept. `messages` can still be read.
        """
        self._closed = True
        end = time.monotonic() + PATIENCE
        while (running := self._running) is not None and time.monotonic() < end:
            try:
                running.close()
                break
            except ValueError:  # another thread waits for its next event, and sees then that the chat is closed
                time.sleep(0.02)
        self._opened.close()

    @contextmanager
    def _in_use(self) -> Iterator[Session]:
        """The session, for this caller alone."""
        if self._closed:
            raise UserError("This chat is closed.", "Make another Chat; with save=True conversations are stored.")
        if not self._busy.acquire(blocking=False):
            raise UserError(
                "This chat is in use: a reply is being read from it.",
                "Read that to its end or close its iterator; for a second thread, make a second Chat.",
            )
        try:
            yield self._opened
        finally:
            self._busy.release()

    def _warn(self) -> None:
        """Warn, where the program is that called, of what chatcli would show about the store: it was damaged, or
        cannot be written.
        """
        frame, level = sys._getframe(), 1
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame, level = frame.f_back, level + 1
        told = list(self._opened.take_warnings())
        try:
            while told:
                warnings.warn(str(told.pop(0)), stacklevel=level)
        finally:
            self._opened.warn(*told)  # a warning may have been made an error

    def __enter__(self) -> Chat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _composed(
    session: Session, text: str, images: Sequence[str | Path], files: Sequence[str | Path], mentions: bool
) -> Composed:
    from chatcli.client.fetch import fetch

    encoding = session.settings[table.ENCODING]
    return compose(text, fetch, map(str, images), map(str, files), mentions=mentions, encoding=encoding)


ToolsGiven = str | Sequence[Callable[..., Any] | Tool | str]


def _sorted_out(tools: ToolsGiven) -> tuple[list[str], list[Tool]]:
    """The names of built-in tools, and the tools made of functions."""
    from chatcli.tools.schema import tool_of
    from chatcli.tools.tool import reach_of

    given = [tools] if isinstance(tools, str) else list(tools)
    named = [each for each in given if isinstance(each, str)]
    others = [each for each in given if not isinstance(each, str)]
    return named, [each if isinstance(each, Tool) else tool_of(each, reach_of(each)) for each in others]


def _asked(allow: Callable[[Asking], bool | Answer] | None, own: Set[str]) -> Allow:
    """`allow` as a turn calls it. Without it the program's `own` functions have leave."""

    def answer(asking: Asking) -> Answer:
        if allow is None:
            return Answer(Leave.ONCE) if asking.tool.name in own else nobody(asking)
        said = allow(asking)
        return said if isinstance(said, Answer) else Answer(Leave.ONCE if said else Leave.NO)

    return answer


def _no_text(reply: Node) -> NoText:
    ended = ending_of(reply)
    assert ended is not None, "a reply that has no text says why"
    return NoText(ended.what, ended.remedy, thinking=reply.message.thinking, limit=ended.limit or "")
