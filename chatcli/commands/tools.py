"""/tools: the tools that the model may call, what each costs, and the rules on them; calls are opened again."""

from __future__ import annotations

import json
from typing import Annotated, Any

from chatcli.commands.arguments import Arg, Word, fitting
from chatcli.commands.navigation import message_words
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import Role
from chatcli.conversation.plan import PartKind
from chatcli.conversation.usage import in_tokens
from chatcli.errors import BadArgument, NotFound
from chatcli.hints import Do, Hint, Words
from chatcli.render.views import Listing, WholeCall
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.text import first_clause
from chatcli.tools.leave import standing
from chatcli.tools.tool import Tool

_SWITCHES = {"on": "all but those that must be named", "off": "none"}


def tool_words(session: Session, typed: str) -> list[Word]:
    """On, off, and the names of the tools that there are."""
    named = {name: first_clause(tool.description) for name, tool in session.tools.known().items()}
    return fitting((Word(name, meaning) for name, meaning in (_SWITCHES | named).items()), typed)


@command("tools", in_shell="--tools")
def tools(session: Session, *names: Annotated[str, Arg("on, off, or names of tools", tool_words)]) -> Outcome:
    """List the tools that the model may call, or say which: on, off, or their names.

    The list says what each can touch, about how many tokens its definition costs in each request, and whether a
    call is asked for. Tools are off until they are turned on; with another set the conversation is read again.
    `/tools show` opens a call with its whole result.
    """
    return _chosen(session, names) if names else _listed(session)


@command("", subcommand="tools", data=True)
def listed(session: Session) -> Outcome:
    """List the tools that a model may call: what each touches, its tokens, and whether a call is asked for."""
    return _listed(session)


def _listed(session: Session) -> Outcome:
    rows = _rows(session)
    return Show.of(
        Listing(
            ("", "tool", "touches", "tokens", "a call", "what it does"),
            tuple(
                (
                    "*" if row["offered"] else "",
                    row["name"],
                    row["reach"],
                    f"~{row['tokens']}",
                    row["leave"],
                    first_clause(row["description"]),
                )
                for row in rows
            ),
            right=frozenset({"tokens"}),
            note=_note(session),
            optional=("what it does", "touches"),
        ),
        data=lambda: rows,
    )


@command("tools show")
def show(
    session: Session, number: Annotated[int, Arg("the number of a call's message", message_words)] = 0
) -> Outcome:
    """Show a whole call of a tool, with arguments and result: the last one, or one by its number."""
    back = (node for node in session.conversation.back() if node.message.role is Role.TOOL)
    node = session.conversation.message(number) if number else next(back, None)
    if node is None:
        raise NotFound(
            "No tool was called in this conversation.", Hint(Do("set", "tools", "on"), " turns tools on.")
        )
    if node.message.role is not Role.TOOL:
        raise NotFound(f"Message {number} is no call of a tool.", Hint(Do("history"), " lists the messages."))
    return Show.of(WholeCall(node))


def _chosen(session: Session, names: tuple[str, ...]) -> Outcome:
    from chatcli.commands.settings import set_

    value = ",".join(names)
    known = {*session.tools.known(), *_SWITCHES}
    for name in table.TOOLS.kind.read(value):
        if name not in known:
            raise _unknown(name, known)
    return set_.run(session, table.TOOLS.name, value=value)


def _unknown(name: str, known: set[str]) -> BadArgument:
    from difflib import get_close_matches

    near = next(iter(get_close_matches(name, sorted(known), n=1)), "")
    return BadArgument(
        f"There is no tool {name}.",
        Hint("Did you mean ", near, "?") if near else Hint(Do("tools"), " lists them."),
    )


def _rows(session: Session) -> list[dict[str, Any]]:
    offered = session.tools.wanted()
    return [_row(session, tool, tool.name in offered) for _, tool in sorted(session.tools.known().items())]


def _row(session: Session, tool: Tool, offered: bool) -> dict[str, Any]:
    definition = json.dumps(tool.definition, ensure_ascii=False)
    return {
        "name": tool.name,
        "offered": offered,
        "reach": str(tool.reach),
        "tokens": session.counter.text(definition).tokens,
        "leave": standing(tool, session.tools.rules(), session.tools.granted),
        "description": tool.description,
    }


def _note(session: Session) -> Words:
    """What they cost together, as far as that is known; else how to turn them on."""
    if not session.settings[table.TOOLS]:
        return Hint("They are off: ", Do("set", "tools", "on"), " turns them on, their names only those.")
    if session.model.ready is None:
        return ""
    plan = session.next_request.known()
    cost = plan.of(PartKind.DEFINITIONS) if plan is not None and not isinstance(plan, Exception) else None
    together = (
        f"* is offered: together {in_tokens(cost)} in each request." if cost is not None else "* is offered."
    )
    return session.tools.withheld() or together
