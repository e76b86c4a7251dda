"""/retry, /continue, /undo, /edit, /branch, /branches, /goto, /back: moving inside one conversation.

Nothing is overwritten: another reply, or another question, becomes a sibling. tree.py draws the tree.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from chatcli.client.request import Request, check
from chatcli.commands.arguments import Arg, Word, fitting, whole_number
from chatcli.commands.chats import when
from chatcli.commands.models import model_words
from chatcli.commands.navigation import address, arrive, jump, last_result, message_words, visit, waiting_question
from chatcli.commands.outcomes import AskAgain, Choose, Outcome, Prefill, Show
from chatcli.commands.registry import command
from chatcli.commands.tree import BEFORE, Tip, room, standing, tips_of
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import counted
from chatcli.errors import BadArgument, NotFound, UserError
from chatcli.hints import Do, Hint
from chatcli.prompt.line import TypedLine
from chatcli.render.views import Listing, Note
from chatcli.session.session import Session
from chatcli.text import shortened

# A terminal with fewer columns gets a shorter list of branches.
NARROW = 60


def place_words(session: Session, typed: str) -> list[Word]:
    """The names given by /branch."""
    places = {name: session.conversation.node(node) for name, node in session.conversation.names.items()}
    words = (Word(name, f"message {node.number}") for name, node in places.items() if name != BEFORE)
    return fitting(words, typed)


def goto_words(session: Session, typed: str) -> list[Word]:
    """The names given by /branch, and the numbers of messages."""
    return [*place_words(session, typed), *message_words(session, typed)]


@command("retry", "regenerate")
def retry(
    session: Session, *, model: Annotated[str | None, Arg("the model to ask this time", model_words)] = None
) -> Outcome:
    """Try again: ask the last question once more (the earlier reply is kept).

    `/retry --model NAME` asks another model this time; the next question goes to the usual one. /diff compares the
    replies.
    """
    question = last_question(session)
    if model is not None:
        known = session.client.get().model(model)
        check(Request(known.name, (question.message,), {}), known)
    before = session.conversation.tip
    jump(session, question.id)
    return AskAgain(question, home=before, model=model or "")


@command("continue", "go", in_shell="chatcli --continue")
def continue_(session: Session) -> Outcome:
    """Continue a reply that was stopped, broke off, or reached a limit (the shorter reply is kept).

    A turn that was ended after calls of tools goes on with their results, or with calls that have not run yet.
    """
    last = session.conversation.last
    end = last_result(session, last) if last is not None else None
    if end is not None and end.message.role is Role.TOOL:
        jump(session, end.id)
        return AskAgain(end)
    if last is None or last.message.role is not Role.ASSISTANT or last.parent is None:
        raise UserError("There is no reply to continue.", Hint(Do("retry"), " asks the last question again."))
    return AskAgain(session.conversation.node(last.parent), onward=last)


@command("undo")
def undo(session: Session, exchanges: Annotated[int, Arg("how many exchanges to step back")] = 1) -> Outcome:
    """Go back to before the last question (or the last few) and put it into the line. Nothing is deleted.

    /back returns to where you were.
    """
    back = (node for node in session.conversation.back() if node.message.role is Role.USER)
    questions = list(islice(back, exchanges))
    if not 1 <= exchanges <= len(questions):
        raise UserError(_exchanges(len([*questions, *back])))
    return _ask_anew(session, questions[-1])


@command("edit")
def edit(
    session: Session,
    number: Annotated[int, Arg("the number of a question, as /history shows it", message_words)] = 0,
) -> Outcome:
    """Edit an earlier question (by default the last one) and send it as a branch.

    The original question keeps its replies; /back returns to them. Ctrl-G opens the line in your editor.
    """
    return _ask_anew(session, _question(session, number) if number else last_question(session))


@command("branch")
def branch(
    session: Session,
    *name: Annotated[str, Arg("a name for this place", place_words, whole=True)],
    remove: Annotated[bool, Arg("remove the name")] = False,
) -> Outcome:
    """Name this point of the conversation, so that /goto NAME returns to it; without a name, list the names.

    `/branch NAME --remove` removes a name. What you say after /goto NAME becomes a new branch.
    """
    conversation, wanted = session.conversation, " ".join(name)
    if not wanted:
        return Show.of(_places(session))
    if remove:
        if wanted not in conversation.names:
            raise NotFound(f'There is no name "{wanted}".', Hint(Do("branch"), " lists the names."))
        session.store.name(conversation, wanted, None)
        return Show.of(Note(f'Removed the name "{wanted}"; the messages stay.', "good"))
    last = conversation.last
    if last is None:
        raise UserError("Nothing has been said yet, so there is no message to name.")
    if wanted.lstrip("#@").isdecimal() or wanted == BEFORE:
        raise BadArgument(f'"{wanted}" cannot be a name: numbers are for messages.', "Use a word.")
    moved = wanted in conversation.names
    session.store.name(conversation, wanted, last.id)
    named = f'Message {last.number} is {"now " if moved else ""}"{wanted}": '
    return Show.of(Note(Hint(named, Do("goto", wanted)), "good"))


@command("branches")
def branches(session: Session) -> Outcome:
    """List the ends of all branches, with their names and last words; `*` marks where you are."""
    tips = _tips(session)
    names = Hint("; ", Do("branch", "NAME"), " names this point; ", Do("tree"), " draws them all.")
    note = Hint(Do("goto"), " lets you choose one", names)
    space = room()
    if space < NARROW:
        brief = tuple((_mark(tip), str(tip.twig.number), _described(tip, space - 14)) for tip in tips)
        return Show.of(Listing(("", "messages", "last words"), brief, right=frozenset({"messages"}), note=note))
    rows = tuple(
        (_mark(tip), str(tip.twig.number), when(tip.twig.created), _described(tip, space - 30)) for tip in tips
    )
    right = frozenset({"messages"})
    return Show.of(Listing(("", "messages", "said", "last words"), rows, right=right, note=note))


@command("goto")
def goto(
    session: Session,
    *place: Annotated[str, Arg("a message's number, or a name given by /branch", goto_words, whole=True)],
) -> Outcome:
    """Go to a message by its number, or to a name given by /branch; without either, to a branch you choose.

    The next question follows that message; what came after it is kept, and /back returns. `/goto @345` goes to any
    message, on another branch or in another conversation: /search and /recall show its number.
    """
    wanted = " ".join(place)
    anywhere = address(wanted)
    if anywhere is not None:
        return visit(session, anywhere)
    if not wanted:
        tips = _tips(session)
        space = room() - 20
        labels = tuple(f"{counted(tip.twig.number, 'message')}, {_described(tip, space)}" for tip in tips)
        return Choose("Which branch?", labels, lambda index: arrive(session, tips[index].twig.id))
    if wanted in session.conversation.names:
        return arrive(session, session.conversation.names[wanted])
    if wanted.lstrip("#").isdecimal():
        return arrive(session, _message(session, whole_number(wanted.lstrip("#"), "a message's number")).id)
    raise NotFound(
        f'There is no name "{wanted}".',
        Hint(Do("branch"), " lists the names, ", Do("tree"), " draws every branch."),
    )


@command("back")
def back(session: Session) -> Outcome:
    """Return to where you were before the last /goto, /undo, /edit, /retry or /drop; /back again undoes that."""
    before = session.conversation.names.get(BEFORE)
    if before is None or before == session.conversation.tip:
        raise UserError(
            "There is nowhere to go back to.",
            Hint(Do("branches"), " lists the branches, ", Do("goto"), " goes to one."),
        )
    return arrive(session, before)


def last_question(session: Session) -> Node:
    """The newest question: one without a reply (it is off the path), else the last one on the path."""
    conversation = session.conversation
    waiting = waiting_question(session, conversation) if conversation.id else None
    if waiting is not None:
        return waiting
    if conversation.question is None:
        raise UserError("Nothing has been asked yet, so there is nothing to ask again.")
    return conversation.question


def _exchanges(count: int) -> str:
    are = "is" if count == 1 else "are"
    return (
        f"There {are} {counted(count, 'exchange')} to step back over." if count else "Nothing has been asked yet."
    )


def _ask_anew(session: Session, question: Node) -> Outcome:
    """Go to before that question, and put its text into the line and its files with the next message."""
    jump(session, question.parent)
    session.detach()
    session.attach(question.message.attachments)
    return Prefill(TypedLine(question.message.text, pasted=True).retyped)


def _message(session: Session, number: int) -> Node:
    node = session.conversation.message(number)
    if node is None:
        last = session.conversation.last
        there = f"Here are messages 1 to {last.number}." if last is not None else "Nothing has been said yet."
        raise NotFound(
            f"There is no message {number} here.", Hint(f"{there} ", Do("tree"), " draws the other branches too.")
        )
    return node


def _question(session: Session, number: int) -> Node:
    node = _message(session, number)
    if node.message.role is not Role.USER:
        raise BadArgument(
            f"Message {number} is not a question of yours.", Hint(Do("history"), " shows them with their numbers.")
        )
    return node


def _tips(session: Session) -> list[Tip]:
    if not session.conversation.id:
        raise UserError("Nothing has been said yet, so there are no branches.")
    return tips_of(session)


def _mark(tip: Tip) -> str:
    return "*" if tip.current else ""


def _described(tip: Tip, columns: int) -> str:
    names = "".join(f"[{name}] " for name in tip.names)
    return shortened(f"{names}{standing(tip.twig)}", columns)


def _places(session: Session) -> Listing | Note:
    conversation = session.conversation
    places = {name: conversation.node(node) for name, node in conversation.names.items() if name != BEFORE}
    if not places:
        return Note(Hint("There are no names yet. Name this point: ", Do("branch", "NAME")), "quiet")
    rows = tuple((name, str(node.number), when(node.created)) for name, node in places.items())
    return Listing(
        ("name", "message", "said"),
        rows,
        right=frozenset({"message"}),
        note=Hint(Do("goto", "NAME"), " goes there."),
    )
