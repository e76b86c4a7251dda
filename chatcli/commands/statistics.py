"""/tokens, /stats: what things cost, and how fast they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Annotated

from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Show
from chatcli.commands.registry import command
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count, Turn, total
from chatcli.errors import BadArgument, BadFile, ServerError
from chatcli.paths import path_of, readable
from chatcli.prompt.completer import paths
from chatcli.prompt.piped import read_stdin
from chatcli.reading.files import read_bytes
from chatcli.render.views import Listing, Note
from chatcli.session.session import Session

# How many turns /stats shows, and how far back it looks for them.
SHOWN = 10
LOOKED_AT = 400


def file_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(path.text, path.meaning) for path in paths(typed, None))


@command("tokens", subcommand="tokens")
def tokens(session: Session, *files: Annotated[str, Arg("text files", file_words)]) -> Outcome:
    """Count the tokens of files (in the shell also of standard input), as wc counts words.

    Counted with the vocabulary of the model in use; `=` marks an exact count, `~` an estimate.
    """
    texts, unread = _texts(files) if files else ([("", read_stdin())], [])
    if not texts:
        raise unread[0]
    if not files and not texts[0][1]:
        raise BadArgument("There is nothing to count.", "Name a file, or pipe text in.")
    with suppress(ServerError):  # no server, no vocabulary: the bundled encoding counts
        session.counting.get()
    session.counter.warm_up()
    counts = [session.counter.text(text) for _, text in texts]
    rows = [(str(count), name) for count, (name, _) in zip(counts, texts, strict=True)]
    if len(rows) > 1:
        rows.append((str(total(counts)), "total"))
    listing = Listing(("tokens", "file"), tuple(rows), right=frozenset({"tokens"}), note=_counted_by(session))
    notes = [Note(error.message, "warning") for error in unread]
    return Show((*notes, listing), exit_code=1 if unread else 0)


@command("stats")
def stats(session: Session) -> Outcome:
    """Show how the last replies came: time to the first token, speeds, and how much was read from the cache."""
    back = islice(session.conversation.back(), LOOKED_AT)
    replies = [node for node in back if node.turn is not None]
    if not replies:
        return Show.of(Note("No reply has come yet in this conversation.", "quiet"))
    slowest = _reading_speed([node.turn for node in replies if node.turn is not None])
    rows = tuple(_row(node, node.turn, slowest) for node in reversed(replies[:SHOWN]) if node.turn is not None)
    columns = ("message", "first token", "prompt", "planned", "from cache", "read at", "reply", "made at")
    note = (
        "From cache: an estimate, by the time the server took to read the prompt. Speeds are in tokens a second."
    )
    return Show.of(Listing(columns, rows, right=frozenset(columns), note=note))


def _texts(files: Sequence[str]) -> tuple[list[tuple[str, str]], list[BadFile]]:
    """What can be read, by name; and why the rest cannot."""
    texts, unread = [], []
    for name in files:
        try:
            texts.append((name, _text(name)))
        except BadFile as error:
            unread.append(error)
    return texts, unread


def _text(name: str) -> str:
    with readable(name, "Name a text file."):
        return read_bytes(path_of(name)).decode("utf-8", errors="replace")


def _counted_by(session: Session) -> str:
    return f"Counted by {session.counter.describe()}."


def _reading_speed(turns: Sequence[Turn]) -> float:
    """Tokens a second at which the server reads a prompt that it has not cached: the slowest seen."""
    usages = [turn.usage for turn in turns]
    speeds = [
        usage.prompt_tokens / usage.prompt_seconds
        for usage in usages
        if usage.prompt_tokens and usage.prompt_seconds
    ]
    return min(speeds, default=0.0)


def _row(node: Node, turn: Turn, slowest: float) -> tuple[str, ...]:
    usage = turn.usage
    read = usage.prompt_seconds * slowest if usage.prompt_seconds is not None else None
    cached = f"{max(0.0, 1 - read / usage.prompt_tokens):.0%}" if read is not None and usage.prompt_tokens else ""
    return (
        str(node.number),
        f"{turn.first_token_seconds:.2f} s" if turn.first_token_seconds is not None else "",
        str(Count(usage.prompt_tokens, exact=True)) if usage.prompt_tokens is not None else "",
        str(turn.planned),
        cached,
        _speed(usage.prompt_tokens, usage.prompt_seconds),
        str(usage.reply_tokens) if usage.reply_tokens is not None else "",
        _speed(usage.reply_tokens, usage.reply_seconds),
    )


def _speed(amount: int | None, seconds: float | None) -> str:
    return f"{amount / seconds:.1f}" if amount and seconds else ""
