"""The output of a command that was run in the shell, as an attachment of the next message."""

from __future__ import annotations

from chatcli.context.outgoing import less
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.usage import Count, in_tokens
from chatcli.prompt.shell import Ran
from chatcli.session.session import Session
from chatcli.text import lines_in, shortened

# Characters of a command in the name of its output.
SHOWN = 40


def offer(session: Session, ran: Ran) -> str:
    """The question whether it goes with the next message, with what it costs there."""
    counter = session.counter
    said = Message.user(ran.output)
    count = (
        less(counter.count(said), counter.count(Message.user("")))
        if counter.ready
        else Count(len(ran.output) // 4)
    )
    lines = lines_in(ran.output)
    size = f"{lines} line{'s' if lines > 1 else ''}, {in_tokens(str(count).removeprefix('='))}"
    left_out = f", without {ran.left_out} characters in its middle" if ran.left_out else ""
    return f"Send the output with the next message ({size}{left_out})?"


def as_attachment(command: str, ran: Ran) -> Attachment:
    """Named by its command, so that the model knows what it is."""
    name = shortened(" ".join(f"$ {command}".split()), SHOWN)
    return Attachment("text", name, "text/plain", ran.output.encode("utf-8", "replace"))
