"""/memory: what you want known in every conversation: add, list, remove."""

from __future__ import annotations

from typing import Annotated, Any

from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.errors import BadArgument
from chatcli.hints import Do, Hint, Usage, Words
from chatcli.render.views import Listing, Note
from chatcli.session.facts import PART, facts_sent
from chatcli.session.next_request import changing
from chatcli.session.session import Session
from chatcli.settings import table

NO_ROOM = f"they may take one part in {PART} of the window"


def fact_words(session: Session, typed: str) -> list[Word]:
    """The numbers of the facts, with their beginnings."""
    numbered = enumerate(session.facts.known(), start=1)
    return fitting((Word(str(number), fact[:60]) for number, fact in numbered), typed)


@command("memory", subcommand="memory", data=True)
def memory(session: Session) -> Outcome:
    """List what you want known in every conversation, with its number and tokens.

    `memory add TEXT` adds a fact, `memory rm 2` removes the second. Nothing else adds one: no model and no tool.
    All of them are sent after the system prompt, in every conversation, to the server in use; with the setting
    memory off none is.
    """
    rows = _rows(session)
    if not rows:
        none = Hint("No facts are kept. ", Do("memory add", "TEXT"), " keeps one.")
        return Show.of(Note(none, "quiet"), data=list)
    listed = tuple((str(row["number"]), row["text"], f"~{row['tokens']}") for row in rows)
    return Show.of(
        Listing(("", "fact", "tokens"), listed, right=frozenset({"", "tokens"}), note=_note(session)),
        data=lambda: rows,
    )


@command("memory add")
def add(session: Session, *, text: Annotated[str, Arg("a short fact, as the model is to read it")]) -> Outcome:
    """Keep a fact that every conversation knows from now on."""
    return _added(session, text)


@command("", subcommand="memory add")
def add_in_shell(
    session: Session, *text: Annotated[str, Arg("a short fact, as the model is to read it", whole=True)]
) -> Outcome:
    """Keep a fact that every conversation knows from now on."""
    return _added(session, " ".join(text))


@command("memory rm", subcommand="memory rm")
def rm(session: Session, *numbers: Annotated[int, Arg("the numbers of facts", fact_words)]) -> Outcome:
    """Remove facts; each is shown once more."""
    if not numbers:
        raise BadArgument("Which fact?", Hint("Usage: ", Usage("memory rm")))
    removed, told = changing(session, lambda: session.facts.remove(numbers))
    said = (Note(f"No longer known: {fact}", "good") for fact in removed)
    return Show((*said, *(Note(line, "quiet") for line in told)))


def _added(session: Session, text: str) -> Outcome:
    fact, told = changing(session, lambda: session.facts.add(text))
    notes = [Note(f"Known from now on: {fact}", "good"), *(Note(line, "quiet") for line in told)]
    if not session.settings[table.MEMORY]:
        notes.append(Note(_off(), "warning"))
    elif left := not_sent(session):
        notes.append(Note(left, "warning"))
    return Show(tuple(notes))


def not_sent(session: Session) -> str:
    """Which facts requests have no room for, as far as the window is known; "" for none."""
    if session.window.ready is None or not session.settings[table.MEMORY]:
        return ""
    sent, facts = set(facts_sent(session)), session.facts.known()
    left = [str(number) for number, fact in enumerate(facts, start=1) if fact not in sent]
    return f"Of your facts {', '.join(left)} will not be sent: {NO_ROOM}." if left else ""


def _rows(session: Session) -> list[dict[str, Any]]:
    return [
        {"number": number, "text": fact, "tokens": session.counter.text(fact).tokens}
        for number, fact in enumerate(session.facts.read(), start=1)
    ]


def _note(session: Session) -> Words:
    """What keeps facts from being sent; else where they are."""
    if not session.settings[table.MEMORY]:
        return _off()
    return not_sent(session) or f"They are sent with every request, and kept in {session.paths.facts}."


def _off() -> Hint:
    return Hint("None is sent: the setting memory is off. ", Do("set", "memory", "on"), " sends them.")
