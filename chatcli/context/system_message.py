"""The first message of every request: the system prompt, the person's facts, the pinned messages from before the
cut, and the summary, as one system message.

It is one message because many templates collect all system messages into one block at the front. A second one
further down would change that block on every turn, and with it the cached beginning of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatcli.context.outgoing import Copies, Counting, less
from chatcli.context.tool_results import in_words
from chatcli.conversation.context_state import Summary
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Fate, Part, PartKind
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import NOTHING, Count, counted
from chatcli.dataclass import dataclass

FACTS = "What the user wants known in every conversation:"
PINNED = "Pinned messages of this conversation:"
SUMMARY = "Summary of this conversation up to the messages below:"


@dataclass(frozen=True, slots=True)
class Front:
    """`message` is None when there is nothing to put first. `pinned`: parts by message number."""

    message: Message | None
    system: tuple[Part, ...]
    facts: tuple[Part, ...]
    pinned: dict[int, Part]
    summary: tuple[Part, ...]

    @property
    def tokens(self) -> int:
        parts = (*self.system, *self.facts, *self.pinned.values(), *self.summary)
        return sum(part.count.tokens for part in parts)


def front(
    system: str, preset: str, facts: Sequence[str], pinned: Sequence[Node], summary: Summary | None, copies: Copies
) -> Front:
    """`preset` replaces an empty system prompt as soon as the message has other content."""
    text = system or (preset if facts or pinned or summary else "")
    before = NOTHING
    kept: tuple[Part, ...] = ()
    if text:
        before = copies.count(Message.system(text))
        kept = (Part(PartKind.SYSTEM, Fate.SENT, before, "always sent"),)
    own: tuple[Part, ...] = ()
    if facts:
        text = _joined(text, "\n".join([FACTS, *map(_listed, facts)]), "\n\n")
        before, added = _added(text, before, copies.count)
        own = (Part(PartKind.FACTS, Fate.SENT, added, f"{counted(len(facts), 'fact')}, always sent"),)
    parts: dict[int, Part] = {}
    for node in pinned:
        text = _joined(text, _quoted(node) if parts else f"{PINNED}\n{_quoted(node)}", "\n" if parts else "\n\n")
        before, added = _added(text, before, copies.count)
        parts[node.number] = Part(PartKind.VERBATIM, Fate.SENT, added, "pinned", node.number, node.number, node.id)
    short: tuple[Part, ...] = ()
    if summary:
        text = _joined(text, f"{SUMMARY}\n{summary.whole}", "\n\n")
        before, added = _added(text, before, copies.count)
        short = (Part(PartKind.SUMMARY, Fate.SENT, added, "replaces earlier messages"),)
    return Front(Message.system(text) if text else None, kept, own, parts, short)


def that_fit(facts: Iterable[str], most: int, count: Counting) -> tuple[str, ...]:
    """Those of the facts, in order, that together take no more than `most` tokens."""
    bare = count(Message.system("")).tokens
    left = most - count(Message.system(FACTS)).tokens + bare
    fitting: list[str] = []
    for fact in facts:
        cost = 1 + count(Message.system(_listed(fact))).tokens - bare
        if cost <= left:
            fitting.append(fact)
            left -= cost
    return tuple(fitting)


def _listed(fact: str) -> str:
    return f"- {fact}"


def _joined(text: str, more: str, seam: str) -> str:
    return f"{text}{seam}{more}" if text else more


def _added(text: str, before: Count, count: Counting) -> tuple[Count, Count]:
    now = count(Message.system(text))
    return now, less(now, before)


def _quoted(node: Node) -> str:
    return f"{node.message.role}: {in_words(node.message)}"
