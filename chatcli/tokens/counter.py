"""Counter: what a message costs, counted by the best method ready now. Vocabulary, template, learned costs and
disk are behind it.

A count is exact (`=`), made with the model's own vocabulary and template, or an estimate (`~`) from a bundled
encoding and the learned costs. An estimate is on the safe side and already includes what was learnt and a safety
band: the planner adds the `count` of each message and the `fixed` of all of them, keeps its own margin, and
needs nothing else. Importing this module, and counting before `warm_up` and `prepare`, does not import tiktoken.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Plan
from chatcli.conversation.usage import NOTHING, Count, Turn, Usage, total
from chatcli.errors import ChatcliError
from chatcli.tokens import cache
from chatcli.tokens.cache import Memo
from chatcli.tokens.encoding import load, tokens_of
from chatcli.tokens.learned_costs import LearnedCosts, Size, split
from chatcli.tokens.measured import Beginning, Measured
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.template import leading
from chatcli.tokens.tool_costs import Definitions, as_text, has_calls

if TYPE_CHECKING:
    from tiktoken import Encoding

    from chatcli.tokens.exact import Exact

MOST_TRIES = 5
_AGAIN = " It is tried again after the next reply."


class Counter:
    """Counts for one model at a time. `cache`: the directory in which what was learnt is kept (None: nowhere).

    `tokenizer`: auto or model (the model's own vocabulary where there is one), o200k_base, cl100k_base.
    """

    def __init__(self, cache: Path | None, tokenizer: str = "auto") -> None:
        self._cache = cache
        self._tokenizer = tokenizer
        self._name = "cl100k_base" if tokenizer == "cl100k_base" else "o200k_base"
        self._encoding: Encoding | None = None
        self._exact: Exact | None = None
        self._source: ModelSource | None = None
        self._learned_of: dict[str, LearnedCosts] = {}
        self._prompts: dict[str, Measured] = {}
        self._sizes: Memo[Size] = Memo()
        self._preset: tuple[Message, ...] = ()
        self._trouble = self._said = ""
        self._failures = 0  # temporary failures of `prepare` in a row
        self._key = self._digest = ""
        self.use("", "")

    def use(
        self, model: str, digest: str, preset: Sequence[Message] = (), source: ModelSource | None = None
    ) -> None:
        """Count for this model from now on. What was learnt of it before is loaded.

        `preset`: what the Modelfile puts before every request; its SYSTEM comes first, as a system message.
        `source`: gives `prepare` access to the model's vocabulary and template. Call this again when the digest or
        the think setting changes.
        """
        key = digest or model
        before, now = (made.variant if made else "" for made in (self._source, source))
        if (key, now) != (self._key, before):
            self._exact, self._trouble, self._failures = None, "", 0
        self._key, self._digest, self._source, self._preset = key, digest, source, tuple(preset)
        if key not in self._learned_of:
            self._learned_of[key] = self._restore()
        self._learned = self._learned_of[key]
        kind = f"{key}\n{now}"
        self._measured = self._prompts.setdefault(kind, Measured(kind))

    def prepare(self) -> None:
        """Make exact counts ready. Call it in a background thread after `use`; calling it again is safe.

        From the cache it takes about 0.3 s; the first time, a few megabytes are fetched from the server and a
        process works on them for a second or two. If exact counts are not possible, counts stay estimates: see
        `why`. After a temporary failure the next call tries again, as long as `tries_again` says so.
        """
        from chatcli.tokens.prepare import PASSING, Unusable, prepare

        key, source = self._key, self._source
        if (self._exact and not self._failures) or source is None or self._tokenizer not in {"auto", "model"}:
            return
        exact: Exact | None = None
        failure: Exception | None = None
        try:
            exact, failure = prepare(self._cache, self._digest, source, self._preset)
            trouble = f"the server did not show how the model writes a prompt: {failure}" if failure else ""
        except Unusable as error:
            trouble = f"the model's vocabulary {error}"
        except ChatcliError as error:
            failure, trouble = error, f"the server did not show the model's vocabulary: {error}"
        except Exception as error:  # whatever a server shows, the chat goes on
            trouble = f"the model's vocabulary cannot be read ({type(error).__name__}: {error})"
        if (key, source) != (self._key, self._source):
            return
        self._failures = self._failures + 1 if isinstance(failure, PASSING) else 0
        if exact is not None and (failure is None or self._exact is None):
            exact.measured = self._measured
            self._exact = exact
            if not exact.vocabulary.known:
                trouble = f"how the model's vocabulary cuts words ({exact.vocabulary.pre}) is not known here"
        self._trouble = trouble

    @property
    def tries_again(self) -> bool:
        """Whether `prepare` is worth calling again: its last failure was temporary, and there were not
        too many.
        """
        return 0 < self._failures < MOST_TRIES

    @property
    def ready(self) -> bool:
        """Whether a vocabulary is loaded. Before that, counts are made from the number of characters."""
        return self._exact is not None or self._encoding is not None

    def warm_up(self) -> None:
        """Load the bundled encoding if there is nothing better. It takes about 0.2 s, in which no other thread
        runs: call it when no key is expected, or at Enter.
        """
        if not self.ready:
            self._encoding = load(self._name)
            self._sizes = Memo()

    def count(self, message: Message) -> Count:
        """What `message` adds to a prompt: its text, its images, and the template's text around its role. Thinking
        counts as far as the template shows it: callers that do not send it remove it first.

        Attached text files are counted by the caller that puts them into the text.
        """
        if self._exact:
            return self._exact.cost(message)
        key = _key(message)
        return Count(self._learned.cost(key, self._size(key, message)))

    def text(self, text: str) -> Count:
        """What the text alone costs, without a template: for the line being typed, files and stdin."""
        return self._exact.text(text) if self._exact else Count(self._learned.text(self._measure(text)))

    def fixed(self, messages: Sequence[Message] = ()) -> Count:
        """What a request of `messages` (or of one question) costs besides their `count`: beginning, end, the
        Modelfile's own messages, and any difference between the whole and the sum of its parts.

        The Modelfile's SYSTEM is not counted for a request that begins with a system message.
        """
        if self._exact:
            return self._exact.fixed(messages)
        replaced = bool(messages) and messages[0].role is Role.SYSTEM
        preset = [m for m in self._preset if not (replaced and m.role is Role.SYSTEM)]
        besides = self.definitions(messages).tokens + sum(self.count(message).tokens for message in preset)
        return Count(self._learned.fixed + besides)

    def definitions(self, messages: Sequence[Message] = ()) -> Count:
        """What the definitions of the tools cost in a request of `messages`: a part of `fixed`."""
        known, tools = (
            self._exact.tools.definitions if self._exact else (),
            self._source.tools if self._source else (),
        )
        return Count(known[leading(messages) > 0], exact=True) if known else self._about(tools)

    def _about(self, tools: Definitions) -> Count:
        """An estimate from the definitions as JSON."""
        if not tools:
            return NOTHING
        text = as_text(tools)
        if self._exact:
            return Count(self._exact.text(text).tokens)
        return Count(self._learned.text(self._sizes.get(("tools", text), len(text), lambda: self._measure(text))))

    def learn_calls(self, messages: Sequence[Message]) -> bool:
        """Ask the server what the replies with calls among these add to a prompt, where that is not known. Returns
        whether there was something to learn.
        """
        if self._exact and self._source and has_calls(messages):
            with suppress(ChatcliError):
                return self._exact.learn_calls(messages, self._source.write)
        return False

    def render(self, messages: Sequence[Message]) -> bool:
        """Have the server write a request that has tool calls, and count it from that: the same request is then
        counted exactly. It takes a request or two to the server. Returns whether this changed what the request, or
        a part of it, costs.
        """
        if not self._exact or not self._source or not has_calls(messages):
            return False
        try:
            return self._exact.read(messages, self._source.write)
        except ChatcliError:
            return False  # the request itself will tell

    def prompt(self, messages: Sequence[Message]) -> Count:
        """What the server will count for a request of `messages`: `fixed` of them and every `count`."""
        return (
            self._exact.prompt(messages)
            if self._exact
            else total([self.fixed(messages), *map(self.count, messages)])
        )

    def learn(self, plan: Plan, usage: Usage, reply: Message | None = None) -> None:
        """A reply has ended: learn from its prompt's true size, where that `fits`, and from the reply's
        own size.
        """
        measured = usage.prompt_tokens
        if measured is None or not self.ready or not self.fits(plan, usage):
            return
        if self._exact:
            self._exact.learn(plan.messages, measured)
            self._keep_exact()
            return
        self._measured.note(self._measured.fingerprint(plan.messages), measured)
        if any(message.thinking for message in plan.messages):
            return  # whether the template shows that thinking is not known here
        own = measured - self._preset_of(plan.messages)
        self._learned.settle(self._sized(plan.messages), own, teaches=not (self._source and self._source.tools))
        if reply is not None:
            self._charge(reply, usage)
        self._keep()

    def fits(self, plan: Plan, usage: Usage) -> bool:
        """Whether the prompt's size is worth learning. Not where the server gave none, where it is below half of
        the estimate (an old server that leaves out its cache), where it fills the window (a server that cut the
        prompt), where the server may have cut it, or where it has more, or less, in it than the messages.
        """
        measured = usage.prompt_tokens
        if not plan.is_chat:
            return False
        if plan.server_cuts and plan.planned.tokens + plan.margin > plan.window:
            return False
        if measured is None or (plan.window and measured >= plan.window * 0.97):
            return False
        return measured >= self._least(plan.messages)

    def fingerprint(self, plan: Plan, usage: Usage) -> str:
        """The plan's prompt as `take_up` recognizes it; "" where its size is not reliable."""
        return self._measured.fingerprint(plan.messages) if self.fits(plan, usage) else ""

    def begun(self, messages: Sequence[Message]) -> Beginning | None:
        """The longest beginning of this prompt that the server has counted."""
        return self._measured.longest(messages)

    def take_up(self, messages: Sequence[Message], turns: Sequence[tuple[Message, Turn]]) -> bool:
        """Count a request of these messages from earlier measurements, made by this process or another: `turns`
        are the last replies and what they cost. Returns whether this changed the `count` of a message.
        """
        for _, turn in reversed(turns):
            sent, tokens = turn.sent, turn.usage.prompt_tokens
            if isinstance(sent, str) and sent and isinstance(tokens, int) and tokens > 0:  # from a file, perhaps
                self._measured.note(sent, tokens)
        begun = self._measured.longest(messages)
        if self._exact or begun is None or not self.ready:
            return False
        before = messages[: begun.messages]
        if begun.tokens < self._least(before) or any(message.thinking for message in before):
            return False
        changed = self._learned.take_up(self._sized(before), begun.tokens - self._preset_of(before))
        here = {_key(message) for message in messages}
        for reply, turn in turns:
            if _key(reply) in here and not self._learned.knows(_key(reply)):
                self._charge(reply, turn.usage)
                changed = True
        return changed

    def _charge(self, reply: Message, usage: Usage) -> None:
        """A reply without thinking costs, in later prompts, the tokens it was generated with."""
        if usage.reply_tokens and not reply.thinking and not reply.tool_uses:
            self._learned.charge(_key(reply), usage.reply_tokens + self._learned.estimate(Size()))

    def _least(self, messages: Sequence[Message]) -> int:
        """Half of what the texts alone cost: no true count is below it."""
        if self._exact:
            return sum(self._exact.text(message.text).tokens for message in messages) // 2
        return sum(sum(size.text) for _, size in self._sized(messages)) // 2

    def too_long(self, needed: int | None, plan: Plan) -> None:
        """The server refused the prompt; `needed`: its tokens where the server said so. If it did not, an estimate
        was too small for the window, or an exact count was too small by a little.
        """
        tokens = needed or ceil(1.25 * max(0 if self._exact else plan.window, plan.planned.tokens))
        if self._exact:
            self._exact.raise_to(plan.messages, tokens)
            return
        sized = self._sized(plan.messages)
        self._learned.raise_to(sized, tokens - self._preset_of(plan.messages))

    def relent(self) -> None:
        """The server refused the smaller prompt too: the counts were not the reason."""
        if self._exact:
            self._exact.relent()
        self._learned.relent()

    def describe(self) -> str:
        """How counts are made now, in a few words: "o200k_base, estimated"."""
        if self._exact:
            return self._exact.describe()
        return f"{self._name}, estimated" if self.ready else "characters, estimated"

    def why(self) -> str:
        """Why counts are only estimates, and what that means for the user; "" where nothing needs saying."""
        if not self._trouble:
            return ""
        trouble = self._trouble if self._trouble.endswith(".") else f"{self._trouble}."
        return f"Counts are estimates: {trouble}" + (_AGAIN if self.tries_again else "")

    def notice(self) -> str:
        """`why`, once: where it is new."""
        said, self._said = self._said, self._trouble
        return self.why() if self._trouble not in {"", said} else ""

    def _size(self, key: Hashable, message: Message) -> Size:
        def measure() -> Size:
            calls = "".join(f"{use.name} {dict(use.arguments)}" for use in message.calls)
            said = message.thinking + message.text + calls
            return Size(self._measure(said).text, len(message.images))

        return self._sizes.get(key, len(message.text) + len(message.thinking), measure)

    def _sized(self, messages: Sequence[Message]) -> list[tuple[Hashable, Size]]:
        keys = [_key(message) for message in messages]
        return [(key, self._size(key, message)) for key, message in zip(keys, messages, strict=True)]

    def _preset_of(self, messages: Sequence[Message]) -> int:
        return self.fixed(messages).tokens - self._learned.fixed

    def _measure(self, text: str) -> Size:
        if self._encoding is None:
            return Size(tuple(ceil(len(part) / (3 if part.isascii() else 1)) for part in split(text)))
        encoding = self._encoding
        return Size(tuple(tokens_of(encoding, part) if part else 0 for part in split(text)))

    def _restore(self) -> LearnedCosts:
        learned = LearnedCosts()
        if self._cache is not None and self._key:
            learned.restore(cache.read(self._file(self._cache)) or b"")
        return learned

    def _keep(self) -> None:
        if self._cache is not None and self._key:
            cache.write(self._file(self._cache), self._learned.dump())

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
