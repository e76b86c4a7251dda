"""Counter: what a message costs, by the best tier ready now. Vocabulary, template, ledger and disk are behind it.

A count is exact (`=`), made with the model's own vocabulary and template, or an estimate (`~`) of a bundled
encoding and the ledger. An estimate is on the safe side and already holds what the ledger has learnt, band
included: the planner adds up `count` of its messages and `fixed` of them all, keeps its own margin, and needs
nothing else. Importing this module, and counting before `warm_up` and `prepare`, costs no import of tiktoken.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Plan
from chatcli.conversation.usage import Count, Usage, total
from chatcli.errors import ChatcliError
from chatcli.tokens import cache
from chatcli.tokens.encoding import load, tokens_of
from chatcli.tokens.ledger import Ledger, Size
from chatcli.tokens.memo import Memo
from chatcli.tokens.scripts import split
from chatcli.tokens.source import Source

if TYPE_CHECKING:
    from tiktoken import Encoding

    from chatcli.tokens.exact import Exact


class Counter:
    """Counts for one model at a time. `cache` is where what was learnt outlives the program (None: nowhere).

    `tokenizer`: auto or model (the model's own vocabulary where there is one), o200k_base, cl100k_base.
    """

    def __init__(self, cache: Path | None, tokenizer: str = "auto") -> None:
        self._cache = cache
        self._tokenizer = tokenizer
        self._name = "cl100k_base" if tokenizer == "cl100k_base" else "o200k_base"
        self._encoding: Encoding | None = None
        self._exact: Exact | None = None
        self._source: Source | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._sizes: Memo[Size] = Memo()
        self._preset: tuple[Message, ...] = ()
        self._trouble = self._said = ""
        self._key = self._digest = ""
        self.use("", "")

    def use(self, model: str, digest: str, preset: Sequence[Message] = (), source: Source | None = None) -> None:
        """Count for this model from now on. What was learnt of it before is taken up again.

        `preset`: what the Modelfile puts before every request, its SYSTEM as a system message first.
        `source`: lets `prepare` get at the model's vocabulary and template. To be called again when the digest
        or the think setting changes.
        """
        key = digest or model
        before, now = (made.variant if made else "" for made in (self._source, source))
        if (key, now) != (self._key, before):
            self._exact, self._trouble = None, ""
        self._key, self._digest, self._source, self._preset = key, digest, source, tuple(preset)
        if key not in self._ledgers:
            self._ledgers[key] = self._restore()
        self._ledger = self._ledgers[key]

    def prepare(self) -> None:
        """Make exact counts ready: to be called in a background thread after `use`, again at will.

        From the cache it takes about 0.3 s; the first time, the server is asked for a few megabytes and a process
        works on them for a second or two. Where there is nothing to be had, counts stay estimates: see `notice`.
        """
        from chatcli.tokens.prepare import Unusable, prepare

        key, source = self._key, self._source
        if self._exact or source is None or self._tokenizer not in {"auto", "model"}:
            return
        try:
            exact = prepare(self._cache, self._digest, source, self._preset)
        except Unusable as error:
            self._trouble = f"the model's vocabulary {error}"
            return
        except ChatcliError as error:
            self._trouble = f"the server did not show the model's vocabulary: {error}"
            return
        except Exception as error:  # whatever a server shows, the chat goes on
            self._trouble = f"the model's vocabulary cannot be read ({type(error).__name__}: {error})"
            return
        if (key, source) == (self._key, self._source):
            self._exact, self._trouble = exact, ""
            if not exact.vocabulary.known:
                self._trouble = f"how the model's vocabulary cuts words ({exact.vocabulary.pre}) is not known here"

    @property
    def ready(self) -> bool:
        """Is a vocabulary loaded? Before that, counts are made from characters."""
        return self._exact is not None or self._encoding is not None

    def warm_up(self) -> None:
        """Load the bundled encoding if there is nothing better: about 0.2 s in which no other thread runs, so when
        no key is awaited, or at Enter.
        """
        if not self.ready:
            self._encoding = load(self._name)
            self._sizes = Memo()

    def count(self, message: Message) -> Count:
        """What `message` adds to a prompt: its text, its pictures, and the template's text around its role.
        Thinking counts as far as the template shows it: whoever does not send it takes it off before.

        Attached text files are counted by whoever puts them into the text.
        """
        if self._exact:
            return self._exact.cost(message)
        key = _key(message)
        return Count(self._ledger.cost(key, self._size(key, message)))

    def text(self, text: str) -> Count:
        """What the text alone costs, without a template: for the line being typed, files and stdin."""
        return self._exact.text(text) if self._exact else Count(self._ledger.text(self._measure(text)))

    def fixed(self, messages: Sequence[Message] = ()) -> Count:
        """What a request of `messages` (or of one question) costs besides their `count`: beginning, end, the
        Modelfile's own messages, and what else the sum of the parts leaves over.

        The Modelfile's SYSTEM gives way to a request that begins with a system message.
        """
        if self._exact:
            return self._exact.fixed(messages)
        replaced = bool(messages) and messages[0].role is Role.SYSTEM
        preset = [m for m in self._preset if not (replaced and m.role is Role.SYSTEM)]
        return Count(self._ledger.fixed + sum(self.count(message).tokens for message in preset))

    def prompt(self, messages: Sequence[Message]) -> Count:
        """What the server will count for a request of `messages`: `fixed` of them and every `count`."""
        return (
            self._exact.prompt(messages)
            if self._exact
            else total([self.fixed(messages), *map(self.count, messages)])
        )

    def learn(self, plan: Plan, usage: Usage, reply: Message | None = None) -> None:
        """A reply has ended: take its prompt's true size, and the reply's own, for what they teach.

        Not learnt from: no count, a count below half of the estimate (an old server that leaves out its cache), or
        one that fills the window (an old server that has cut the prompt).
        """
        measured = usage.prompt_tokens
        if measured is None or not self.ready or (plan.window and measured >= plan.window * 0.97):
            return
        if self._exact:
            if measured >= sum(self._exact.text(message.text).tokens for message in plan.messages) // 2:
                self._exact.learn(plan.messages, measured)
                self._keep_exact()
            return
        sized = self._sized(plan.messages)
        raw = sum(sum(size.text) for _, size in sized)
        if measured < raw // 2 or any(message.thinking for message in plan.messages):
            return  # whether the template shows that thinking is not known here
        self._ledger.settle(sized, measured - self._preset_tokens(plan))
        if reply is not None and usage.reply_tokens and not reply.thinking and not reply.tool_uses:
            self._ledger.charge(_key(reply), usage.reply_tokens + self._ledger.estimate(Size()))
        self._keep()

    def too_long(self, needed: int | None, plan: Plan) -> None:
        """The server refused the prompt: `needed` tokens where it said so. Else an estimate was too small for the
        window, and an exact count by a little at most.
        """
        tokens = needed or ceil(1.25 * max(0 if self._exact else plan.window, plan.planned.tokens))
        if self._exact:
            self._exact.raise_to(plan.messages, tokens)
            return
        sized = self._sized(plan.messages)
        self._ledger.raise_to(sized, tokens - self._preset_tokens(plan))

    def relent(self) -> None:
        """The server refused the smaller prompt too: the counts were not to blame."""
        if self._exact:
            self._exact.relent()
        self._ledger.relent()

    def describe(self) -> str:
        """How counts are made now, in a few words: "o200k_base, estimated"."""
        if self._exact:
            return self._exact.describe()
        return f"{self._name}, estimated" if self.ready else "characters, estimated"

    def notice(self) -> str:
        """What is to be said about counting, once: why counts are only estimates. "" when there is nothing new."""
        said, self._said = self._said, self._trouble
        return f"Counts are estimates: {self._trouble}." if self._trouble not in {"", said} else ""

    def _size(self, key: Hashable, message: Message) -> Size:
        def measure() -> Size:
            calls = "".join(f"{use.name} {dict(use.arguments)}" for use in message.tool_uses)
            said = message.thinking + message.text + calls
            return Size(self._measure(said).text, len(message.images))

        return self._sizes.get(key, len(message.text) + len(message.thinking), measure)

    def _sized(self, messages: Sequence[Message]) -> list[tuple[Hashable, Size]]:
        keys = [_key(message) for message in messages]
        return [(key, self._size(key, message)) for key, message in zip(keys, messages, strict=True)]

    def _preset_tokens(self, plan: Plan) -> int:
        return self.fixed(plan.messages).tokens - self._ledger.fixed

    def _measure(self, text: str) -> Size:
        if self._encoding is None:
            return Size(tuple(ceil(len(part) / (3 if part.isascii() else 1)) for part in split(text)))
        encoding = self._encoding
        return Size(tuple(tokens_of(encoding, part) if part else 0 for part in split(text)))

    def _restore(self) -> Ledger:
        ledger = Ledger()
        if self._cache is not None and self._key:
            ledger.restore(cache.read(self._file(self._cache)) or b"")
        return ledger

    def _keep(self) -> None:
        if self._cache is not None and self._key:
            cache.write(self._file(self._cache), self._ledger.dump())

    def _keep_exact(self) -> None:
        from chatcli.tokens.prepare import keep

        if self._exact and self._source:
            keep(self._cache, self._digest, self._source, self._exact)

    def _file(self, directory: Path) -> Path:
        return cache.file_for(directory, self._key, f".{self._name}.rates")


def _key(message: Message) -> Hashable:
    calls = tuple((use.name, repr(use.arguments)) for use in message.tool_uses)
    images = tuple(image.digest for image in message.images)
    return (message.role, message.text, message.thinking, images, calls)
