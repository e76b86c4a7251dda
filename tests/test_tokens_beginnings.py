"""Histories that begin with a reply or lack some messages: their counts before sending are never too low."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache

import pytest

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.client.server import start_demo
from chatcli.context.budget import margin_for
from chatcli.conversation.events import Done
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Part, PartKind, Plan, with_template
from chatcli.conversation.usage import Count, Usage
from chatcli.tokens.counter import Counter
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.template import leading
from tests.bench.tokens import TEXTS
from tests.test_tokens_exact import exact, measured
from tests.test_tokens_template import WRITERS, text_of

DEMO = ("headers", "headers with a Modelfile's messages", "system message twice", "thinking", "thinking off")
SYSTEM = Message.system("You are an old sailor who knows all harbours. " * 30)
kept = cache(exact)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with closing(start_demo()) as server, closing(Client(server.url)) as made:
        yield made


def history(chance: random.Random, texts: Sequence[str] = TEXTS) -> list[Message]:
    """Begins with a reply as often as not; some messages are missing; ends with a question."""
    said = [SYSTEM, Message.system("Be kind.")][chance.randrange(2) :][: chance.randrange(2)]
    roles = [Role.ASSISTANT, Role.USER] * chance.randrange(1, 7)
    forgotten = chance.choice([0, 0, 0.3])
    kept_roles = [role for role in roles[chance.randrange(2) : -1] if chance.random() >= forgotten]
    return [
        *said,
        *(Message(role, chance.choice(texts)[: chance.randrange(1, 200)]) for role in kept_roles),
        Message.user(chance.choice(texts)[:200]),
    ]


@pytest.mark.parametrize("writer", DEMO)
@pytest.mark.parametrize("vocabulary", ["llama-bpe", "spm", "qwen2"])
def test_whatever_a_history_begins_with_it_is_counted_to_the_token(vocabulary: str, writer: str) -> None:
    chance = random.Random(vocabulary + writer)
    for _ in range(60):
        messages = history(chance)
        assert kept(vocabulary, writer).prompt(messages) == Count(measured(vocabulary, writer, messages), True)


@pytest.mark.parametrize("writer", WRITERS)
def test_no_history_is_counted_too_low(writer: str) -> None:
    chance = random.Random(writer)
    for _ in range(300):
        messages = history(chance)
        planned, true = kept("llama-bpe", writer).prompt(messages), measured("llama-bpe", writer, messages)
        assert planned.tokens == true if planned.exact else planned.tokens >= true, messages


@pytest.mark.parametrize("writer", WRITERS)
def test_a_gap_that_was_not_learnt_never_loses_the_system_text(writer: str) -> None:
    counting, chance = exact("llama-bpe", writer), random.Random(writer)
    assert counting.template is not None
    gaps = counting.template.gaps
    for key in [key for key in gaps if "^" in key and "assistant" in key]:
        del gaps[key]  # type: ignore[attr-defined]
    for _ in range(100):
        messages = history(chance)
        planned, true = counting.prompt(messages), measured("llama-bpe", writer, messages)
        assert planned.tokens == true if planned.exact else planned.tokens >= true, messages
        shown = WRITERS[writer](messages)
        if messages[0] == SYSTEM and SYSTEM.text in shown:
            assert text_of(counting.template, messages).count(SYSTEM.text) >= shown.count(SYSTEM.text)


@pytest.mark.parametrize("writer", DEMO)
def test_a_plan_s_template_part_is_never_negative_and_its_parts_add_up(writer: str) -> None:
    counting, chance = kept("llama-bpe", writer), random.Random(writer)
    for _ in range(60):
        messages = history(chance)
        parts = [Part(PartKind.VERBATIM, Fate.SENT, counting.cost(message)) for message in messages]
        plan = Plan(tuple(messages), (Part(PartKind.TEMPLATE, Fate.SENT, Count(0)), *parts), 4096, 256)
        plan = with_template(plan, counting.fixed(messages))
        assert all(part.count.tokens >= 0 for part in plan.parts)
        assert plan.planned == counting.prompt(messages)


def test_what_a_request_costs_besides_its_system_message_is_known_before_there_is_a_question() -> None:
    counting = kept("llama-bpe", "headers")
    assert counting.fixed([SYSTEM]) == counting.fixed([SYSTEM, Message.user("x")])
    assert counting.fixed([SYSTEM]).tokens > 0
    assert counting.fixed([SYSTEM]).exact


def test_an_uncertain_prompt_that_was_longer_is_not_counted_too_low_again() -> None:
    counting = exact("llama-bpe", "choosy")
    odd = [Message.assistant(""), Message.user(""), Message.user(""), Message.assistant(""), Message.user("")]
    more = counting.prompt(odd).tokens + 50
    counting.learn(odd, more)
    assert counting.prompt(odd) == Count(more, False)


@pytest.mark.parametrize("model", ["demo", "demo-vision", "demo-thinking", "demo-brief", "demo-tools"])
@pytest.mark.parametrize("way", ["template", "vocabulary only", "learned costs"])
def test_the_server_never_counts_more_than_was_planned(client: Client, model: str, way: str) -> None:
    def request(messages: Sequence[Message]) -> Request:
        return Request(model, tuple(messages), {"num_ctx": 16384, "num_predict": 1})

    counter, known, chance = Counter(None), client.model(model), random.Random(model + way)
    render = (lambda messages, _: client.render(request(messages))) if way == "template" else (lambda *_: None)
    source = None if way == "learned costs" else ModelSource(lambda: client.vocabulary(model), render)
    preset = [*([Message.system(known.system)] if known.system else []), *known.messages]
    counter.use(model, known.digest, preset, source)
    counter.prepare()
    counter.warm_up()
    safety = margin_for(2048, exact=False) if way == "learned costs" else 0
    for turn in range(16):
        messages = regular(turn) if turn < 5 else history(chance, TEXTS[:2])
        if way != "template" and turn >= 5:  # that this template writes it twice is learnt for one text only
            messages = [SYSTEM, *messages[leading(messages) :]]
        planned = counter.prompt(messages)
        *_, done = client.chat(request(messages))
        assert isinstance(done, Done)
        true = done.usage.prompt_tokens or 0
        assert planned.tokens == true if planned.exact else planned.tokens + safety >= true or turn < 2
        assert planned.exact or way != "template", counter.notice()
        counter.learn(Plan(tuple(messages), (), 16384, 256), Usage(prompt_tokens=true))


def test_a_modelfile_s_own_system_message_is_counted_where_a_request_has_none(client: Client) -> None:
    counter, talk = Counter(None), regular(0)
    for preset in ([], [Message.system("Answer in one or two sentences. " * 20)]):
        counter.use("model", "", preset, ModelSource(lambda: client.vocabulary("demo"), lambda *_: None))
        counter.prepare()
        before = counter.prompt(talk).tokens
        for _ in range(2):
            counter.learn(Plan(tuple(talk), (), 16384, 256), Usage(prompt_tokens=before))
        counted = counter.prompt(talk[1:])
        told = sum(counter.text(message.text).tokens for message in preset)
        assert not counted.exact
        assert counted.tokens >= before - counter.text(SYSTEM.text).tokens + told
        counter.use("", "")


def regular(turns: int) -> list[Message]:
    exchanges = [
        (Message.user(f"{TEXTS[0]} {turn}"), Message.assistant("Yes. " * turn)) for turn in range(turns + 1)
    ]
    return [SYSTEM, *(message for exchange in exchanges for message in exchange)][:-1]
