"""What a command or the loop may ask to show: plain values, drawn by notices.py. Imports nothing of Rich."""

from __future__ import annotations

from typing import Literal, NamedTuple

from chatcli.conversation.message import Attachment, ToolUse
from chatcli.conversation.plan import Plan
from chatcli.conversation.tree import Ended, Node
from chatcli.dataclass import dataclass
from chatcli.hints import Words


@dataclass(frozen=True, slots=True)
class Note:
    """One or a few lines of chatcli's own. `tone` decides the color; never Markdown or markup."""

    text: Words
    tone: Literal["plain", "good", "quiet", "warning"] = "plain"


@dataclass(frozen=True, slots=True)
class Listing:
    """A table. Cells are plain text; numbers come formatted, `right` names the right-aligned columns. `optional`
    names columns that are left out where the terminal is too narrow for all, the first one first.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]
    title: Words = ""
    right: frozenset[str] = frozenset()
    note: Words = ""
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """Markdown to be drawn as a reply is drawn (help, a system prompt, a saved reply)."""

    markdown: str


@dataclass(frozen=True, slots=True)
class SourceText:
    """Text to show word for word, without any rendering (a template, a Modelfile)."""

    text: str


class Change(NamedTuple):
    """A passage of two texts: in both, only in the first (gone), or only in the second. Quiet: a remark."""

    kind: Literal["same", "gone", "new", "quiet"]
    text: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of one text in another, in reading order."""

    parts: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines that draw something with box characters; a plain screen shows those as ASCII."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model thought before its reply."""

    text: str


@dataclass(frozen=True, slots=True)
class CallLine:
    """A tool call in one line."""

    use: ToolUse


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What came of the call before, in one line."""

    ended: Ended
    text: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class WholeCall:
    """A tool call with all of its arguments, and its whole result."""

    node: Node


@dataclass(frozen=True, slots=True)
class History:
    """Messages of the conversation as they are stored, with their numbers."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures to look at. A terminal that cannot show them gets nothing: their names are shown elsewhere."""

    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class WindowView:
    """The window as a picture: the plan by parts, then its messages, and what is known of the window's size.

    `allocated` and `trained` are tokens (None: unknown); `measured` is the server's count for the last turn and
    `planned` what chatcli had planned for it (str of a Count), `dropped` how much of that the server did not
    read because it cut the prompt; `lines` are short remarks below.
    """

    plan: Plan
    strategy: str
    allocated: int | None = None
    trained: int | None = None
    measured: int | None = None
    planned: str = ""
    lines: tuple[Words, ...] = ()
    dropped: int = 0


View = (
    Note
    | Listing
    | Document
    | SourceText
    | Drawing
    | Changes
    | Thought
    | CallLine
    | ResultLine
    | WholeCall
    | History
    | Pictures
    | WindowView
)
