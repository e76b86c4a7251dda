"""How a reply ended, where the user needs to know: what happened, and what to do about it.

A reply is whatever the model has sent: text, thinking alone, or tool calls. One without text is stored like any
other; the ending says that it has no answer, and why.
"""

from __future__ import annotations

from enum import StrEnum

from chatcli.conversation.events import LOOP
from chatcli.conversation.message import Message
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Turn, in_tokens
from chatcli.dataclass import dataclass
from chatcli.hints import Do, Hint

# A phrase for each way in which a reply does not end by itself, or the call of a tool's message comes to nothing.
CUT_SHORT = {
    Ended.LENGTH: "cut off",
    Ended.STOPPED: "stopped",
    Ended.BROKEN: "broke off",
    Ended.INTERRUPTED: "interrupted",
    Ended.ASKED: "not run",
    Ended.ALLOWED: "not run",
    Ended.RUNNING: "may have run",
    Ended.REFUSED: "refused",
    Ended.FAILED: "failed",
}
# The window ended the reply if prompt and reply together are within this many tokens of it.
_NEAR = 8


class Limit(StrEnum):
    """What ended a reply that did not end by itself."""

    NUM_PREDICT = "num_predict"
    WINDOW = "num_ctx"
    OTHER = "other"  # the server's or the Modelfile's own


@dataclass(frozen=True, slots=True)
class Ending:
    """`what` happened and its `remedy`. `calm`: the user knows already, by their own key press or an error shown
    before.
    """

    what: str
    remedy: Hint
    limit: Limit | None = None
    calm: bool = False

    @property
    def words(self) -> Hint:
        return Hint(self.what, " ", self.remedy)


def ending_of(node: Node) -> Ending | None:
    """How the reply at `node` ended; None for one that has its text and ended by itself."""
    return ending(node.message, node.ended, node.turn)


def ending(message: Message, ended: Ended, turn: Turn | None, onward: bool = False) -> Ending | None:
    """`message`: the reply; only its new part when the reply was continued (`onward`)."""
    match ended:
        case Ended.LENGTH:
            limit = limit_of(turn) if turn is not None else Limit.OTHER
            return _cut(_what(message), turn or Turn(""), limit)
        case Ended.COMPLETE:
            return _by_itself(message, onward)
        case Ended.STOPPED:
            where = "" if message.has_text else " before its answer"
            if turn is not None and turn.done_reason == LOOP:
                return Ending(f"The reply was stopped{where}: it repeated itself (loop_guard).", _OUT_OF_A_LOOP)
            return Ending(f"Stopped{where}.", ON, calm=True)
        case Ended.BROKEN:
            return Ending("What came is kept.", ON, calm=True)
    return None


def repeated() -> Ending:
    """For a reply that repeated itself and was not stopped by that."""
    return Ending("The reply repeats itself.", _OUT_OF_A_LOOP)


def limit_of(turn: Turn) -> Limit:
    """Which limit ended a reply with done_reason "length"."""
    predict, window = _whole(turn.options.get("num_predict")), _whole(turn.options.get("num_ctx"))
    said = _whole(turn.usage.reply_tokens)
    if predict is not None and predict >= 0 and (said or 0) >= predict:
        return Limit.NUM_PREDICT
    # An old server counts only the part of the prompt that it had not cached: then the plan's count is better.
    planned = 0 if turn.overfull else _whole(turn.planned.tokens) or 0
    read = max(_whole(turn.usage.prompt_tokens) or 0, planned)
    if said is None or not window or read + said >= window - _NEAR:
        return Limit.WINDOW
    return Limit.OTHER


def _whole(value: object) -> int | None:
    """A whole number, or None. A turn may come from a file, where other values tell nothing."""
    return value if isinstance(value, int) else None


def _cut(what: str, turn: Turn, limit: Limit) -> Ending:
    """A reply ended by a limit. `what` it consists of: "text", "thinking", or "nothing"."""
    options, said = turn.options, turn.usage.reply_tokens
    on = Hint("; ", Do("continue"), " goes on from there") if what != "nothing" else Hint()
    none = Do("set", "num_predict", "-1")
    if limit is Limit.NUM_PREDICT:
        tokens = in_tokens(options["num_predict"])
        if what == "text":
            return Ending(f"The reply was ended by num_predict ({tokens}).", ON, limit)
        happened = f"num_predict ({tokens}) ended the reply {_WHEN[what]}."
        larger = Do("set", "num_predict")
        return Ending(happened, Hint("Take a larger one with ", larger, ", or none with ", none, on, "."), limit)
    if limit is Limit.WINDOW:
        window = f"the context window ({options.get('num_ctx', '?')} tokens)"
        if what == "text":
            happened = f"The reply filled {window} and ended there."
            first = Hint(Do("continue"), " goes on from there; ")
            more = Hint(first, Do("set", "reserve"), " keeps more room for replies.")
            return Ending(happened, more, limit)
        happened = f"The reply filled {window} {_WHEN[what]}."
        return Ending(
            happened,
            Hint("Take a larger window with ", Do("set", "num_ctx"), ", or a shorter prompt", on, "."),
            limit,
        )
    after = f" after {in_tokens(said)}" if said is not None else ""
    own = Hint(none, " takes away the one in its Modelfile, where it is that", on, ".")
    if what == "text":
        return Ending(f"The reply was ended{after} by a limit of the model or the server.", own, limit)
    happened = f"A limit of the model or the server ended the reply{after} {_WHEN[what]}."
    return Ending(happened, own, limit)


_WHEN = {
    "thinking": "while the model was still thinking: there is no answer yet, the thinking is kept",
    "nothing": "before its first word",
}
ON = Hint(Do("continue"), " goes on from there.")
_AGAIN = Hint(" with ", Do("retry"))
_OUT_OF_A_LOOP = Hint(
    Hint(Do("retry"), " asks again, "),
    Hint(Do("continue"), " goes on from there; "),
    Do("set", "repeat_penalty", "1.3"),
    " makes repetition less likely.",
)


def _by_itself(message: Message, onward: bool) -> Ending | None:
    if message.has_text:
        return None
    if message.tool_uses:
        names = ", ".join(use.name for use in message.tool_uses)
        return Ending(
            f"The reply has no text: it calls {names}, and nothing was run.",
            Hint(Do("set", "tools", "on"), " lets the model call tools. Or ask again", _AGAIN, "."),
        )
    if message.thinking.strip():
        return Ending(
            "The model ended its reply in its thinking: there is no answer, the thinking is kept.",
            Hint("Ask again", _AGAIN, ", or turn thinking off with ", Do("set", "think", "off"), "."),
        )
    if onward:
        return Ending(
            "The model has nothing to add to its reply.", Hint("Say what is missing, or ask again", _AGAIN, ".")
        )
    return Ending("The model ended its reply before its first word.", Hint("Ask again, or try another model."))


def _what(message: Message) -> str:
    if message.has_text or message.tool_uses:
        return "text"
    return "thinking" if message.thinking.strip() else "nothing"
