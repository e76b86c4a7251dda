"""Thinking between tags in a reply's text: recognized at the start of the reply, and nowhere else."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli import turn
from chatcli.client.stream import untagged
from chatcli.conversation.events import Done, Event, Text, Thinking, Tick
from chatcli.errors import StreamBroken
from chatcli.session.session import Session
from tests.faults import Engine

END = Done("stop")


def read(*events: Event) -> list[Event]:
    def source() -> Generator[Event, None, None]:
        yield from events

    return list(untagged(source()))


def joined(events: Iterable[Event]) -> tuple[str, str]:
    """Thinking and text, each in one piece."""
    found = list(events)
    return (
        "".join(event.text for event in found if isinstance(event, Thinking)),
        "".join(event.text for event in found if isinstance(event, Text)),
    )


def in_pieces(text: str, cuts: list[int]) -> list[Event]:
    borders = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [Text(text[begin:end]) for begin, end in pairwise(borders)]


@pytest.mark.parametrize("name", ["think", "thinking"])
@given(cuts=st.lists(st.integers(0, 200), max_size=40))
def test_however_the_chunks_are_cut_thinking_and_text_are_told_apart(name: str, cuts: list[int]) -> None:
    reply = f"\n<{name}>\nIs 1 < 2? </th> \n\nYes.</{name}>\n\nIt is: `</{name}>` ends it. <{name}>"
    assert joined(read(*in_pieces(reply, cuts), END)) == (
        "Is 1 < 2? </th> \n\nYes.",
        f"It is: `</{name}>` ends it. <{name}>",
    )


@pytest.mark.parametrize(
    "reply",
    [
        "A model writes <think>so</think> before it speaks.",
        "`<think>` is a tag.",
        "```\n<think>x</think>\n```",
        "  <thinker> <think>",
        "<th",
        "\n  indented",
        "</think> alone",
    ],
)
@given(cuts=st.lists(st.integers(0, 60), max_size=20))
def test_a_reply_that_only_talks_about_tags_is_left_alone(reply: str, cuts: list[int]) -> None:
    assert joined(read(*in_pieces(reply, cuts), END)) == ("", reply)


def test_text_is_not_held_back_longer_than_it_may_be_a_tag() -> None:
    assert read(Text("<"), Text("thin"), Tick(), Text(" ice"), Text("<think>"), END) == [
        Tick(),
        Text("<thin ice"),
        Text("<think>"),
        END,
    ]


def test_a_server_that_sends_thinking_itself_is_believed() -> None:
    events: list[Event] = [Thinking("Hm."), Text("<think>"), Text("is a tag.</think>"), END]
    assert read(*events) == events


def test_empty_thinking_leaves_nothing() -> None:
    assert read(Text("<think>\n\n"), Text("</think>\n\nYes."), END) == [Text("Yes."), END]


def test_a_reply_cut_off_in_its_thinking_has_no_text() -> None:
    assert joined(read(Text("<think>Let me"), Text(" see</thi"), Done("length"))) == ("Let me see</thi", "")


def test_a_tag_that_is_never_ended_costs_no_reply() -> None:
    thinking, text = joined(read(Text("<think> is how a model"), Text(" begins to think."), END))
    assert text == "<think>is how a model begins to think."
    assert thinking


@pytest.mark.parametrize("behind", ["\n", "", "\n\n"])
@given(cuts=st.lists(st.integers(0, 40), max_size=20))
def test_a_model_that_ends_in_its_thinking_has_only_thought(behind: str, cuts: list[int]) -> None:
    assert joined(read(*in_pieces(f"<think>{behind}Let me see. 1 <", cuts), END)) == ("Let me see. 1 <", "")


def test_what_is_held_back_comes_before_an_error() -> None:
    def breaking() -> Generator[Event, None, None]:
        yield Text("<thi")
        raise StreamBroken("cut")

    found = untagged(breaking())
    assert next(found) == Text("<thi")
    with pytest.raises(StreamBroken):
        next(found)


def test_closing_closes_what_it_reads() -> None:
    def endless() -> Generator[Event, None, None]:
        try:
            while True:
                yield Text("a")
        finally:
            closed.append(True)

    closed: list[bool] = []
    found = untagged(endless())
    next(found)
    found.close()
    assert closed == [True]


def test_in_a_turn_it_is_kept_as_thinking_and_not_as_text(session: Session, engine: Engine) -> None:
    engine.say("<think>\nThey greet me.\n</think>\n\nHello.")
    heard: list[Event] = []
    reply = turn.answer(session, turn.ask(session, "hi"), heard.append)
    assert reply is not None
    assert (reply.message.thinking.strip(), reply.message.text) == ("They greet me.", "Hello.")
    assert joined(heard) == (reply.message.thinking, "Hello.")
