"""Exact counts: they add up, they equal the server's, and they say so when they are not exact."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.usage import total
from chatcli.demo.tokenizer import vocabulary as demo_vocabulary
from chatcli.tokens.exact import Exact
from chatcli.tokens.template_learning import learn
from chatcli.tokens.vocabulary import Vocabulary
from chatcli.tokens.vocabulary_file import convert
from tests.test_tokens_template import WRITERS, conversation
from tests.test_tokens_vocabulary import NAMES, own, shown

SYSTEM = Message.system("You are a guide.")
TALK = [
    SYSTEM,
    Message.user("What is a token?"),
    Message.assistant("A piece of text."),
    Message.user("And 12345?"),
]


def measured(vocabulary: str, writer: str, messages: Sequence[Message]) -> int:
    demo = demo_vocabulary(vocabulary)
    return len(demo.beginning) + sum(1 for _ in demo.prompt(WRITERS[writer](messages)))


def exact(vocabulary: str, writer: str) -> Exact:
    return Exact.begin(own(vocabulary), learn(WRITERS[writer]))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("vocabulary", NAMES)
def test_a_prompt_is_counted_to_the_token_before_it_was_ever_sent(vocabulary: str, writer: str) -> None:
    counting, chance = exact(vocabulary, writer), random.Random(5)
    for _ in range(40):
        messages = conversation(chance, simple=True)
        planned = counting.prompt(messages)
        assert planned.exact
        assert planned.tokens == measured(vocabulary, writer, messages)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=6), st.sampled_from(NAMES))
def test_texts_that_merge_with_the_template_around_them_are_counted_with_it(texts: list[str], name: str) -> None:
    counting = exact(name, "plain")
    messages = [Message.assistant(text) if at % 2 else Message.user(text) for at, text in enumerate(texts)]
    planned = counting.prompt(messages)
    assert not planned.exact or planned.tokens == measured(name, "plain", messages)


@pytest.mark.parametrize("writer", WRITERS)
def test_the_parts_and_what_a_request_costs_besides_add_up(writer: str) -> None:
    counting, chance = exact("llama-bpe", writer), random.Random(3)
    for _ in range(40):
        messages = conversation(chance, simple=False)
        parts = [counting.fixed(messages), *map(counting.cost, messages)]
        assert total(parts) == counting.prompt(messages)


@pytest.mark.parametrize("writer", ["headers", "thinking", "gemma"])
def test_what_a_request_costs_besides_hardly_depends_on_its_length(writer: str) -> None:
    counting = exact("llama-bpe", writer)
    long = [TALK[1], TALK[2]] * 20 + [TALK[3]]
    assert counting.fixed(long) == counting.fixed([TALK[1]]) == counting.fixed([])


def test_without_a_template_counts_are_exact_from_the_third_turn_on() -> None:
    counting, talk = Exact.begin(own("llama-bpe"), None), [SYSTEM]
    for turn in range(6):
        talk.append(Message.user(f"Question {turn} of many, with 123 words?"))
        planned, true = counting.prompt(talk), measured("llama-bpe", "headers", talk)
        assert planned.exact == (turn >= 2)
        assert planned.tokens == true or turn < 2
        counting.learn(talk, true)
        talk.append(Message.assistant("Answer: " + "so and so " * turn))


def test_a_token_more_at_the_beginning_is_learnt_and_said_until_it_is() -> None:
    counting, true = exact("llama-bpe", "headers"), measured("llama-bpe", "headers", TALK) + 1
    assert counting.prompt(TALK).exact
    counting.learn(TALK, true)
    assert (counting.prompt(TALK).tokens, counting.sound) == (true, False)
    assert "the server counts differently" in counting.describe()
    counting.learn(TALK, true)
    assert (counting.prompt(TALK).tokens, counting.sound) == (true, True)


def test_a_token_more_for_every_reply_is_solved_for() -> None:
    counting, talk = exact("llama-bpe", "headers"), [SYSTEM, TALK[1]]
    for turn in range(4):
        true = measured("llama-bpe", "headers", talk) + 3 * turn
        assert turn < 2 or counting.prompt(talk).tokens == true
        counting.learn(talk, true)
        talk += [Message.assistant("Yes."), Message.user("Why?")]
    assert counting.sound


def test_counts_that_never_agree_stay_estimates() -> None:
    counting, chance, talk = exact("llama-bpe", "headers"), random.Random(2), [SYSTEM]
    for turn in range(8):
        talk.append(Message.user("Why?"))
        counting.learn(talk, measured("llama-bpe", "headers", talk) + chance.randrange(1, 40) ** 2)
        talk.append(Message.assistant("Yes."))
        assert turn < 2 or not counting.sound


def test_a_server_that_reads_the_vocabulary_otherwise_is_followed() -> None:
    counting = Exact.begin(Vocabulary(convert(shown("spm", add_space_prefix=True))), learn(WRITERS["gemma"]))
    true = measured("spm", "gemma", TALK)
    assert counting.prompt(TALK).tokens != true
    counting.learn(TALK, true)
    assert (counting.prompt(TALK).tokens, counting.sound) == (true, False)
    counting.learn(TALK, true)
    assert counting.prompt(TALK).exact


def test_another_way_that_fitted_by_chance_is_left_again() -> None:
    counting = exact("llama-bpe", "headers")
    numbers = [Message.user("10 11 12 2024 100 200?")]
    true, otherwise = counting.prompt(numbers), Exact(own("llama-bpe").read_as("qwen2"), counting.template)
    more = otherwise.prompt(numbers).tokens - true.tokens
    counting.learn(numbers, true.tokens + more)
    assert counting.vocabulary.way == "qwen2"
    for talk in (TALK, TALK[:2], TALK):
        counting.learn(talk, measured("llama-bpe", "headers", talk) + more)
    assert counting.prompt(TALK).tokens == measured("llama-bpe", "headers", TALK) + more
    assert counting.sound


def test_an_uncertain_prompt_teaches_nothing() -> None:
    counting = exact("llama-bpe", "choosy")
    odd = [Message.user(""), Message.user(""), Message.assistant(""), Message.user("")]
    assert not counting.prompt(odd).exact
    counting.learn(odd, 5000)
    assert counting.prompt(TALK).tokens == measured("llama-bpe", "choosy", TALK)


def test_pictures_are_estimates_until_they_were_measured() -> None:
    counting, true = exact("spm", "gemma"), measured("spm", "gemma", [TALK[1]])
    cat, dog = (Attachment("image", "x.png", "image/png", data) for data in (b"cat", b"dog"))
    asked = [Message.user(TALK[1].text, (cat,))]
    assert (counting.prompt(asked).tokens, counting.prompt(asked).exact) == (true + 768, False)
    counting.learn(asked, true + 256)
    assert (counting.prompt(asked).tokens, counting.prompt(asked).exact) == (true + 256, True)
    both = [Message.user(TALK[1].text, (cat, dog))]
    assert (counting.prompt(both).tokens, counting.prompt(both).exact) == (true + 512, False)


def test_a_refused_prompt_is_counted_larger_until_one_was_measured() -> None:
    counting, true = exact("llama-bpe", "headers"), measured("llama-bpe", "headers", TALK)
    counting.raise_to(TALK, 5000)
    assert (counting.prompt(TALK).tokens, counting.prompt(TALK).exact) == (5000, False)
    counting.learn(TALK, true)
    counting.learn(TALK, true)
    assert (counting.prompt(TALK).tokens, counting.prompt(TALK).exact) == (true, True)


def test_one_message_that_the_server_cuts_otherwise_is_not_charged_to_every_reply() -> None:
    counting, talk = exact("llama-bpe", "headers"), [SYSTEM]
    for turn in range(12):
        talk += [Message.user("Why?")]
        odd = 1 if turn >= 8 else 0  # a message of turn 8 costs one token more than it should
        counting.learn(talk, measured("llama-bpe", "headers", talk) + odd)
        talk += [Message.assistant("Yes.")]
    short = [SYSTEM, *talk[-2:], Message.user("Why?")]
    assert counting.prompt(short).tokens >= measured("llama-bpe", "headers", short)
