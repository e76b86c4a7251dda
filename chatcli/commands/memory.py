"""/compact, /summary, /uncompact, /recall, /pin, /forget, /drop: decide by hand what the model gets to see."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace
from itertools import takewhile
from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.navigation import jump, message_words
from chatcli.commands.outcomes import Outcome, Prefill, Show, Watch
from chatcli.commands.registry import command
from chatcli.commands.search import in_their_place
from chatcli.context.explain import PINS_ROOM
from chatcli.context.summary import Refusal, rewritten, undone
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import counted
from chatcli.errors import NotFound, UserError
from chatcli.hints import Do, Hint, Usage, Words
from chatcli.render.views import Document, Listing, Note
from chatcli.session.background_summary import Job, Stage, not_used
from chatcli.session.planning import basis_of, summary_of
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.strategies import AUTO
from chatcli.store.search import terms_of

# How many hits /recall shows.
SHOWN = 12

UNDONE = Hint("The summary. ", Do("uncompact"), " undoes it.")
PINNED = Hint(Do("pin", "N"), " sends message N with every request.")
MADE_WITH_IT = Hint(
    "The summary was made with it: ", Do("summary", "edit"), " changes it, ", Do("uncompact"), " undoes it."
)


@command("compact")
def compact(
    session: Session, *, dry: Annotated[bool, Arg("only show the summary, without using it")] = False
) -> Outcome:
    """Replace older messages by a summary in what is sent.

    All but the last keep_recent messages are summarized; fewer of them stay where they fill the window.
    Nothing is deleted: /uncompact undoes it, and every message stays in the conversation and can be recalled.
    `/compact --dry` shows the summary without using it; /compact right after that uses the one shown.
    """
    job = session.summarizer.compact(dry)
    if job is None:
        raise _nothing_yet(session)
    if job.answer:
        return _compacted(session, job, dry)
    return Watch(_compacting(session, job), lambda: _compacted(session, job, dry))


def _compacting(session: Session, job: Job) -> Generator[Progress, None, None]:
    def progress() -> Progress:
        return Progress(f"summarizing messages {job.due.first} to {job.due.last}")

    yield progress()
    with closing(session.summarizer.asking(job)) as events:
        for _ in events:
            yield progress()


def _compacted(session: Session, job: Job, dry: bool) -> Outcome:
    used = session.summarizer.compacted(job, dry)
    if isinstance(used, Refusal):
        raise UserError(not_used(job.model.name, used), _OTHERWISE)
    assert used.summary is not None
    note = Hint("This summary is not used yet. ", Do("compact"), " uses it.") if dry else UNDONE
    told = [_told(used.summary, note), *_not_in_it(used.summary, job)]
    return Show((*told, Document(used.summary.whole)))


def _not_in_it(made: Summary, job: Job) -> list[Note]:
    """What the summary was not made of."""
    notes = []
    if made.first > 1:
        few = "Message 1 is" if made.first == 2 else f"Messages 1 to {made.first - 1} are"
        notes.append(f"{few} in no summary: there are too many for it. Recall finds them.")
    if job.shortened:
        notes.append(f"Of {_listed(job.shortened)}, too long for one request, the middle was left out.")
    return [Note(note, "quiet") for note in notes]


def _nothing_yet(session: Session) -> UserError:
    """The error for /compact where everything stays word for word, or is in the summary."""
    keep = session.settings[table.KEEP_RECENT]
    why = f"the last {counted(keep, 'message')} (keep_recent) stay word for word" if keep else "nothing is new"
    if session.conversation.last is None:
        why, keep = "nothing has been said", 0
    fewer = Hint(Do("set", "keep_recent", "0"), " summarizes them, too; ") if keep else Hint()
    return UserError(
        f"There is nothing to summarize yet: {why}.", Hint(fewer, Do("context"), " shows what is sent.")
    )


_OTHERWISE = Hint(
    Do("compact"), " asks again; ", Do("set", "summary_model", "NAME"), " lets another model write summaries."
)


@command("summary")
def summary(session: Session, *, text: Annotated[str, Arg("edit, or a new text for the summary")] = "") -> Outcome:
    """Show, edit or replace the summary (/summary edit, /summary TEXT)."""
    current = summary_of(session)
    if current is None:
        writing = session.summarizer.stage is Stage.ASKED
        raise UserError(
            "There is no summary yet: the model is writing it." if writing else "There is no summary.",
            Hint(Do("compact"), f" makes one now; strategy {AUTO} makes one when the window is full."),
        )
    if text == "edit":
        return Prefill(f"/{summary.name} {current.whole}")
    if text:
        _keep(session, rewritten(session.conversation.state, current, text))
        return Show.of(Note(Hint("The summary is replaced; ", Do("uncompact"), " restores the old one."), "good"))
    return Show.of(_told(current, UNDONE), Document(current.whole))


@command("uncompact")
def uncompact(session: Session) -> Outcome:
    """Undo the last summary.

    The summary before it, if there was one, is used again. The messages that it replaced are sent word for word
    again, as far as they fit.
    """
    session.summarizer.undo()
    current = summary_of(session)
    if current is None and session.conversation.state.cut is None:
        raise UserError("There is nothing to undo: no summary, and no cut.")
    _keep(session, undone(session.conversation.state, current))
    earlier = summary_of(session)
    since = f" since message {earlier.last}, where the earlier summary ends," if earlier and earlier.last else ""
    return Show.of(Note(f"Everything{since} is sent word for word again, as far as it fits.", "good"))


@command("recall")
def recall(
    session: Session,
    *words: Annotated[str, Arg("words to search for")],
    all: Annotated[bool, Arg("in all conversations")] = False,  # noqa: A002 - it is typed as --all
) -> Outcome:
    """Search the messages of this conversation, or with --all of every conversation."""
    if not words:
        raise UserError("Words to search for are missing.", Hint("Usage: ", Usage("recall")))
    where = None if all else session.conversation.id
    hits = session.store.search(terms_of(" ".join(words)), conversation=where, limit=SHOWN, per_message=True)
    if not hits:
        raise NotFound(
            f'"{" ".join(words)}" was not found.',
            Hint() if all else Hint(Do("recall", "WORDS", all=True), " searches every conversation."),
        )
    return Show((*in_their_place(session, hits), Note(PINNED, "quiet")))


@command("pin")
def pin(session: Session, *numbers: Annotated[int, Arg("numbers of messages", message_words)]) -> Outcome:
    """Send messages word for word with every request from now on; /pin N again unpins N.

    Without a number, list the pinned messages.
    """
    return _mark(session, numbers, "pins", "pinned", "forgotten")


@command("forget")
def forget(session: Session, *numbers: Annotated[int, Arg("numbers of messages", message_words)]) -> Outcome:
    """Keep messages out of requests, summaries and recall; /forget N again lets N back in."""
    return _mark(session, numbers, "forgotten", "forgotten", "pins")


@command("drop")
def drop(session: Session, *numbers: Annotated[int, Arg("numbers of messages", message_words)]) -> Outcome:
    """Continue on a branch without these messages. Nothing is deleted; /back undoes it."""
    if not numbers:
        raise UserError("The numbers of messages are missing.", Hint(Do("context"), " lists them."))
    doomed, numbers = _together(session, numbers)
    first = min(doomed, key=lambda node: node.number)
    onward = list(takewhile(lambda node: node.number > first.number, session.conversation.back()))[::-1]
    jump(session, first.parent)
    new = {node.id: session.store.copy(session.conversation, node).id for node in onward if node not in doomed}
    state = session.conversation.state
    pins, forgotten = (ids | {new[each] for each in ids if each in new} for ids in (state.pins, state.forgotten))
    _keep(session, replace(state, pins=pins, forgotten=forgotten))
    without = Hint(f"The conversation continues without {_listed(numbers)}; ", Do("back"), " undoes that.")
    return Show.of(Note(without, "good"))


def _mark(session: Session, numbers: tuple[int, ...], which: str, word: str, other: str) -> Outcome:
    """Toggle these messages in one of the state's two sets, pins and forgotten; no message is in both."""
    state = session.conversation.state
    marked: frozenset[int] = getattr(state, which)
    if not numbers:
        return _marked(session, marked, word)
    nodes, _ = _together(session, numbers)
    ids = frozenset(node.id for node in nodes)
    changed = marked ^ ids
    _keep(session, replace(state, **{which: changed, other: getattr(state, other) - ids}))
    on = [node.number for node in nodes if node.id in changed]
    off = [node.number for node in nodes if node.id not in changed]
    said: list[Words] = [
        f"{_listed(on)}: {word}." if on else "",
        f"{_listed(off)}: no longer {word}." if off else "",
        "A call and its results go together." if len(nodes) > len(set(numbers)) else "",
    ]
    summary = summary_of(session)
    if which == "forgotten" and summary and any(summary.first <= number <= summary.last for number in on):
        said.append(MADE_WITH_IT)
    notes = [Note(Hint(*(f"{part} " if isinstance(part, str) else part for part in said if part)), "good")]
    if which == "pins" and (large := _too_large(session, on)):
        notes.append(Note(f"{_listed(large)} will not be sent: {PINS_ROOM}.".capitalize(), "warning"))
    return Show(tuple(notes))


def _too_large(session: Session, pinned: list[int]) -> list[int]:
    """The numbers of the pinned messages for which requests have no room."""
    kept, _ = basis_of(session).standing(session.conversation.tip)
    return sorted(set(pinned) - {node.number for node in kept})


def _marked(session: Session, marked: frozenset[int], word: str) -> Outcome:
    tip = session.conversation.tip
    nodes = session.store.on_path(session.conversation, tip, marked) if tip is not None else []
    if not nodes:
        return Show.of(Note(f"No message is {word}.", "quiet"))
    rows = tuple((str(node.number), str(node.message.role), node.message.brief[:80]) for node in nodes)
    return Show.of(Listing(("message", "role", "text"), rows, title=word))


def _message(session: Session, number: int) -> Node:
    node = session.conversation.message(number)
    if node is None:
        raise NotFound(
            f"There is no message {number} in this conversation.", Hint(Do("context"), " lists them by number.")
        )
    return node


def _together(session: Session, numbers: Iterable[int]) -> tuple[list[Node], tuple[int, ...]]:
    """The messages of these numbers in order, with the results that belong to a call, or the call to a result."""
    groups = [session.conversation.together(_message(session, number)) for number in numbers]
    nodes = sorted({node.id: node for group in groups for node in group}.values(), key=lambda node: node.number)
    return nodes, tuple(node.number for node in nodes)


def _listed(numbers: tuple[int, ...] | list[int]) -> str:
    return f"message{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _told(made: Summary, note: Hint) -> Note:
    of = f" It replaces messages {made.first} to {made.last}." if made.first else ""
    return Note(Hint(note, of), "quiet")


def _keep(session: Session, state: State) -> None:
    session.store.keep_state(session.conversation, state)
