"""Exact counts: with the model's own vocabulary, and with its template where the server renders it.

Each prompt measured by the server is compared with the count. A difference that comes again is a property of this
server (one more token at the beginning, or for every reply) and is added from then on. One that does not come
again turns the counts into estimates, until they agree again. A prompt that begins with a measured one is counted
from its end on. Tool calls are counted as the server renders them (tool_costs.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from typing import NamedTuple

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.conversation.usage import Count
from chatcli.dataclass import dataclass
from chatcli.tokens.cache import Memo
from chatcli.tokens.learned_costs import IMAGE
from chatcli.tokens.measured import Measured, name_of
from chatcli.tokens.template import STRIPS, SYSTEM, THINKING, Piece, Template, leading
from chatcli.tokens.tool_costs import (
    AROUND_RESULT,
    AT_ONCE,
    STAND_IN,
    Group,
    ToolCosts,
    apart,
    as_it_is,
    has_calls,
    probe,
    read_probe,
)
from chatcli.tokens.vocabulary import Vocabulary

_QUESTION = Message.user("x")
_SLACK = 4  # tokens by which role names differ, and unknown text may be split differently


@dataclass(slots=True)
class Correction:
    """What a prompt costs more than vocabulary and template say: `fixed`, and `each` for every reply in it.

    `sound`: what was new in the last prompt cost what was counted. `founded`: so did the whole of a prompt that
    does not begin with a measured one. `measured`: the last prompt, as (replies, missing tokens). `doubt`: the
    value of `each` before it was solved for, and the message that may be the reason instead, with its number of
    tokens.
    """

    fixed: int = 0
    each: int = 0
    sound: bool = True
    founded: bool = True
    solved: bool = False
    measured: tuple[int, int] | None = None
    doubt: tuple[int, str, int] | None = None

    def of(self, replies: int) -> int:
        """Tokens to add. Negative only while counts agree with the server: one measurement is too few."""
        added = self.fixed + self.each * replies
        return added if self.sound and self.founded else max(0, added)

    def settle(self, replies: int, missing: int, begun: tuple[int, int] | None = None) -> int:
        """A prompt with `replies` replies cost `missing` tokens more than counted: agree, solve for both unknowns,
        or shift.

        `begun`: the same two values of a measured prompt that it begins with; the return value is then charged to
        a new message.

        A solution that subtracts tokens elsewhere is rejected: then it is not every reply but one message that the
        server cuts into more tokens than it should (Ollama's own engine does so on some runs of newlines).
        """
        before, self.measured = begun or self.measured, (replies, missing)
        expected = (begun[1] + self.each * (replies - begun[0])) if begun else self.fixed + self.each * replies
        if missing == expected:
            self.sound, self.founded = True, self.founded or begun is None
            return 0
        self.sound, each = False, self.each
        self._solve(before, replies, missing)
        if begun is None:
            self.fixed, self.founded = missing - self.each * replies, False
            return 0
        if self.each != each and not self.founded:
            self.fixed = begun[1] - self.each * begun[0]
        return missing - begun[1] - self.each * (replies - begun[0])

    def _solve(self, before: tuple[int, int] | None, replies: int, missing: int) -> None:
        # A first question has no reply before it: every prompt costs the same amount more.
        if before is None or not replies or (apart := replies - before[0]) == 0 or (missing - before[1]) % apart:
            return
        each = (missing - before[1]) // apart
        # Two measurements for two unknowns are enough once, without a template; after that, they have to agree.
        first, self.solved = not self.solved, True
        if missing - each * replies >= 0:
            self.each, self.sound = each, first and not self.founded


class _Begun(NamedTuple):
    """A measured beginning of a prompt: its messages cost so many tokens, `missing` more than counted."""

    messages: int
    tokens: int
    missing: int
    turns: int


@dataclass(slots=True)
class Exact:
    """Counts for one model. Without a template, what a template adds is learnt from two measured prompts.

    `preset`: tokens of the Modelfile's SYSTEM, which a system message replaces, where no template shows this.
    `short`: the most by which a prompt whose template text is uncertain has exceeded its count. `odd`: by message,
    what it costs beyond its count. `raised`: by how much a refused prompt was longer than planned.
    """

    vocabulary: Vocabulary
    template: Template | None
    correction: Correction = field(default_factory=Correction)
    images: dict[str, int] = field(default_factory=dict)
    raised: int = 0
    preset: int = 0
    short: int = 0
    odd: dict[str, int] = field(default_factory=dict)
    tools: ToolCosts = field(default_factory=ToolCosts)
    led: int = -1  # system messages at the front of the last measured prompt; -1: none was measured
    measured: Measured = field(default_factory=Measured)
    records: list[tuple[Sequence[Message], int]] = field(default_factory=list)
    tries: int = 3  # attempts to read the vocabulary in other ways; each takes as long as loading it
    walked: Memo[int] = field(default_factory=Memo)  # what messages cost alone

    @classmethod
    def begin(
        cls, vocabulary: Vocabulary, template: Template | None, preset: Sequence[Message] = (), tools: str = ""
    ) -> Exact:
        """`preset`: the messages before every prompt; `tools`: the definitions as text. A template includes both
        by itself.
        """
        if template:
            return cls(vocabulary, template)
        costs = [12 + vocabulary.count(message.text) for message in preset]
        own, first = sum(costs[: leading(preset)]), 24 + sum(costs) + vocabulary.count(tools)
        return cls(vocabulary, None, Correction(first, 12, sound=False, founded=False), preset=own)

    @property
    def sound(self) -> bool:
        return self.vocabulary.known and self.correction.sound

    def text(self, text: str) -> Count:
        return Count(self.vocabulary.count(text), self.vocabulary.known)

    def prompt(self, messages: Sequence[Message]) -> Count:
        """What the server counts for a request of these messages."""
        tokens, certain = self._counted(messages)
        begun = self._begun(messages) if certain else None
        new = messages[begun.messages :] if begun else messages
        otherwise = 0
        if begun:
            tokens += begun.missing + self.correction.each * (self._turns(messages) - begun.turns)
        else:
            otherwise = self._led_otherwise(messages)
            tokens += self.correction.of(self._turns(messages)) + otherwise
        # Calls are no unknown text: they are rendered before they are sent.
        slack = 0 if self.template is not None and has_calls(messages) else _SLACK + len(messages)
        tokens += self.raised + (0 if certain else slack + self.short)
        seen = all(image.digest in self.images for message in new for image in message.images)
        sure = self.sound and (begun is not None or self.correction.founded)
        return Count(max(0, tokens), certain and seen and sure and not otherwise)

    def cost(self, message: Message) -> Count:
        """What one message adds to a prompt. The rest of `prompt` beyond these sums is the request's own."""
        if self.template is not None and has_calls([message]):
            tokens, known = self._called(message)
            return Count(tokens + self._odd([message]), self.sound and known)
        tokens = self._alone(message) + self._calls([message]) + self._odd([message])
        if self.template is None and message.role == Role.ASSISTANT:
            tokens += self.correction.each
        seen = all(image.digest in self.images for image in message.images)
        return Count(tokens, self.sound and seen and not message.tool_uses)

    def fixed(self, messages: Sequence[Message]) -> Count:
        """What a request of these messages (plus a question, where there is only a system message) costs besides
        them. Negative where the server merges several messages into one.
        """
        asked = messages if leading(messages) < len(messages) else [*messages, _QUESTION]
        whole, parts = self.prompt(asked), [self.cost(message) for message in asked]
        return Count(whole.tokens - sum(part.tokens for part in parts), whole.exact)

    def read(self, messages: Sequence[Message], render: Callable[[Sequence[Message]], str | None]) -> bool:
        """Count a request that has calls from what `render` writes for it; nothing is asked twice. Returns whether
        this changed what the request, or a part of it, costs.
        """
        if self.template is None or not has_calls(messages):
            return False
        rendered = self.tools.rendered_like(messages)
        found = rendered.longest(messages)
        if found and found.messages == len(messages):
            return False
        learnt = self.learn_calls(messages, render)
        written = render([replace(message, attachments=()) for message in messages])
        if written is None:
            return learnt
        before = self._counted(messages)
        rendered.note(rendered.fingerprint(messages), self.vocabulary.around + self._walk([Piece(written)]))
        now = self._counted(messages)
        if messages[-1].role is Role.USER:
            self.tools.agrees = before[0] == now[0]
        return learnt or before != now

    def learn_calls(self, messages: Sequence[Message], render: Callable[[Sequence[Message]], str | None]) -> bool:
        """Learn what the replies with calls add to a prompt; returns whether there was something to learn."""
        if self.template is None:
            return False
        new = {name: each for each in messages if each.calls and (name := name_of(each)) not in self.tools.calls}
        names, replies = list(new), list(new.values())
        for at in range(0, len(replies), AT_ONCE):
            some = replies[at : at + AT_ONCE]
            for name, texts in zip(names[at:], read_probe(some, render(probe(some)) or ""), strict=False):
                self.tools.calls[name] = sum(self._walk([Piece(text)]) for text in texts)
        return bool(new)

    def learn(self, messages: Sequence[Message], measured: int) -> None:
        planned, self.raised = self.prompt(messages).tokens - self.raised, 0
        if self._counted(messages)[1]:
            self._learn(messages, measured, measured - planned)
        else:
            self.short += max(0, measured - planned)
        self.measured.note(self.measured.fingerprint(messages), measured)

    def _learn(self, messages: Sequence[Message], measured: int, more: int) -> None:
        """A prompt whose template text is certain cost `more` than planned."""
        unseen = {i.digest: i for message in messages for i in message.images if i.digest not in self.images}
        if unseen:
            if self.correction.sound:
                share = round(more / len(unseen))
                self.images.update(dict.fromkeys(unseen, max(0, self._image() + share)))
            return
        begun = self._begun(messages)
        if begun is None and self._led_otherwise(messages):
            self.correction.measured = None  # what is missing now does not come from the replies in between
        self.led = leading(messages)
        called = has_calls(messages)  # counted with this vocabulary: it says nothing about others
        if not called:
            known = self.records or ([(messages[: begun.messages], begun.tokens)] if begun else [])
            self.records = [*known, (messages, measured)][-2:]
        if more and not called:
            if self._read_otherwise(abs(more)):
                return
            if self.vocabulary.way:  # another way, which matched by chance
                self.vocabulary, self.correction, self.odd = self.vocabulary.read_as(""), Correction(), {}
                self.tools = ToolCosts(definitions=self.tools.definitions)
            begun = self._begun(messages)
        if begun is not None and begun.messages == len(messages) and begun.tokens != measured:
            begun = None  # the same prompt has another count now
        self._settle(messages, measured, begun)

    def _settle(self, messages: Sequence[Message], measured: int, begun: _Begun | None) -> None:
        """Compare the count with the measurement; a difference that only one new message explains is charged to
        it.
        """
        missing, before = measured - self._counted(messages)[0], self.correction.each
        odd = self.correction.settle(
            self._turns(messages), missing, (begun.turns, begun.missing) if begun is not None else None
        )
        each, doubt = self.correction.each, self.correction.doubt
        self.correction.doubt = None
        if begun is None:
            return
        name = next((name_of(m) for m in reversed(messages) if m.role == Role.USER), "")
        if each != before and doubt is not None and each == doubt[0]:
            _, name, odd = doubt  # so it was that message
        elif each != before:
            self.correction.doubt = (before, name, missing - begun.missing)
        elif odd > 0 and any(name_of(message) == name for message in messages[: begun.messages]):
            return  # it was there before, and cost nothing more
        if odd > 0 or name in self.odd:
            self.odd[name] = max(0, self.odd.get(name, 0) + odd)
            self.correction.measured = (self._turns(messages), measured - self._counted(messages)[0])

    def raise_to(self, messages: Sequence[Message], tokens: int) -> None:
        """The server refused a prompt of these messages: count it as at least `tokens` until one is measured."""
        self.raised += max(0, tokens - self.prompt(messages).tokens)
        self.correction.sound = False

    def relent(self) -> None:
        """Undo what refusals raised: it did not help."""
        self.raised = 0

    def describe(self) -> str:
        if not self.vocabulary.known:
            cut = f"how it cuts words ({self.vocabulary.pre}) is not known here"
            return f"the model's own vocabulary, estimated: {cut}"
        if not self.correction.sound:
            why = "the server counts differently" if self.template else "its template is not known yet"
            return f"the model's own vocabulary, estimated: {why}"
        return "the model's own vocabulary" + (" and template" if self.template else "")

    def _read_otherwise(self, missing: int) -> bool:
        """Perhaps this server splits text in another way: find one that gives what was measured.

        A difference of one or two tokens is more likely caused by how prompts begin, so it takes two measurements;
        not for SentencePiece, where the only other way differs by as little.
        """
        plain = len(self.records) < 2 and missing < 3 and not self.vocabulary.is_sentencepiece
        if self.template is None or not self.tries or plain:
            return False
        self.tries -= 1
        for other in self.vocabulary.others():
            read = replace(self, vocabulary=other)
            if all(read._counted(sent)[0] == measured for sent, measured in self.records):
                self.vocabulary, self.odd = other, {}
                self.tools = ToolCosts(definitions=self.tools.definitions)
                self.correction = Correction(sound=len(self.records) == 2)
                return True
        return False

    def _counted(self, messages: Sequence[Message]) -> tuple[int, bool]:
        if self.template is not None:
            count = self._with_calls if has_calls(messages) else self._summed
            tokens, certain = count(messages)
            return tokens + self._odd(messages), certain
        calls = self._calls(messages) + self._odd(messages)
        texts = sum(self._alone(message) for message in messages)
        certain = _alternates(messages) and not has_calls(messages)
        return self.vocabulary.around + texts + calls, certain

    def _summed(self, messages: Sequence[Message]) -> tuple[int, bool]:
        """Template and texts, with each group of calls as what it adds; and whether the template is certain."""
        template, groups, stand_ins = self.template or Template({}), list[Group](), 0
        if has_calls(messages):
            messages, groups, stand_ins = apart(messages)
        pieces, certain = template.write(messages)
        tokens = self.vocabulary.around + self._walk(pieces)
        if stand_ins:
            tokens -= stand_ins * self._alone(STAND_IN)
        for reply, results in groups:
            tokens += self._called(reply)[0] if reply else AROUND_RESULT
            tokens += sum(self.vocabulary.count(result.text) for result in results)
        return tokens, certain

    def _with_calls(self, messages: Sequence[Message]) -> tuple[int, bool]:
        """The sum, corrected by what the longest beginning that was rendered costs. It is certain for what was
        rendered, and, while such sums agree with the server, for a question after calls that are known.
        """
        found = self.tools.rendered_like(messages).longest(messages)
        before = messages[: found.messages] if found else ()
        tokens = sum(self._image(image) for message in before for image in message.images)
        tokens += found.tokens if found else 0
        if len(before) == len(messages):
            return tokens, True
        summed, certain = self._summed(messages)
        summed += tokens - self._summed(before)[0] if found else 0
        if not certain or not self.tools.agrees or messages[-1].role is not Role.USER:
            return summed, False
        after = [message for message in messages[len(before) :] if has_calls([message])]
        return summed, all(self._called(m)[1] if m.calls else as_it_is(m.text) for m in after)

    def _called(self, message: Message) -> tuple[int, bool]:
        """What a reply with calls, or a result, adds to a prompt, and whether that is known."""
        if message.role is Role.TOOL:
            return self.vocabulary.count(message.text), True
        known = self.tools.calls.get(name_of(message))
        if known is not None:
            return known, True
        plain = replace(message, tool_uses=())
        around = AROUND_RESULT * len(message.calls)
        return self._alone(plain) + self._calls([message]) + around, False

    def _led_otherwise(self, messages: Sequence[Message]) -> int:
        """Without a template: the most that it can cost that only one of the two, the last measured prompt or this
        one, has a system message.
        """
        now = leading(messages)
        if self.template is not None or self.led in {-1, now}:
            return 0
        return 12 if now else 12 + self.preset

    def _begun(self, messages: Sequence[Message]) -> _Begun | None:
        """The measured beginning of this prompt, where its template text was certain."""
        found = self.measured.longest(messages)
        if found is None:
            return None
        before = messages[: found.messages]
        counted, certain = self._counted(before)
        return _Begun(*found, found.tokens - counted, self._turns(before)) if certain else None

    def _turns(self, messages: Sequence[Message]) -> int:
        """How often the correction for a reply applies: without a template, to questions as well."""
        replies = _replies(messages)
        if self.template is not None:
            return replies
        return max(replies, len(messages) - leading(messages) - replies - 1)

    def _alone(self, message: Message) -> int:
        """Tokens of one message between its usual neighbors."""
        if message.images:
            return self._walk(self._pieces(message))
        key = (self.vocabulary.way, message.role, message.text, message.thinking)
        size = len(message.text) + len(message.thinking)
        return self.walked.get(key, size, lambda: self._walk(self._pieces(message)))

    def _pieces(self, message: Message) -> list[Piece]:
        """One message between its usual neighbors, from the first special token before its text to the one that
        ends it.
        """
        if self.template is None:
            return [Piece(message.text, message.images)]
        text = STRIPS[self.template.strips.get(message.role, "")](message.text)
        if message.role == Role.SYSTEM:
            shown, _ = self.template.gap(["s", "^", "user!", "$"])
            return [Piece(text)] * max(1, shown.count(SYSTEM))
        reply = message.role == Role.ASSISTANT
        kind = "assistant+" if message.thinking and not self.template.forgets else "assistant"
        before, _ = self.template.gap(["-", "user", kind] if reply else ["-", "assistant", "user"])
        after, _ = self.template.gap(["-", kind, "user"] if reply else ["-", "user", "assistant"])
        marks = self.vocabulary.marks
        start, end = marks.cut(before), marks.cut(after)
        opening = "".join(start[1:]) if len(start) > 1 else before
        closing = end[0] if len(end) > 1 else ""
        return [
            Piece(opening.replace(THINKING, message.thinking).replace(SYSTEM, "")),
            Piece(text, message.images),
            Piece(closing),
        ]

    def _walk(self, pieces: Iterable[Piece]) -> int:
        """Tokens of a text in pieces. The text between two special tokens is counted as one: its pieces merge."""
        tokens, pending = 0, ""
        for text, images in pieces:
            if images:
                tokens += self.vocabulary.count(pending) + sum(self._image(image) for image in images)
                pending = ""
            first, *rest = self.vocabulary.marks.cut(text)
            pending += first
            for mark, following in zip(rest[::2], rest[1::2], strict=True):
                tokens += self.vocabulary.count(pending) + (1 if mark else 0)
                pending = following
        return tokens + self.vocabulary.count(pending)

    def _image(self, image: Attachment | None = None) -> int:
        usual = sorted(self.images.values())[len(self.images) // 2] if self.images else IMAGE
        return self.images.get(image.digest, usual) if image else usual

    def _odd(self, messages: Iterable[Message]) -> int:
        """What messages cost beyond their count, as far as that was measured."""
        return sum(self.odd.get(name_of(message), 0) for message in messages) if self.odd else 0

    def _calls(self, messages: Iterable[Message]) -> int:
        """Tool calls are written differently by each template: a rough figure."""
        return sum(
            8 + self.vocabulary.count(f"{use.name} {dict(use.arguments)}") for m in messages for use in m.calls
        )


def _alternates(messages: Sequence[Message]) -> bool:
    """Whether it is question, reply, question, ...: the correction for each reply was learnt from such prompts."""
    roles = [message.role for message in messages[leading(messages) :]]
    usual = (Role.USER, Role.ASSISTANT)
    return len(roles) % 2 == 1 and all(role == usual[at % 2] for at, role in enumerate(roles))


def _replies(messages: Iterable[Message]) -> int:
    return sum(message.role == Role.ASSISTANT for message in messages)
