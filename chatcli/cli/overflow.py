"""Input that is longer than the window: its beginning, its end, a larger window, or one answer made of answers to
its parts. Where the input is cut is decided by plans, and so by the best counts that there are.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from chatcli.attachments.compose import Composed
from chatcli.client.models import Model
from chatcli.context.outgoing import text_files, whole
from chatcli.conversation.events import Event
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Plan
from chatcli.conversation.reply_endings import ending_of
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import counted, in_tokens
from chatcli.errors import ContextTooLong, Interrupted, NoText
from chatcli.hints import Do, Hint
from chatcli.pattern import pattern
from chatcli.repl.signals import Interrupt
from chatcli.session.context_window import next_window, price
from chatcli.session.next_request import getting_ready
from chatcli.session.planning import plan_next
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.text import lines_in
from chatcli.turn import answer, ask

# Ends at which a text may be cut.
_PARAGRAPH, _LINE, _SENTENCE, _WORD, _ANYWHERE = map(
    pattern, (r"\n[ \t]*\n\s*", r"\n", r"[.!?]\s+", r"\s+", r"(?s:.)")
)
# For parts, and for a beginning or an end; the ends to be preferred come first.
_OF_PARTS = (_PARAGRAPH, _LINE, _SENTENCE, _WORD, _ANYWHERE)
_OF_LINES = (_LINE, _WORD, _ANYWHERE)

ERROR, CHUNK, GROW = "error", "chunk", "grow"


class LongInput:
    """The input for one question, of any length. Its text files count as text of it, unless `overflow` is error:
    then the passages of them that match are sent. `tell` shows a line, `feed` gets the events of the replies to
    parts, and `heard` each of those replies with its number and how many there are.
    """

    def __init__(
        self,
        session: Session,
        composed: Composed,
        tell: Callable[[str], object],
        feed: Callable[[Event], None],
        heard: Callable[[Node, int, int], object],
    ) -> None:
        self._session, self._composed = session, composed
        self._tell, self._feed, self._heard = tell, feed, heard
        piped = "\n\n".join(each.data.decode().strip("\n") for each in composed.piped)
        files = text_files(Message.user("", composed.attachments))
        self._attachments = tuple(each for each in composed.attachments if each.kind != "text")
        self._material = "\n\n".join(filter(str.strip, (whole(files), piped)))
        self._question = composed.text.removeprefix(piped).strip("\n")
        if not self._material:  # the prompt alone is long
            self._material, self._question = self._question, ""

    def question(self) -> Node:
        """The question to be answered, stored; answers to parts have been got before. Raises ContextTooLong."""
        way = self._session.settings[table.OVERFLOW]
        if way == ERROR:
            return ask(self._session, self._composed.text, self._composed.attachments)
        with Interrupt() as self._interrupt:
            self._wait()
            text = self._asking(self._material)
            refusal = self._refusal(text)
            return self._ask(text) if refusal is None else WAYS[way](self, refusal)

    def head(self, refusal: ContextTooLong) -> Node:
        """Ask about the beginning that fits."""
        return self._about(lambda size: self._material[:size], self._ends(0, _OF_LINES), "first", refusal)

    def tail(self, refusal: ContextTooLong) -> Node:
        """Ask about the end that fits."""
        text = self._material

        def ends(most: int) -> Iterator[Sequence[int]]:
            for end in _OF_LINES:
                yield [len(text) - found.end() for found in end.finditer(text, len(text) - most)][::-1]

        return self._about(lambda size: text[len(text) - size :], ends, "last", refusal)

    def grow(self, refusal: ContextTooLong) -> Node:
        """Ask in a window that is large enough, if the model was trained for one."""
        session, text = self._session, self._asking(self._material)
        model = session.model.get()
        still: ContextTooLong | None = refusal
        while still is not None:  # what the model needs besides may be more in a larger window
            size = _grown(still, session.window.get(), model)
            if size is None:
                raise still
            session.settings.put_value(table.NUM_CTX, size, Layer.FLAG)
            session.setting_changed(table.NUM_CTX)
            self._wait()
            still = self._refusal(text)
        window = session.window.get()
        self._tell(f"The window is {window} tokens now{price(model, window)}, so that the input fits.")
        return self._ask(text)

    def chunk(self, refusal: ContextTooLong) -> Node:
        """Ask about each part, and return the request to make one answer of the answers."""
        self._tell("The input does not fit the window: it is cut into parts, and each is asked about.")
        parts = list(self._parts(refusal))
        answers = []
        for number, part in enumerate(parts, start=1):
            self._tell(f"Part {number} of {len(parts)}...")
            reply = self._answer(self._asking(part, number, len(parts)))
            self._heard(reply, number, len(parts))
            answers.append(reply.message.text.strip())
        groups = self._groups(answers)
        while len(groups) > 1:
            if len(groups) == len(answers):
                raise _too_long_to_join(refusal)
            self._tell(f"The {len(answers)} answers do not fit into one request: they become {len(groups)}...")
            answers = [
                self._answer(self._joining(each)).message.text.strip() if len(each) > 1 else each[0]
                for each in groups
            ]
            groups = self._groups(answers)
        self._tell(f"One answer from {len(answers)}...")
        return self._ask(self._joining(answers))

    def _about(
        self,
        piece: Callable[[int], str],
        ends: Callable[[int], Iterator[Sequence[int]]],
        which: str,
        refusal: ContextTooLong,
    ) -> Node:
        text = self._material
        size = self._longest(lambda size: self._asking(piece(size)), len(text), ends, refusal)
        if not size:
            raise refusal
        sent, all_lines = lines_in(piece(size).strip("\n")), lines_in(text.strip("\n"))
        count = self._session.counter.text
        tokens, all_tokens = count(piece(size)), count(text)
        self._tell(
            f"The input does not fit the window: the {which} {sent} of {counted(all_lines, 'line')} are sent, "
            f"{tokens.tokens} of {in_tokens(all_tokens.tokens)}."
        )
        return self._ask(self._asking(piece(size)))

    def _parts(self, refusal: ContextTooLong) -> Iterator[str]:
        text, at = self._material, 0
        while text[at:].strip():
            begin = at
            size = self._longest(
                lambda size, begin=begin: self._asking(text[begin : begin + size], 9999, 9999),  # type: ignore[misc]
                len(text) - begin,
                self._ends(begin, _OF_PARTS),
                refusal,
            )
            if not size:
                raise refusal
            at += size
            yield text[begin:at].strip("\n")

    def _ends(self, begin: int, kinds: Sequence[re.Pattern[str]]) -> Callable[[int], Iterator[Sequence[int]]]:
        """Gives the sizes of beginnings of what follows `begin`, up to a size, for each kind of end."""
        text = self._material

        def ends(most: int) -> Iterator[Sequence[int]]:
            for end in kinds:
                sizes = [found.end() - begin for found in end.finditer(text, begin, begin + most)]
                yield sizes if begin + most < len(text) or sizes[-1:] == [most] else [*sizes, most]

        return ends

    def _longest(
        self,
        asking: Callable[[int], str],
        total: int,
        ends: Callable[[int], Iterator[Sequence[int]]],
        refusal: ContextTooLong,
    ) -> int:
        """The largest size up to `total` whose question fits and that is at an end; 0 where none fits. An end of a
        less preferred kind is taken only where it more than doubles the size.
        """

        def fits(size: int) -> bool:
            return self._leaves_room(asking(size))

        share = (refusal.available or 0) / (refusal.needed or 1)
        most = min(total, max(1, round(len(self._material) * share)))
        while fits(most) and most < total:
            most = min(total, most * 2)
        best = 0
        for sizes in ends(most):
            at = bisect_left(sizes, True, key=lambda size: not fits(size))
            size = sizes[at - 1] if at else 0
            best = size if size > 2 * best else best
            if (sizes[at] if at < len(sizes) else most) <= 2 * best:
                break
        return best

    def _refusal(self, text: str) -> ContextTooLong | None:
        """Why a question with this text does not fit; None where it does."""
        try:
            self._plan(text)
        except ContextTooLong as error:
            return error
        return None

    def _leaves_room(self, text: str) -> bool:
        """Whether a question with this text fits and leaves the whole reserve to the reply."""
        try:
            plan = self._plan(text)
        except ContextTooLong:
            return False
        return plan.free >= plan.reserve

    def _plan(self, text: str) -> Plan:
        if self._interrupt.asked:
            raise Interrupted("Interrupted.")
        coming = self._session.conversation.coming(Message.user(text, self._attachments), replacing=True)
        plan, _ = plan_next(self._session, coming)
        return plan

    def _asking(self, part: str, number: int = 1, count: int = 1) -> str:
        place = f"This is part {number} of {count} of a longer text." if count > 1 else ""
        return "\n\n".join(filter(None, (part.strip("\n"), place, self._question)))

    def _joining(self, answers: Sequence[str]) -> str:
        said = [f"Answer from part {number}:\n{each}" for number, each in enumerate(answers, start=1)]
        about = f"The same was asked of each part of a longer text, in order. {_MAKE_ONE}"
        return "\n\n".join(filter(None, (*said, about, self._question)))

    def _groups(self, answers: Sequence[str]) -> list[list[str]]:
        """As many of them together, in order, as fit into one request."""
        groups: list[list[str]] = []
        for each in answers:
            if groups and self._refusal(self._joining([*groups[-1], each])) is None:
                groups[-1].append(each)
            else:
                groups.append([each])
        return groups

    def _answer(self, text: str) -> Node:
        """The reply to this text, on a branch of its own: the tip stays where it is."""
        session, tip = self._session, self._session.conversation.tip
        try:
            reply = answer(session, self._ask(text), self._feed, lambda: self._interrupt.asked)
        finally:
            session.store.go_to(session.conversation, tip)
        if self._interrupt.asked or reply is None:
            raise Interrupted("Interrupted before the reply.")
        ended = ending_of(reply)
        if not reply.message.has_text and ended is not None:
            raise NoText(ended.what, ended.remedy)
        return reply

    def _ask(self, text: str) -> Node:
        return ask(self._session, text, self._attachments)

    def _wait(self) -> None:
        for _ in getting_ready(self._session):
            if self._interrupt.asked:
                raise Interrupted("Interrupted.")


_MAKE_ONE = "Make one answer of these answers."

# What is done for each value of the setting `overflow` with input that does not fit.
WAYS: dict[str, Callable[[LongInput, ContextTooLong], Node]] = {
    "head": LongInput.head,
    "tail": LongInput.tail,
    GROW: LongInput.grow,
    CHUNK: LongInput.chunk,
}


def _grown(refusal: ContextTooLong, window: int, model: Model) -> int | None:
    """The next window that would hold it; None where the model was not trained for one."""
    besides = window - (refusal.available or 0)
    return next_window(max((refusal.needed or 0) + besides, window + 1), model)


def with_ways(error: ContextTooLong, session: Session) -> ContextTooLong:
    """The error with what a shell can do about input that is too long."""
    ways = {CHUNK: "reads it in parts", "head": "its beginning", "tail": "its end"}
    if _grown(error, session.window.get(), session.model.get()) is not None:
        ways[GROW] = "takes a larger window"
    said = [part for way, does in ways.items() for part in (Do("set", "overflow", way), f" {does}, ")]
    said[-1] = f" {list(ways.values())[-1]}."
    error.advice = Hint(error.advice, " ", *said)
    return error


def _too_long_to_join(refusal: ContextTooLong) -> ContextTooLong:
    shorter = Hint("Have them shorter with ", Do("set", "num_predict"), ", or take a larger window with ")
    advice = Hint(shorter, Do("set", "num_ctx"), ".")
    error = ContextTooLong("No two of the answers to the parts fit into one request.", advice)
    error.needed, error.available = refusal.needed, refusal.available
    return error
