"""Exact counts prepared from a server and from the cache, and estimates when neither has them."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatcli.client.ollama import Client
from chatcli.client.request import Request
from chatcli.client.server import start_demo
from chatcli.conversation.events import Done, Text, Thinking
from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.plan import Fate, Part, PartKind, Plan
from chatcli.conversation.usage import Usage
from chatcli.errors import Unreachable
from chatcli.tokens import cache, template_learning
from chatcli.tokens.cache import Memo
from chatcli.tokens.counter import Counter
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.tool_costs import Definitions
from tests.bench.tokens import TEXTS
from tests.test_tokens_template import WRITERS
from tests.test_tokens_vocabulary import own, shown

QUESTION = Message.user("What is a token?")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with closing(start_demo()) as server, closing(Client(server.url)) as made:
        yield made


class Asked:
    """A source that counts how often it was asked, and answers with what it is given."""

    def __init__(self, answer: bytes | Mapping[str, Any] | Exception, writer: str = "headers") -> None:
        self.answer, self.writer = answer, writer
        self.vocabularies = self.renderings = 0

    def vocabulary(self) -> bytes | Mapping[str, Any]:
        self.vocabularies += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def render(self, messages: Sequence[Message], _: Definitions = ()) -> str | None:
        self.renderings += 1
        return WRITERS[self.writer](messages) if self.writer else None

    def ready(self, directory: Path | None, digest: str = "sha256:1", variant: str = "") -> Counter:
        counter = Counter(directory)
        counter.use("model", digest, source=ModelSource(self.vocabulary, self.render, variant))
        counter.prepare()
        return counter


@pytest.mark.parametrize(
    ("model", "think"),
    [
        ("demo", None),
        ("demo-vision", None),
        ("demo-brief", None),
        ("demo-thinking", None),
        ("demo-thinking", False),
    ],
)
def test_thirty_turns_are_planned_to_the_token(client: Client, model: str, think: bool | None) -> None:
    def request(messages: Sequence[Message]) -> Request:
        return Request(model, tuple(messages), {"num_ctx": 16384, "num_predict": 3}, think=think)

    counter, talk = Counter(None), [Message.system("Be a guide. Ответь кратко.")]
    source = ModelSource(lambda: client.vocabulary(model), lambda messages, _: client.render(request(messages)))
    counter.use(model, client.model(model).digest, source=source)
    counter.prepare()
    for turn in range(30):
        talk.append(Message.user(TEXTS[turn % len(TEXTS)]))
        planned = counter.prompt(talk)
        parts = tuple(Part(PartKind.VERBATIM, Fate.SENT, count) for count in map(counter.count, talk))
        plan = Plan(tuple(talk), (Part(PartKind.TEMPLATE, Fate.SENT, counter.fixed(talk)), *parts), 16384, 256)
        events = list(client.chat(request(talk)))
        (usage,) = (event.usage for event in events if isinstance(event, Done))
        assert (planned.tokens, planned.exact) == (usage.prompt_tokens, True)
        assert plan.planned == planned
        counter.learn(plan, usage)
        text = "".join(event.text for event in events if isinstance(event, Text))
        talk.append(
            Message.assistant(text, "".join(event.text for event in events if isinstance(event, Thinking)))
        )


def test_a_picture_is_counted_to_the_token_once_it_was_measured(client: Client) -> None:
    picture = Attachment("image", "dot.png", "image/png", PNG)
    talk = [Message.user("What is it?", (picture,))]

    def request(messages: Sequence[Message]) -> Request:
        return Request("demo-vision", tuple(messages), {"num_ctx": 4096, "num_predict": 5})

    counter = Counter(None)
    source = ModelSource(
        lambda: client.vocabulary("demo-vision"), lambda messages, _: client.render(request(messages))
    )
    counter.use("demo-vision", "", source=source)
    counter.prepare()
    for exact in (False, True):
        planned = counter.prompt(talk)
        *_, done = client.chat(request(talk))
        assert isinstance(done, Done)
        assert (planned.tokens, planned.exact) == (done.usage.prompt_tokens, exact)
        counter.learn(Plan(tuple(talk), (), 4096, 256), done.usage)
        talk += [Message.assistant("A dot."), Message.user("Sure?")]


def test_the_second_time_nothing_is_asked_of_the_server(tmp_path: Path) -> None:
    asked = Asked(shown("llama-bpe"))
    first = asked.ready(tmp_path)
    assert asked.vocabularies == 1
    before = asked.renderings
    second = asked.ready(tmp_path)
    assert (asked.vocabularies, asked.renderings) == (1, before)
    assert first.prompt([QUESTION]) == second.prompt([QUESTION])
    assert second.prompt([QUESTION]).exact
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


def test_a_digest_that_changed_under_its_name_is_another_model(tmp_path: Path) -> None:
    Asked(shown("llama-bpe")).ready(tmp_path, "sha256:1")
    changed = Asked(shown("spm"))
    assert changed.ready(tmp_path, "sha256:2").text("नमस्ते").tokens == own("spm").count("नमस्ते")
    assert changed.vocabularies == 1


def test_a_template_is_kept_for_each_way_of_thinking(tmp_path: Path) -> None:
    asked = Asked(shown("qwen2"), "thinking")
    asked.ready(tmp_path)
    before, asked.writer = asked.renderings, "thinking off"
    assert asked.ready(tmp_path, variant="off").fixed().tokens > asked.ready(tmp_path).fixed().tokens
    assert (asked.vocabularies, asked.renderings) == (1, 2 * before)


@pytest.mark.parametrize("damage", [b"", b"junk", b"\x00" * 3000, b"null", b'{"template": {"gaps": 3}, "way": 1}'])
def test_damaged_cache_files_are_made_anew(tmp_path: Path, damage: bytes) -> None:
    asked = Asked(shown("llama-bpe"))
    good = asked.ready(tmp_path).prompt([QUESTION])
    for path in tmp_path.iterdir():
        path.write_bytes(damage)
    assert asked.ready(tmp_path).prompt([QUESTION]) == good
    assert asked.vocabularies == 2


@pytest.mark.parametrize("place", [0, 40, 70, 500, -3])
def test_one_wrong_byte_in_a_cache_file_is_noticed(tmp_path: Path, place: int) -> None:
    asked = Asked(shown("spm"), "gemma")
    good = asked.ready(tmp_path).prompt([QUESTION])
    for path in tmp_path.iterdir():
        kept = bytearray(path.read_bytes())
        kept[place] ^= 1
        path.write_bytes(kept)
    assert asked.ready(tmp_path).prompt([QUESTION]) == good
    assert asked.vocabularies == 2


def test_a_line_that_grows_by_key_presses_does_not_fill_the_memory() -> None:
    made: list[int] = []
    memo: Memo[None] = Memo()
    for length in range(3000, 6000):
        for _ in range(2):
            memo.get("x" * length, length, lambda: made.append(1))
    assert len(made) == 3000
    assert memo._held <= 4_000_000


def test_what_a_server_adds_is_remembered(tmp_path: Path) -> None:
    asked = Asked(shown("llama-bpe"))
    counter = asked.ready(tmp_path)
    plan = Plan((QUESTION,), (), 4096, 256)
    more = counter.prompt([QUESTION]).tokens + 1
    for _ in range(2):
        counter.learn(plan, Usage(prompt_tokens=more))
    assert asked.ready(tmp_path).prompt([QUESTION]).tokens == more


def disagreeing(asked: Asked, directory: Path) -> Counter:
    """A counter whose last prompt cost a token more than counted."""
    counter = asked.ready(directory)
    more = counter.prompt([QUESTION]).tokens + 1
    counter.learn(Plan((QUESTION,), (), 4096, 256), Usage(prompt_tokens=more))
    return counter


def test_a_template_that_stopped_fitting_is_asked_for_again(tmp_path: Path) -> None:
    asked = Asked(shown("llama-bpe"))
    disagreeing(asked, tmp_path)
    before, asked.writer = asked.renderings, "gemma"
    assert asked.ready(tmp_path).prompt([QUESTION]) == Asked(shown("llama-bpe"), "gemma").ready(None).prompt(
        [QUESTION]
    )
    assert (asked.vocabularies, asked.renderings > 2 * before) == (1, True)


def test_a_template_that_still_fits_is_kept_with_what_was_learnt(tmp_path: Path) -> None:
    asked = Asked(shown("llama-bpe"))
    counter = disagreeing(asked, tmp_path)
    before = asked.renderings
    assert asked.ready(tmp_path).prompt([QUESTION]).tokens == counter.prompt([QUESTION]).tokens
    assert asked.renderings - before <= 3


def test_what_a_server_rendered_before_it_failed_is_not_asked_for_again(tmp_path: Path) -> None:
    asked, told, most = Asked(shown("llama-bpe")), list[list[str]](), 20

    def failing(messages: Sequence[Message], _: Definitions) -> str | None:
        if len(told) >= most:
            raise Unreachable("Nothing answers.")
        rendered = asked.render(messages)
        told.append([f"{message.role} {message.text} {message.thinking}" for message in messages])
        return rendered

    source, counter = ModelSource(asked.vocabulary, failing), Counter(tmp_path)
    counter.use("model", "sha256:1", source=source)
    counter.prepare()
    assert counter.tries_again
    assert "Nothing answers. It is tried again after the next reply." in counter.why()
    before, most = list(told), 1000
    counter.prepare()
    assert counter.prompt([QUESTION]).exact
    assert counter.why() == ""
    assert len(told) > len(before) + 20
    assert not [probe for probe in told[len(before) :] if probe in before]
    assert not list(tmp_path.glob("*.probes"))


def test_a_template_learnt_from_other_conversations_is_learnt_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(shown("llama-bpe"))
    with monkeypatch.context() as before:
        before.setattr(template_learning, "PROBES", "u ua uA uau uAu")
        asked.ready(tmp_path)
    reply_first = [Message.assistant("A piece of text."), QUESTION]
    assert asked.ready(tmp_path).prompt(reply_first).exact
    again = asked.renderings
    asked.ready(tmp_path)
    assert (asked.vocabularies, asked.renderings) == (1, again)


TROUBLE: list[tuple[bytes | Mapping[str, Any] | Exception, str]] = [
    (shown("spm", model="t5"), "kind that is not counted here: t5"),
    (shown("llama-bpe", tokens=None), "incomplete: tokens"),
    ({}, "not shown by this server"),
    ({"tokenizer.ggml.model": {"deep": ["junk"]}}, "kind that is not counted here: {"),
    ({"tokenizer.ggml.model": object()}, "cannot be read"),
    (b"<html>", "is not JSON"),
    (Unreachable("Nothing answers."), "Nothing answers."),
    (RuntimeError("odd"), "RuntimeError"),
]


@pytest.mark.parametrize(("answer", "why"), TROUBLE, ids=[why for _, why in TROUBLE])
def test_without_a_usable_vocabulary_counts_are_estimates_and_it_is_said_once(
    tmp_path: Path, answer: bytes | Mapping[str, Any] | Exception, why: str
) -> None:
    counter = Asked(answer).ready(tmp_path)
    counter.warm_up()
    assert not counter.count(QUESTION).exact
    assert counter.describe() == "o200k_base, estimated"
    assert why in counter.notice()
    assert counter.notice() == ""
    counter.prepare()
    assert counter.notice() == ""


def test_where_nothing_is_rendered_the_vocabulary_still_counts_texts(tmp_path: Path) -> None:
    counter = Asked(shown("llama-bpe"), writer="").ready(tmp_path)
    assert counter.text(QUESTION.text).exact
    assert not counter.prompt([QUESTION]).exact
    assert "template is not known yet" in counter.describe()


def test_a_bundled_encoding_that_was_asked_for_is_used() -> None:
    asked, counter = Asked(shown("llama-bpe")), Counter(None, "o200k_base")
    counter.use("model", "", source=ModelSource(asked.vocabulary, asked.render))
    counter.prepare()
    counter.warm_up()
    assert (asked.vocabularies, counter.describe()) == (0, "o200k_base, estimated")


def test_model_info_may_come_parsed_and_without_a_cache() -> None:
    asked = Asked(json.loads(shown("qwen2"))["model_info"])
    assert asked.ready(None, digest="").prompt([QUESTION]).exact


def test_the_cache_is_pruned(tmp_path: Path) -> None:
    old = time.time() - 40 * 86400
    for number in range(12):
        cache.write(cache.file_for(tmp_path, f"sha256:{number}", "-v1.vocab"), b"x")
    stale = cache.file_for(tmp_path, "stale", ".rates")
    cache.write(stale, b"x")
    os.utime(stale, (old, old))
    cache.write(cache.file_for(tmp_path, "fresh", ".rates"), b"x")
    assert len(list(tmp_path.glob("*.vocab"))) == cache.KEPT_FILES[".vocab"]
    assert [path.name for path in tmp_path.glob("*.rates")] == ["fresh.rates"]


def test_a_model_s_name_is_no_path(tmp_path: Path) -> None:
    assert cache.file_for(tmp_path, "../../etc/x:latest", ".rates").parent == tmp_path


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
)
