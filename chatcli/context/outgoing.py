"""The copies of messages that a request sends: what each contains, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatcli.conversation.message import Attachment, Message, Role
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.dataclass import dataclass

Counting = Callable[[Message], Count]


@dataclass(frozen=True, slots=True)
class Copies:
    """How messages are copied for one request. `sees`: whether the model accepts images; `tools`:
    whether it knows tools. `largest`: how many
    tokens of attached text may be sent whole with its message. Both are the same for every request, so that a
    message is sent the same way each time. `goes_on`: only for the end of a request, where a reply that is to be
    continued may consist of thinking alone, and where the template shows what was thought before a call.
    """

    count: Counting
    sees: bool = True
    tools: bool = True
    largest: int = 0
    goes_on: bool = False

    def of(self, message: Message) -> Message:
        """Earlier thinking is left out: templates drop it, and it would be counted. Text files become text."""
        if not self.goes_on or (message.has_text and not message.calls):
            message = message.without_thinking
        if message.images and not self.sees:
            message = replace(
                message, attachments=tuple(each for each in message.attachments if each.kind != "image")
            )
        files = text_files(message)
        if not files:
            return message
        shown = whole(files) if self.sends_whole(message) else "\n".join(map(_mention, files))
        rest = tuple(each for each in message.attachments if each.kind != "text")
        return replace(message, text=f"{shown}\n\n{message.text}" if message.text else shown, attachments=rest)

    def lacks(self, message: Message) -> str:
        """What the model cannot take of the message, as a phrase; "" when it gets all of it."""
        pictures = len(message.images)
        unseen = f"without its {'picture' if pictures == 1 else 'pictures'}: the model cannot see"
        unread = "with tool calls, which the model may not be shown: it knows no tools"
        calls = bool(message.tool_uses) or message.role is Role.TOOL
        phrases = (unseen if pictures and not self.sees else "", unread if calls and not self.tools else "")
        return ", and ".join(filter(None, phrases))

    def cost(self, message: Message) -> Count:
        return self.count(self.of(message))

    def tokens(self, node: Node) -> int:
        """What sending the node's message costs."""
        return self.cost(node.message).tokens

    def sends_whole(self, message: Message) -> bool:
        """Whether the message's text files are, together, small enough to be sent with it."""
        files = text_files(message)
        # A file with more bytes has more tokens in any language, so it need not be counted.
        if not files or sum(each.size for each in files) > self.largest * 16:
            return False
        return self.files_cost(message).tokens <= self.largest

    def files_cost(self, message: Message) -> Count:
        """What it adds to send the message's files whole."""
        files = text_files(message)
        bare = replace(message, thinking="", attachments=())
        with_files, without = self.count(replace(bare, text=whole(files))), self.count(replace(bare, text=""))
        return less(with_files, without)


def text_files(message: Message) -> tuple[Attachment, ...]:
    return tuple(each for each in message.attachments if each.kind == "text")


def text_of(file: Attachment) -> str:
    return file.data.decode("utf-8", "replace").removeprefix("\ufeff")


def whole(files: tuple[Attachment, ...]) -> str:
    return "\n\n".join(f"File {each.name}:\n{text_of(each).rstrip()}\n(end of {each.name})" for each in files)


def less(count: Count, other: Count) -> Count:
    """The difference of two counts: how much more the first has."""
    return Count(count.tokens - other.tokens, count.exact and other.exact)


def _mention(file: Attachment) -> str:
    lines = text_of(file).count("\n") + 1
    return (
        f"[File {file.name}, {lines} lines: too long to be sent whole; passages of it go with the last message.]"
    )
