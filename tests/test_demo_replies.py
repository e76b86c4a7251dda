"""The demo engine's replies: the tour, honest about itself, and the few things it really computes."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest

from chatcli.context.plan_inputs import Memory
from chatcli.context.summary import instruction
from chatcli.conversation.message import Attachment
from chatcli.conversation.message import Message as Said
from chatcli.conversation.plan import Fate, PartKind
from chatcli.demo.replies import NO_MODEL, STOPS, WORDS, describe_picture, reply, shaped, summarise
from chatcli.demo.request import DemoMessage
from chatcli.demo.tokenizer import vocabulary
from chatcli.settings.strategies import STRATEGIES
from chatcli.store.store import Store
from tests.remembering import Chat, room_for

TOUR = ("hi", "tour", "thanks", "code", "languages", "thinking", "who are you", "unheard of", *STOPS)


def user(text: str, *images: bytes) -> DemoMessage:
    return DemoMessage("user", text, images=images)


def assistant(text: str) -> DemoMessage:
    return DemoMessage("assistant", text)


@pytest.mark.parametrize("question", TOUR)
def test_every_first_reply_says_that_no_model_is_behind_it(question: str) -> None:
    assert reply([user(question)]).content.startswith(NO_MODEL)


def test_later_replies_say_it_when_asked() -> None:
    earlier = [user("hi"), assistant("Hello.")]
    assert NO_MODEL not in reply([*earlier, user("tokens")]).content
    assert "Nobody." in reply([*earlier, user("Who is answering, a real model?")]).content


@pytest.mark.parametrize("question", TOUR)
def test_a_reply_is_calm_and_most_are_short(question: str) -> None:
    said = reply([user("hi"), assistant("Hello."), user(question)])
    assert "!" not in said.content + said.thinking
    length = sum(1 for _ in vocabulary("llama-bpe").tokens(said.content))
    assert length > 900 if question == "long" else length <= 400


def test_the_tour_names_every_strategy() -> None:
    said = reply([user("What does the memory strategy do?")]).content
    assert all(f"| `{each.name}` | {each.help} |" in said for each in STRATEGIES)


def test_the_same_messages_get_the_same_reply() -> None:
    assert reply([user("tokens, please")]) == reply([user("tokens, please")])


@pytest.mark.parametrize(
    ("question", "heading"),
    [
        ("hello", "# Welcome to chatcli"),
        ("What is a token?", "## What a request costs"),
        ("hi, show me a table in markdown", "## What a reply can look like"),
        ("How does your MEMORY work?", "## What stays in mind"),
        ("日本語 unicode", "## In many scripts"),
    ],
)
def test_the_words_of_the_question_choose_the_part(question: str, heading: str) -> None:
    assert heading in reply([user(question)]).content


def test_next_walks_through_all_stops_and_begins_again() -> None:
    messages = [user("tour")]
    messages.append(assistant(reply(messages).content))
    seen = []
    for _ in range(len(STOPS) + 1):
        messages.append(user("next"))
        messages.append(assistant(reply(messages).content))
        seen.append(messages[-1].content.splitlines()[0])
    assert len(set(seen)) == len(STOPS)
    assert seen[0] == seen[-1]


def test_words_it_does_not_know_are_given_back_as_a_quotation() -> None:
    assert "> first line\n> second line" in reply([user("first line\nsecond line")]).content


def test_what_the_tour_says_of_tokens_is_true() -> None:
    claims = re.findall(r"^(\S+) .*?(\d) tokens$", reply([user("tokens")]).content, re.MULTILINE)
    assert len(claims) == 3
    for text, count in claims:
        assert sum(1 for _ in vocabulary("llama-bpe").tokens(text)) == int(count)
    assert f"{vocabulary('llama-bpe').size:,} tokens" in reply([user("tokens")]).content


def test_a_reply_broken_off_is_gone_on_with() -> None:
    whole = reply([user("memory")]).content
    assert whole[:100] + reply([user("memory"), assistant(whole[:100])]).content == whole
    assert reply([user("memory"), assistant("something else")]).content


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480), "a PNG of 640 × 480 pixels, 24 bytes"),
        (b"GIF89a" + struct.pack("<HH", 20, 10), "a GIF of 20 × 10 pixels"),
        (
            b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x0b\x08" + struct.pack(">HH", 30, 50) + b"\x03",
            "a JPEG of 50 × 30",
        ),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x3f\0\0\x1f\0\0", "a WebP of 64 × 32"),
        (b"RIFF\0\0\0\0WEBPVP8L" + b"\0" * 4 + b"\x2f" + struct.pack("<I", 63 | 31 << 14), "a WebP of 64 × 32"),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 64, 32), "a WebP of 64 × 32"),
        (b"plain text", "a file whose kind I cannot tell, 10 bytes"),
        (b"\xff\xd8\xff", "a file whose kind I cannot tell"),
        (b"\x89PNG\r\n\x1a\n", "a file whose kind I cannot tell"),
    ],
)
def test_a_picture_is_described_by_what_its_head_says(data: bytes, words: str) -> None:
    assert words in describe_picture(data)


def test_pictures_are_counted_and_each_is_described() -> None:
    gif = b"GIF89a" + struct.pack("<HH", 20, 10)
    said = reply([user("what are these?", gif, gif)]).content
    assert "2 pictures have arrived" in said
    assert said.count("a GIF of 20 × 10 pixels") == 2


def test_a_summary_keeps_names_numbers_and_decisions_in_their_order() -> None:
    messages = [
        user("My name is Ada. It is nice here. We decided on the 4th of May for the launch in Oslo."),
        assistant("Noted. The budget is 300 euro."),
        user(instruction(200, None, again=False)),
    ]
    lines = reply(messages).content.splitlines()
    assert lines == [
        "- My name is Ada.",
        "- It is nice here.",
        "- We decided on the 4th of May for the launch in Oslo.",
        "- The budget is 300 euro.",
    ]


def test_a_summary_is_bounded_and_prefers_what_tells_most() -> None:
    dull = [
        f"This is a sentence of no great interest and it is rather alike number {'x' * at}." for at in range(60)
    ]
    kept = summarise([*dull, "We agreed to meet Grace at 10 in Paris."])
    assert "Grace" in kept
    assert len(kept.replace("- ", "").split()) <= WORDS


def test_only_the_instruction_that_chatcli_sends_asks_for_a_summary() -> None:
    earlier = [user("hi"), assistant("The budget is 300 euro.")]
    for again in (False, True):
        wanted = reply([*earlier, user(instruction(600, None, again))])
        assert wanted.content.splitlines() == ["- The budget is 300 euro."]
    assert "300 euro" not in reply([*earlier, user("Does a summary condense my tokens?")]).content


NOTES = "Chats and memory, in a summary.\n\nTokens in markdown; commands. "


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        ((), {PartKind.RECALLED}),
        ((Attachment("text", "notes.md", "text/markdown", NOTES.encode()),), {PartKind.RECALLED}),
        (
            (Attachment("text", "long.md", "text/markdown", (NOTES + "Pipes.\n\n").encode() * 60),),
            {PartKind.PASSAGES},
        ),
    ],
    ids=["recall", "a whole file", "passages"],
)
def test_a_reply_is_to_the_question_and_not_to_what_was_looked_up_for_it(
    files: tuple[Attachment, ...], kinds: set[PartKind]
) -> None:
    with Store.open(None) as store:
        made = Chat(store, room_for(1200), memory=Memory(recall="always"))
        for turn in range(30):
            said = (
                f"Turn {turn}. A summary of chats in markdown: tokens, memory, commands.\n\nPipes are one thing."
            )
            made.ask(said, "The chats of this program.\n\n" + "So it is, with chats and memory. " * 3)
        plan = made.ask("", question=Said.user("what about pipes?", files))
    assert {part.kind for part in plan.parts if part.fate is Fate.SENT} >= kinds
    asked = [DemoMessage(each.role.value, each.text) for each in plan.messages]
    assert not asked[-1].content.startswith("what about pipes?")
    assert ("(end of notes.md)" in asked[-1].content) == (files != () and PartKind.PASSAGES not in kinds)
    assert "## Between other programs" in reply(asked).content
    assert "The question has 3 words" in reply(asked).thinking


def test_a_file_without_a_word_is_given_back_and_what_was_said_earlier_is_not() -> None:
    recalled = "Earlier in this conversation (may be relevant):\n1 March 2026\nuser: My tokens."
    shown = reply([user(f"{recalled}\n\nFile a.md:\nMy commands.\n(end of a.md)")]).content
    assert "> My commands." in shown
    assert "My tokens" not in shown
    assert "> xyz" in reply([user(f"{recalled}\n\nxyz")]).content
    assert "My tokens" not in reply([user(f"{recalled}\n\nxyz")]).content


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "w"),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 7}, 7),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"properties": {"a": {"type": "null"}, "b": {"type": "number"}}}, {"a": None, "b": 1.5}),
    ],
)
def test_a_format_is_filled_in(schema: dict[str, Any], value: object) -> None:
    assert shaped(schema, "w") == value
