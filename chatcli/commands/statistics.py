"""/tokens, /stats: how many tokens texts have, and how fast replies came."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import Annotated

from chatcli.attachments.compose import attaching
from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.context.outgoing import text_of
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Attachment
from chatcli.conversation.reading_speed import in_seconds, measured
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count, Turn, counted, in_tokens, total
from chatcli.errors import BadArgument, BadFile
from chatcli.prompt.completer import paths
from chatcli.reading.files import STDIN
from chatcli.render.views import Listing, Note
from chatcli.session.planning import counter_of
from chatcli.session.prompt_speed import reading_speed
from chatcli.session.session import Session
from chatcli.settings import table

# How many turns /stats shows, and how many messages it looks through for them.
SHOWN = 10
LOOKED_AT = 400


def file_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(path.text, path.meaning) for path in paths(typed, None))


@command("tokens", subcommand="tokens", data=True)
def tokens(session: Session, *files: Annotated[str, Arg("text files", file_words)]) -> Outcome:
    """Count the tokens of files as they would be sent (in the shell also of standard input), as wc counts words.

    Documents count as the text that is read of them. The vocabulary of the model in use counts; `=` marks an exact
    count, `~` an estimate.
    """
    if not files and sys.stdin.isatty():
        raise BadArgument("There is nothing to count.", "Name a file, or pipe text in.")
    texts: list[Attachment] = []
    unread: list[BadFile] = []
    progress = _reading(files or (STDIN,), texts, unread, session.settings[table.ENCODING])

    def listed() -> Outcome:
        if not texts:
            raise unread[0]
        counter = counter_of(session)
        counts = [counter.text(text_of(each)) for each in texts]
        names = [each.name if files else "" for each in texts]
        counted = list(zip(counts, names, strict=True))
        rows = [(str(count), name) for count, name in counted]
        if len(rows) > 1:
            rows.append((str(total(counts)), "total"))
        listing = Listing(("tokens", "file"), tuple(rows), right=frozenset({"tokens"}), note=counted_by(session))
        said = (*(error.message for error in unread), *(note for each in texts for note in each.notes))
        notes = [Note(each, "warning") for each in said]
        return Show(
            (*notes, listing),
            exit_code=1 if unread else 0,
            data=lambda: [{"file": name, "tokens": count.tokens, "exact": count.exact} for count, name in counted],
        )

    return Watch(progress, listed)


@command("stats")
def stats(session: Session) -> Outcome:
    """Show statistics of the last replies: time to the first token, eval rates, and how much was cached."""
    back = islice(session.conversation.back(), LOOKED_AT)
    replies = [node for node in back if node.turn is not None]
    if not replies:
        return Show.of(Note("No reply has come yet in this conversation.", "quiet"))
    slowest = _reading_speed([node.turn for node in replies if node.turn is not None])
    rows = tuple(_row(node, node.turn, slowest) for node in reversed(replies[:SHOWN]) if node.turn is not None)
    columns = (
        "message",
        "first token",
        "prompt",
        "planned",
        "from cache",
        "prompt eval rate",
        "reply",
        "eval rate",
    )
    note = "From cache: an estimate, from the time the server took to read the prompt. Rates: tokens per second."
    turns = [node.turn for node in replies if node.turn is not None]
    listing = Listing(columns, rows, right=frozenset(columns), note=note)
    return Show((listing, *(Note(line, "quiet") for line in _of_recall(turns, reading_speed(session)))))


def _of_recall(turns: Sequence[Turn], speed: float | None) -> Iterator[str]:
    """What recall cost in these turns. Seconds are told at the speed of the turn itself, where that is known."""
    cost = [(turn, turn.quoted + turn.again) for turn in turns if turn.quoted or turn.again]
    if not cost:
        return
    speeds = [measured(turn) or speed for turn, _ in cost]
    timed = [tokens / rate for (_, tokens), rate in zip(cost, speeds, strict=True) if rate]
    seconds = f", {in_seconds(sum(timed))} to read" if len(timed) == len(cost) else ""
    quoting = sum(turn.quoted > 0 for turn, _ in cost)
    again = sum(turn.again for turn, _ in cost)
    yield (
        f"Recall: {in_tokens(sum(tokens for _, tokens in cost))}{seconds}, with {counted(quoting, 'question')} of "
        f"{len(turns)}; {again} of them for messages that were read again because of it."
    )


def _reading(
    files: Sequence[str], texts: list[Attachment], unread: list[BadFile], encoding: str
) -> Generator[Progress, None, None]:
    """Read them as they would be sent; `unread` gets the errors of those that cannot be."""
    from chatcli.client.fetch import fetch

    def take(attachment: Attachment) -> None:
        if attachment.kind == "image":
            raise BadFile(f"{attachment.name} is a picture.", "What it costs depends on the model that sees it.")
        texts.append(attachment)

    for name in files:
        try:
            yield from attaching((name,), take, fetch, encoding=encoding)
        except BadFile as error:
            unread.append(error)


def counted_by(session: Session) -> str:
    """A sentence on how tokens are counted now."""
    how = session.counter.describe()
    if "estimated" in how:
        return f"Counts are estimated by {how.replace(', estimated', '')}."
    exact = how.endswith("and template")
    return "Counts are exact (the model's tokenizer)." if exact else f"Counts are made with {how}."


def _reading_speed(turns: Sequence[Turn]) -> float:
    """The tokens per second at which the server reads a prompt that is not cached: the slowest rate seen."""
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
        str(turn.planned) if turn.planned.tokens else "",
        cached,
        _speed(usage.prompt_tokens, usage.prompt_seconds),
        str(usage.reply_tokens) if usage.reply_tokens is not None else "",
        _speed(usage.reply_tokens, usage.reply_seconds),
    )


def _speed(amount: int | None, seconds: float | None) -> str:
    return f"{amount / seconds:.1f}" if amount and seconds else ""
