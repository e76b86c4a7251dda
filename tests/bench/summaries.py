"""How many numbers, dates and quoted strings of what is summarized reach the model? Prints one JSON line.

    python -m tests.bench.summaries FILE --budget 3072

replay.py describes FILE. Every conversation is replayed turn by turn; stand-ins for a model write the summaries:
`sentences` takes the first sentences of messages, evenly spaced, as many words as a model is asked for; `words`
takes single words, at most 110. What the messages say specifically is counted, in percent of the different
specifics: `text` are in the summary's text, `listed` in the text with the list below it; `new` of the messages
that are new in a summary, `whole` of all that it covers. `tokens`: mean size of text and of the list. `longest`:
the most that a summary takes of its limit.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from chatcli.context.specifics import Kept, Specific, specifics
from chatcli.context.summary import Due, words_for
from chatcli.conversation.context_state import Summary
from chatcli.conversation.message import Message
from chatcli.settings.strategies import AUTO
from tests.bench.replay import Configuration, Replayed, count, opened, replay, some_words


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--budget", type=int, default=3072)
    wishes = parser.parse_args()
    print(json.dumps(measure(wishes.file, wishes.budget)))


def measure(file: Path, budget: int) -> dict[str, Any]:
    store, conversations = opened(file)
    with store:
        return {
            name: _figures(conversations, Configuration(AUTO, budget, summarize=stand_in))
            for name, stand_in in (("sentences", some_sentences), ("words", some_words))
        }


def some_sentences(wanted: Due) -> str:
    """The first sentences of messages, evenly spaced, as many words as a model is asked for."""
    sentences = [re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0] for text in wanted.said]
    length = sum(len(each.split()) for each in sentences)
    return " ".join(sentences[:: max(1, -(-length // words_for(wanted.limit)))])


def _figures(conversations: list[Replayed], configuration: Configuration) -> dict[str, Any]:
    new, covered = list[tuple[bool, bool]](), list[tuple[bool, bool]]()
    texts, lists, shares = list[int](), list[int](), list[float]()
    for conversation in conversations:
        for _ in replay(conversation, configuration):
            pass
        for wanted, summary in conversation.summaries:
            after = summary.replaces.last if summary.replaces is not None else 0
            new += _kept(conversation, summary, after)
            covered += _kept(conversation, summary, 0)
            texts.append(_tokens(summary.text))
            lists.append(_tokens(summary.whole) - texts[-1])
            shares.append(_tokens(summary.whole) / wanted.limit)
    return {
        "summaries": len(texts),
        "specifics": len(new),
        "new": _percent(new),
        "whole": _percent(covered),
        "tokens": {"text": round(fmean(texts)), "list": round(fmean(lists))},
        "longest": round(max(shares), 2),
    }


def _kept(conversation: Replayed, summary: Summary, after: int) -> Iterator[tuple[bool, bool]]:
    """For each specific of the messages after that number: whether the text has it, and text and list."""
    text, whole = Kept.of(summary.text), Kept.of(summary.whole)
    said = (node.message.text for node in conversation.path[after : summary.last])
    different: dict[frozenset[str], Specific] = {each.forms: each for one in said for each in specifics(one)}
    yield from ((text.has(each), whole.has(each)) for each in different.values())


def _percent(kept: list[tuple[bool, bool]]) -> dict[str, float]:
    text, whole = zip(*kept, strict=True)
    return {"text": round(fmean(text) * 100, 1), "listed": round(fmean(whole) * 100, 1)}


def _tokens(text: str) -> int:
    return count(Message.user(text)).tokens - count(Message.user("")).tokens


if __name__ == "__main__":
    main()
