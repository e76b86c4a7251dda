"""Counts before anything is known, and what is learnt of costs from the server's figures."""

from __future__ import annotations

import argparse
import pickletools
import random
import stat
import tarfile
from pathlib import Path

import pytest
import tiktoken

from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import Usage
from chatcli.tokens import encoding
from chatcli.tokens.counter import Counter

SYSTEM = Message.system("You are a patient guide.")
PROSE = " ".join(str(module.__doc__) for module in (argparse, random, pickletools, tarfile)) * 3
CODE = Path(random.__file__).read_text("utf-8")
RUSSIAN = "Привет, как дела? Сегодня хорошая погода, и мы пойдём гулять в парк. " * 40
CHINESE = "今天天气很好,我们一起去公园散步吧。模型的上下文窗口有多大?" * 40


def counter(cache: Path | None = None) -> Counter:
    made = Counter(cache)
    made.use("small", "sha256:0123")
    made.warm_up()
    return made


def plan_of(counting: Counter, messages: list[Message], window: int = 4096) -> Plan:
    parts = [Part(PartKind.TEMPLATE, Fate.SENT, counting.fixed(messages))]
    parts += [Part(PartKind.VERBATIM, Fate.SENT, counting.count(message)) for message in messages]
    return Plan(tuple(messages), tuple(parts), window, reserve=window // 4)


class Model:
    """A model with a vocabulary chatcli knows nothing of: the first `size` tokens of another one."""

    def __init__(self, size: int, around: int, fixed: int) -> None:
        ranks = {token: rank for rank, token in enumerate(encoding.rank_file("o200k_base")[:size])}
        pattern = encoding.PATTERNS["o200k_base"]
        self.vocabulary = tiktoken.Encoding("m", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.around, self.fixed = around, fixed

    def reply(self, message: Message) -> int:
        return len(self.vocabulary.encode_ordinary(message.text))

    def prompt(self, messages: list[Message]) -> int:
        return self.fixed + sum(self.around + self.reply(message) for message in messages)


def test_what_was_measured_is_planned_to_the_token() -> None:
    counting, model = counter(), Model(4000, around=5, fixed=7)
    first = [SYSTEM, Message.user("What is a window?")]
    counting.learn(plan_of(counting, first), Usage(prompt_tokens=model.prompt(first), reply_tokens=40))
    assert plan_of(counting, first).planned.tokens == model.prompt(first)


def test_a_conversation_is_planned_closely_after_a_few_turns() -> None:
    counting, model, path = counter(), Model(4000, around=5, fixed=7), [SYSTEM]
    for turn in range(20):
        path.append(Message.user(CODE[turn * 400 : turn * 400 + 300]))
        plan, true = plan_of(counting, path, 32768), model.prompt(path)
        reply = Message.assistant(CODE[20000 + turn * 300 : 20200 + turn * 300])
        counting.learn(plan, Usage(prompt_tokens=true, reply_tokens=model.reply(reply) + 1), reply)
        path.append(reply)
        assert turn < 4 or abs(plan.planned.tokens - true) < 0.05 * true


@pytest.mark.parametrize(("around", "fixed"), [(4, 3), (12, 40)])
@pytest.mark.parametrize("texts", [[CODE], [CODE, PROSE], [PROSE, RUSSIAN, CHINESE]])
def test_two_hundred_turns_never_outgrow_a_small_window(texts: list[str], around: int, fixed: int) -> None:
    window, chance = 2048, random.Random(around)
    counting, model = counter(), Model(4000, around, fixed)
    budget = window - window // 4 - int(window * 0.03) - 16
    path: list[Message] = []
    for turn in range(200):
        text = chance.choice(texts)
        start = chance.randrange(len(text))
        length = 3000 if turn == 0 else int(chance.expovariate(1 / 300))
        path.append(Message.user(text[start : start + length]))
        sent = [SYSTEM, *path]
        while len(sent) > 2 and plan_of(counting, sent).planned.tokens > budget:
            path.pop(0)
            sent = [SYSTEM, *path]
        if plan_of(counting, sent).planned.tokens > budget:
            continue
        true = model.prompt(sent)
        assert true <= window
        reply = Message.assistant(text[:200])
        usage = Usage(prompt_tokens=true, reply_tokens=model.reply(reply) + 1)
        counting.learn(plan_of(counting, sent, window), usage, reply)
        path.append(reply)


@pytest.mark.parametrize("measured", [None, 10, 4000, 5000])
def test_a_suspicious_count_teaches_nothing(measured: int | None) -> None:
    counting = counter()
    plan = plan_of(counting, [SYSTEM, Message.user(PROSE[:2000])], window=4096)
    before = plan.planned
    counting.learn(plan, Usage(prompt_tokens=measured, reply_tokens=3))
    assert plan_of(counting, list(plan.messages)).planned == before


def test_a_refused_prompt_is_planned_larger_at_once() -> None:
    for needed in (None, 9000):
        counting = counter()
        plan = plan_of(counting, [SYSTEM, Message.user(PROSE[:1000]), Message.user(CODE[:3000])])
        counting.too_long(needed, plan)
        again = plan_of(counting, list(plan.messages)).planned.tokens
        assert again >= (needed or plan.window)


def test_a_refusal_is_forgotten_when_the_next_prompt_was_measured() -> None:
    counting, messages = counter(), [SYSTEM, Message.user("Hello there.")]
    counting.too_long(9000, plan_of(counting, messages))
    counting.learn(plan_of(counting, messages, 32768), Usage(prompt_tokens=40))
    assert plan_of(counting, messages).planned.tokens == 40


def test_pictures_cost_768_until_this_model_s_are_known() -> None:
    picture = Attachment("image", "cat.png", "image/png", b"\x89PNG")
    seen, blind = Message.user("What is it?", (picture,)), Message.user("What is it?")
    counting = counter()
    assert counting.count(seen).tokens - counting.count(blind).tokens == 768
    other = Message.user("And this?", (Attachment("image", "dog.png", "image/png", b"\x89PNG2"),))
    counting.learn(plan_of(counting, [seen]), Usage(prompt_tokens=300))
    assert 200 < counting.count(other).tokens < 320


def test_models_are_learnt_apart_and_remembered() -> None:
    counting, messages = counter(), [SYSTEM, Message.user(PROSE[:1500])]
    before = counting.count(messages[1])
    counting.learn(plan_of(counting, messages), Usage(prompt_tokens=900))
    learnt = counting.count(messages[1])
    counting.use("another", "sha256:4567")
    assert counting.count(messages[1]) == before != learnt
    counting.use("small", "sha256:0123")
    assert counting.count(messages[1]) == learnt


def test_what_was_learnt_outlives_the_program(tmp_path: Path) -> None:
    messages = [SYSTEM, Message.user(PROSE[:1500])]
    counting = counter(tmp_path / "cache")
    counting.learn(plan_of(counting, messages), Usage(prompt_tokens=400))
    (kept,) = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    other = Message.user(CODE[:1500])
    assert counter(tmp_path / "cache").count(other) == counting.count(other) != counter().count(other)


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b'{"rates": 3}', b"\xff\xfe", b'{"rates": {"latin": [1e999, 1]}}']
)
def test_a_damaged_cache_file_is_passed_over(tmp_path: Path, junk: bytes) -> None:
    counting, messages = counter(tmp_path), [SYSTEM, Message.user(PROSE[:1500])]
    counting.learn(plan_of(counting, messages), Usage(prompt_tokens=400))
    for kept in tmp_path.iterdir():
        kept.write_bytes(junk)
    assert counter(tmp_path).count(messages[1]) == counter().count(messages[1])


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    counting, messages = counter(tmp_path / "cache"), [SYSTEM]
    counting.learn(plan_of(counting, messages), Usage(prompt_tokens=20))
    assert plan_of(counting, messages).planned.tokens == 20


def test_before_an_encoding_is_there_counts_are_estimates_of_characters() -> None:
    counting = Counter(None)
    assert (counting.ready, counting.describe()) == (False, "characters, estimated")
    assert counting.count(Message.user(PROSE[:400])).tokens > 80
    counting.warm_up()
    assert (counting.ready, counting.describe()) == (True, "o200k_base, estimated")
    assert not counting.text("Hello").exact


def test_any_message_can_be_counted() -> None:
    for counting in (Counter(None), counter()):
        for text in ("", "\ud800", "<|endoftext|>", "\x00", "👩‍👩‍👧", "नमस्ते", " " * 5000):
            message = Message.user(text)
            assert counting.count(message).tokens > 0
            assert counting.text(text).tokens < counting.count(message).tokens
    call = Message(Role.ASSISTANT, "", tool_uses=(ToolUse("look", {"at": "the sky"}),))
    assert counter().count(call).tokens > counter().count(Message.assistant("")).tokens


def test_the_modelfile_s_messages_are_counted_and_its_system_gives_way() -> None:
    counting, question = counter(), Message.user("Hi")
    bare = counting.fixed([question]).tokens
    counting.use("small", "sha256:0123", preset=[Message.system("Be brief. " * 20), Message.user("An example.")])
    assert counting.fixed([question]).tokens > counting.fixed([SYSTEM, question]).tokens > bare


def test_the_cl100k_encoding_can_be_chosen() -> None:
    counting = Counter(None, "cl100k_base")
    counting.warm_up()
    assert counting.describe() == "cl100k_base, estimated"
