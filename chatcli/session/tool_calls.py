"""Runs the calls that a reply asks for. Each is a message in the store before it runs, so that it is known after a
kill which may have run, and none runs twice.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import field
from io import StringIO
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from chatcli.conversation.events import Event, Tick, ToolResult, ToolRuns
from chatcli.conversation.message import MOST_CALLS, Message, Role, ToolUse
from chatcli.conversation.tree import Ended, Node
from chatcli.dataclass import dataclass
from chatcli.errors import CallsWithoutEnd, Damaged, Gone, Locked, NoRoom, ReadOnly
from chatcli.hints import Do, Hint
from chatcli.session.fallback import go_on
from chatcli.text import shortened
from chatcli.tools.fitting import fitting
from chatcli.tools.leave import Allow, Answer, Asking, Leave, Verdict
from chatcli.tools.printing import printed_apart
from chatcli.tools.schema import text_of
from chatcli.tools.tool import Reach, Scope, Tool, ToolFailure

if TYPE_CHECKING:
    from chatcli.session.session import Session

T = TypeVar("T")

MOST_ROUNDS = 10  # requests in one turn whose replies may ask for tools
MOST_SAME = 3  # times that one call may be asked for in one turn; the last time it is not run
TICK = 0.05  # seconds between events while a tool runs
PATIENCE = 2.0  # seconds that a tool has to stop
TRIES = 5  # times that a store which another program holds is waited for again: it waits some seconds itself

# What the model is told of a call as long as there is no result. It stays where chatcli is killed.
_NOT_RUN = "Not run: the program ended before it could."
_MAY_HAVE_RUN = "It may have run: the program ended before its result came. Do not assume either."
_AGAIN = "\n\n(This is the same call as before. A third one will not be run.)"
_MANY = f"\n\n(Of one reply {MOST_CALLS} calls are taken at most.)"


class TurnEnded(Exception):
    """The person has ended the turn with an answer."""


def run_calls(session: Session, allow: Allow) -> Generator[Event, None, None]:
    """Answer each call of the reply at the tip; afterwards the tip is the last result. Closing this stops the call
    that runs; those after it are not run. Raises TurnEnded, and CallsWithoutEnd when the turn may not go on so.
    """
    rounds, calls = _stored(session)
    if rounds > MOST_ROUNDS:
        for call in calls:
            yield call.refuse(f"Not run: there were {MOST_ROUNDS} rounds of calls. Answer without tools.")
        raise _without_end(f"asked for tools {rounds} times in one turn")
    try:
        for call in calls:
            yield from call.answer(allow)
    except (GeneratorExit, KeyboardInterrupt):
        _refuse_rest(calls, "Not run: the person stopped the turn.")
        raise
    except TurnEnded:
        _refuse_rest(calls, "Not run: the person ended the turn.")
        raise
    same = next((call for call in calls if call.times >= MOST_SAME), None)
    if same is not None:
        raise _without_end(f"called {same.use.name} {MOST_SAME} times with the same arguments")


def _stored(session: Session) -> tuple[int, list[_Call]]:
    """How many replies of this turn ask for tools, and the calls of the last one, each with its message stored."""
    since = takewhile(lambda node: node.message.role is not Role.USER, session.conversation.back())
    last, *earlier = (node for node in since if node.message.role is Role.ASSISTANT)
    uses = session.tools.called()
    results = [Message.tool(use, _NOT_RUN) for use in uses]
    _kept(session, lambda: session.store.add_calls(session.conversation, results))
    said = [_written(use) for node in earlier for use in node.message.calls]
    calls = []
    for at, use in enumerate(uses, start=1):
        said.append(_written(use))
        note = _MANY if at == MOST_CALLS else ""
        as_text = not last.message.calls
        calls.append(_Call(session, last.number + at, use, said.count(said[-1]), note, as_text))
    return 1 + len(earlier), calls


def _refuse_rest(calls: Sequence[_Call], why: str) -> None:
    for call in calls:
        if call.ended is Ended.ASKED:
            call.refuse(why)


def _without_end(what: str) -> CallsWithoutEnd:
    return CallsWithoutEnd(
        f"The model {what}: the turn was ended.",
        Hint(Do("continue"), " lets it answer from what came, ", Do("retry"), " asks again."),
    )


def _written(use: ToolUse) -> str:
    return f"{use.name} {json.dumps(dict(use.arguments), sort_keys=True, default=str)}"


def _kept(session: Session, step: Callable[[], T]) -> T:
    """Store something, even where another program holds the store for a while, the disk has become full, or the
    store is damaged.
    """
    for _ in range(TRIES):
        with suppress(Locked):
            return _once_more(session, step)
    return _once_more(session, step)


def _once_more(session: Session, step: Callable[[], T]) -> T:
    try:
        return step()
    except (NoRoom, ReadOnly, Damaged, Gone) as error:
        go_on(session, error)
        return step()


@dataclass(slots=True)
class _Call:
    """One call; its message has that number on the path (its id changes when the store does). `times`: how often
    it was asked for in this turn, this time included. `note`: for the model, after the result. `as_text`: the
    model has written it as text.
    """

    session: Session
    number: int
    use: ToolUse
    times: int
    note: str
    as_text: bool
    ended: Ended = Ended.ASKED

    def answer(self, allow: Allow) -> Generator[Event, None, None]:
        """Judge it, ask for leave, run it, and store its result."""
        if self.as_text:
            yield self.refuse("Not run: this call was written as text. Call the tool, or answer in words.")
            return
        if self.times >= MOST_SAME:
            yield self.refuse("Not run: it is the same call for the third time. Answer with what is known.")
            return
        tool = self.session.tools.named(self.use.name)
        try:
            if tool is None:
                names = ", ".join(each.name for each in self.session.tools.offered())
                raise ToolFailure(f'There is no tool "{shortened(self.use.name, 60)}". There are: {names}.')
            verdict = self.session.tools.judged(tool, self.use, self._scope(tool))
            refusal = self._leave(*verdict, allow)
        except ToolFailure as error:
            yield self.refuse(str(error))
            return
        if refusal is not None:
            yield self.refuse(refusal.reason)
            if refusal.leave is Leave.QUIT:
                raise TurnEnded
            return
        yield from self._run(tool)

    def _scope(self, tool: Tool) -> Scope:
        """What leave for it is about. Raises ToolFailure for a call that does not fit, or where the tool fails."""
        try:
            return tool.scope(fitting(tool, self.use.arguments), self.session.tools.workplace())
        except ToolFailure:
            raise
        except Exception as error:
            raise ToolFailure(f"Not run: {_told(error)}") from error

    def _leave(self, verdict: Verdict, asking: Asking, allow: Allow) -> Answer | None:
        """None where it may run; else the refusal, with what the model is told."""
        if verdict is Verdict.REFUSE:
            return Answer(Leave.NO, f"Not run: {asking.why}.")
        if verdict is Verdict.ASK:
            answer = allow(asking)
            if answer.leave in {Leave.NO, Leave.QUIT}:
                reason = f" The reason: {answer.reason}" if answer.reason else ""
                return Answer(answer.leave, f"Not run: leave was refused.{reason}")
            if answer.leave is Leave.ALWAYS:
                self.session.tools.grant(asking)
        self._change(Ended.ALLOWED, _NOT_RUN)
        return None

    def _run(self, tool: Tool) -> Generator[Event, None, None]:
        self._change(Ended.RUNNING, _MAY_HAVE_RUN, lasting=tool.reach in {Reach.ACTS, Reach.NET})
        work = _Work(self.session, tool, self.use)
        yield ToolRuns(self.use)
        try:
            work.start()
            while work.runs(TICK):
                yield Tick()
        except (GeneratorExit, KeyboardInterrupt):
            if work.stop():
                self._change(Ended.FAILED, f"Stopped by the person. {work.text}".strip())
            else:
                self._change(Ended.RUNNING, "It may have run: the person stopped it before its result came.")
            raise
        if printed := work.printed():
            self.session.warn(f"The tool {tool.name} printed: {printed}")
        ended = Ended.FAILED if work.failed else Ended.COMPLETE
        self._change(ended, work.text + (_AGAIN if self.times > 1 else "") + self.note)
        yield ToolResult(self.use, ended, work.text, work.seconds)

    def refuse(self, text: str) -> ToolResult:
        """Store that it is not run, and why."""
        self._change(Ended.REFUSED, text + self.note)
        return ToolResult(self.use, Ended.REFUSED, text)

    def _change(self, ended: Ended, text: str, *, lasting: bool = False) -> None:
        self.ended = ended

        def change() -> Node:
            conversation = self.session.conversation
            # It is loaded, and so found here even where another program has deleted it from the store.
            node = next(node for node in conversation.back() if node.number == self.number)
            return self.session.store.change_call(conversation, node, text, ended, lasting=lasting)

        _kept(self.session, change)


@dataclass(slots=True)
class _Work:
    """A tool at work, in a thread of its own."""

    session: Session
    tool: Tool
    use: ToolUse
    text: str = ""
    failed: bool = False
    seconds: float = 0.0
    _printed: StringIO = field(default_factory=StringIO)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _done: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._work, name=f"tool {self.tool.name}", daemon=True).start()

    def runs(self, seconds: float) -> bool:
        """Whether it still runs after so many seconds."""
        return not self._done.wait(seconds)

    def stop(self) -> bool:
        """Ask it to stop; whether it did."""
        self._stopped.set()
        return self._done.wait(PATIENCE)

    def printed(self) -> str:
        """What it has printed so far, in one line."""
        return shortened(" ".join(text_of(self._printed.getvalue()).split()), 300)

    def _work(self) -> None:
        began = time.monotonic()
        try:
            workplace = self.session.tools.workplace(self._stopped.is_set)
            with printed_apart() as self._printed:
                self.text = text_of(self.tool.run(fitting(self.tool, self.use.arguments), workplace))
        except BaseException as error:  # sys.exit() too: the model is told, and the turn goes on
            self.text, self.failed = f"Failed: {_told(error)}", True
        finally:
            self.seconds = time.monotonic() - began
            self._done.set()


def _told(error: BaseException) -> str:
    """What a tool raised, as the model is told."""
    return text_of(str(error) if isinstance(error, ToolFailure) else f"{type(error).__name__}: {error}"[:500])
