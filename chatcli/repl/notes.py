"""Notes after a reply (how it ended when it did not end by itself, its counts and speeds on request) and at the
end, and the blank lines around what a command shows.
"""

from __future__ import annotations

from collections.abc import Callable

from chatcli.attachments.compose import Composed
from chatcli.attachments.mentions import as_words
from chatcli.conversation.reply_endings import ending_of, repeated
from chatcli.conversation.tree import Ended, Node
from chatcli.conversation.usage import Turn, Usage, in_tokens
from chatcli.hints import Do, Hint, Words
from chatcli.render.views import Note
from chatcli.session.reply_format import judged
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.text import shortened

# Columns of a title in the last note.
TITLE = 40


class Apart:
    """Puts a blank line before and after what a command shows, by calling `blank`; none where it shows nothing."""

    def __init__(self, blank: Callable[[], None]) -> None:
        self._blank = blank
        self._is_due = self._is_open = False

    def expect(self) -> None:
        """What is shown from here on belongs to a command."""
        self._is_due = True

    def begin(self) -> None:
        """Something is about to be shown."""
        if self._is_due:
            self._blank()
            self._is_due, self._is_open = False, True

    def end(self) -> None:
        if self._is_open:
            self._blank()
        self._is_due = self._is_open = False


def farewell(session: Session) -> Words:
    """Under which name the conversation is kept, and how to go on with it; "" where it is empty or not kept."""
    conversation = session.conversation
    if conversation.tip is None or not session.settings[table.SAVE]:
        return ""
    demo = {"demo": True} if session.server.demo else {}
    named = Do("chatcli", str(conversation.id), **demo, resume=True)
    is_last = session.store.last(demo=session.server.demo) == conversation.id
    last = Hint(Do("chatcli", **demo, **{"continue": True}), ", later ") if is_last else ""
    return Hint(f'Kept as "{shortened(conversation.title, TITLE)}". To go on: ', last, named)


def after_reply(node: Node, verbose: bool, repeats: bool = False) -> list[Note]:
    """`repeats`: whether it was noticed that the reply repeats itself."""
    notes = []
    ended = ending_of(node)
    if repeats:
        notes.append(Note(repeated().words, "warning"))
    if ended is not None and not (repeats and ended.calm):
        notes.append(Note(ended.words, "quiet" if ended.calm else "warning"))
    if node.turn is not None and node.turn.overfull:
        notes.append(Note(what_it_dropped(node.turn), "quiet"))
    elif node.turn is not None and _saw_less(node.turn):
        notes.append(Note(what_it_saw(node.turn), "warning"))
    if verbose and node.turn is not None:
        notes.append(Note(figures(node.turn), "quiet"))
    return notes


def unanswered_calls() -> Note:
    """The note on a turn that was ended after calls of tools."""
    return Note(Hint("The turn ended before an answer: ", Do("continue"), " lets the model go on."), "quiet")


def about_format(node: Node, form: str) -> list[Note]:
    """What is wrong with a reply that should have this format. One that was stopped, broke off or has no text has
    its note already.
    """
    if node.ended not in {Ended.COMPLETE, Ended.LENGTH} or not node.message.has_text:
        return []
    verdict = judged(node.message.text, form)
    if verdict.error is not None:
        return [Note(Hint(verdict.error.message, " ", verdict.error.advice), "warning")]
    return [Note(verdict.remark, "quiet")] if verdict.remark else []


def about_composed(composed: Composed) -> list[Note]:
    """What a person should know about how files and pages were read, and which names lead to none."""
    notes = [Note(note, "warning") for note in composed.notes]
    said = as_words(composed.missing)
    return [*notes, Note(said, "quiet")] if said else notes


def about_counting(notice: str) -> list[Note]:
    """A note on why counts are only estimates; none when there is nothing to say."""
    return [Note(notice, "quiet")] if notice else []


def what_it_saw(turn: Turn) -> str:
    """The warning for a server that read fewer tokens than it was sent."""
    return (
        f"The server read only {turn.usage.prompt_tokens} of about {in_tokens(turn.planned.tokens)} sent: it has "
        "cut the prompt although chatcli forbids it (an old Ollama, or something between it and chatcli)."
    )


def what_it_dropped(turn: Turn) -> str:
    """The note on a prompt that the window had no room for, where the server may cut it."""
    read, sent = turn.usage.prompt_tokens, in_tokens(turn.planned.tokens)
    if turn.unread is None:
        known = f"The server read {read} of about {sent}" if read is not None else f"About {sent} were sent"
        return f"{known}: more than the window may have room for, and what it drops, the server chooses."
    return f"The server read {read} of {sent} and dropped {turn.unread}: which, it does not say."


def _saw_less(turn: Turn) -> bool:
    """Whether the server's count shows that it cut the prompt; estimates may be far off by themselves."""
    if turn.usage.prompt_tokens is None:
        return False
    if turn.planned.exact:
        return turn.usage.prompt_tokens < turn.planned.tokens - 8
    window = turn.options.get("num_ctx") or 0
    doubtful = turn.planned.tokens >= 0.7 * window  # an estimate raised by a refusal, say
    return not doubtful and turn.usage.prompt_tokens < 0.5 * turn.planned.tokens - 16


def figures(turn: Turn) -> str:
    """One line of counts and speeds, as far as the server reported them."""
    usage = turn.usage
    parts = [
        f"first token after {turn.first_token_seconds:.2f} s" if turn.first_token_seconds is not None else "",
        f"prompt {in_tokens(usage.prompt_tokens)} (planned {turn.planned})"
        if usage.prompt_tokens is not None
        else "",
        f"prompt eval {usage.prompt_seconds:.2f} s" if usage.prompt_seconds else "",
        f"reply {in_tokens(usage.reply_tokens)}" if usage.reply_tokens is not None else "",
        _speed(usage),
        f"model loaded in {usage.load_seconds:.1f} s" if (usage.load_seconds or 0) > 0.5 else "",
    ]
    return " · ".join(part for part in parts if part)


def _speed(usage: Usage) -> str:
    if not usage.reply_tokens or not usage.reply_seconds:
        return ""
    return f"eval rate {usage.reply_tokens / usage.reply_seconds:.1f} tokens/s"
