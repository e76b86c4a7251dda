"""/copy, /raw, /thinking: a reply as the model wrote it, and what it thought before."""

from __future__ import annotations

from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.navigation import message_words
from chatcli.commands.outcomes import Copy, Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.message import Role
from chatcli.conversation.tree import Node
from chatcli.errors import NotFound, UserError
from chatcli.hints import Do, Hint
from chatcli.render.extract import code_blocks
from chatcli.render.views import SourceText, Thought
from chatcli.session.session import Session


@command("copy")
def copy(
    session: Session,
    number: Annotated[int, Arg("which message, or with --code which code block", message_words)] = 0,
    *,
    code: Annotated[bool, Arg("copy only the code")] = False,
) -> Outcome:
    """Copy the last reply to the clipboard as Markdown; `/copy --code` copies its last code block.

    `/copy --code 2` copies the second code block, `/copy 7` message 7. A reply without text is copied as its
    thinking.
    """
    if not code:
        message = _reply(session, number).message
        of = "the thinking in " if message.source != message.text else ""
        if not message.source:
            raise NotFound(
                "There is no text in it to copy.", Hint(Do("copy", "NUMBER"), " copies another message.")
            )
        return Copy(message.source, of + (f"message {number}" if number else "the last reply"))
    blocks = code_blocks(_reply(session, 0).message.source)
    if not blocks:
        raise NotFound("There is no code block in the last reply.", Hint(Do("copy"), " copies all of it."))
    if not 0 <= number <= len(blocks):
        raise NotFound(f"The last reply has {len(blocks)} code block{'s' if len(blocks) > 1 else ''}.")
    return Copy(blocks[number - 1], f"code block {number or len(blocks)}")


@command("raw")
def raw(session: Session, number: Annotated[int, Arg("the number of a message", message_words)] = 0) -> Outcome:
    """Show a reply as the Markdown that the model wrote; a reply without text shows its thinking."""
    return Show.of(SourceText(_reply(session, number).message.source))


@command("thinking", "thoughts")
def thinking(session: Session, number: Annotated[int, Arg("the number of a reply", message_words)] = 0) -> Outcome:
    """Show what the model thought before a reply: the last one that it thought about, or one by its number."""
    if number:
        thoughts = _reply(session, number).message.thinking
        missing = f"Message {number} has no thinking."
    else:
        found = (node.message.thinking for node in session.conversation.back())
        thoughts, missing = next(filter(str.strip, found), ""), "The model has not thought in this conversation."
    if not thoughts.strip():
        raise NotFound(missing, Hint("Ask a thinking model to think: ", Do("set", "think", "on")))
    return Show.of(Thought(thoughts))


def _reply(session: Session, number: int) -> Node:
    """Message `number`, or for 0 the last reply, but for those that only call tools."""
    if number:
        node = session.conversation.message(number)
        if node is None:
            raise NotFound(
                f"There is no message {number} in this conversation.",
                Hint(Do("context"), " lists them by number."),
            )
        return node
    calling: Node | None = None
    for node in session.conversation.back():
        if node.message.role is Role.ASSISTANT:
            if node.message.source or not node.message.calls:
                return node
            calling = calling or node
    if calling is not None:
        return calling
    raise UserError("There is no reply yet.")
