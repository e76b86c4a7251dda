"""Tools counted: definitions, calls and results, as four kinds of templates write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.plan import Fate, Part, PartKind, Plan, with_definitions
from chatcli.conversation.usage import Count, Usage, total
from chatcli.demo.tokenizer import vocabulary as demo_vocabulary
from chatcli.errors import CallsWithoutEnd, Unreachable
from chatcli.session.build import Wishes, build
from chatcli.tokens.counter import Counter
from chatcli.tokens.exact import Exact
from chatcli.tokens.model_source import ModelSource
from chatcli.tokens.template_learning import learn
from chatcli.tokens.tool_costs import Definitions
from chatcli.tools.leave import Answer, Leave
from chatcli.turn import answer, ask
from tests.faults import Engine
from tests.test_tokens_vocabulary import own, shown

Writer = Callable[[Sequence[Message], Definitions], str]


def tools_of(number: int) -> Definitions:
    return tuple(
        {
            "type": "function",
            "function": {
                "name": f"tool_{at:02}",
                "description": f"Looks at <thing> number {at} & says what it is.",
                "parameters": {
                    "type": "object",
                    "required": ["city"],
                    "properties": {
                        "city": {"type": "string", "description": "Name of the city"},
                        "unit": {"enum": ["12h", "24h"]},
                    },
                },
            },
        }
        for at in range(number)
    )


def spoken(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    system = "\n\n".join(message.text for message in messages if message.role is Role.SYSTEM)
    return system, [message for message in messages if message.role is not Role.SYSTEM]


def qwen(messages: Sequence[Message], tools: Definitions) -> str:
    """Definitions after the system text; calls in XML; all results of a reply in one turn; the newest thinking."""
    system, rest = spoken(messages)
    listed = "".join(f"\n<tools>\n{json.dumps(tool)}\n</tools>\nReply ONLY so." for tool in tools)
    prompt = f"<|im_start|>system\n{system}{listed}<|im_end|>\n" if system or tools else ""
    last = max((at for at, message in enumerate(rest) if message.role is Role.USER), default=0)
    for role, run in groupby(enumerate(rest), key=lambda each: each[1].role):
        if role is Role.TOOL:
            results = "".join(f"\n<tool_response>\n{m.text}\n</tool_response>" for _, m in run)
            prompt += f"<|im_start|>user{results}<|im_end|>\n"
            continue
        for at, message in run:
            thinking = f"<think>\n{message.thinking}\n</think>\n\n" if at > last and role is Role.ASSISTANT else ""
            prompt += f"<|im_start|>{role}\n{thinking}{message.text}{''.join(map(xml, message.calls))}<|im_end|>\n"
    return f"{prompt}<|im_start|>assistant\n"


def xml(use: ToolUse) -> str:
    given = "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in use.arguments.items())
    return f"\n<tool_call>\n<function={use.name}>\n{given}</function>\n</tool_call>"


def olmo(messages: Sequence[Message], tools: Definitions) -> str:
    """Definitions before the system text; calls in Python; each result a turn of its own."""
    system, rest = spoken(messages)
    prompt = f"<|im_start|>system\n<functions>{json.dumps(tools)}</functions>{system}<|im_end|>\n"
    for message in rest:
        calls = "\n".join(
            f"{use.name}({', '.join(f'{name}={json.dumps(value)}' for name, value in use.arguments.items())})"
            for use in message.calls
        )
        name = "environment" if message.role is Role.TOOL else message.role
        written = f"<function_calls>{calls}</function_calls>" if calls else ""
        prompt += f"<|im_start|>{name}\n{message.text}{written}<|im_end|>\n"
    return f"{prompt}<|im_start|>assistant\n"


def gemma(messages: Sequence[Message], tools: Definitions) -> str:
    """Calls and results in the model's own turn, which the next reply goes on with."""
    system, rest = spoken(messages)
    listed = "".join(f"<|tool>declaration:{json.dumps(tool['function'])}<tool|>" for tool in tools)
    prompt, inside = f"<bos><start_of_turn>system\n{system}\n{listed}<end_of_turn>\n", False
    for message in rest:
        if message.role is Role.TOOL:
            prompt += f"<|tool_response>response:{{value:{message.text}}}<tool_response|>"
            inside = True
            continue
        name = "model" if message.role is Role.ASSISTANT else "user"
        ends = "<end_of_turn>\n" if inside and name == "user" else ""
        begins = "" if inside and name == "model" else f"<start_of_turn>{name}\n"
        calls = "".join(
            f"<|tool_call>call:{use.name}{json.dumps(use.arguments)}<tool_call|>" for use in message.calls
        )
        inside = bool(calls)
        prompt += f"{ends}{begins}{message.text}{calls}" + ("" if inside else "<end_of_turn>\n")
    return prompt if inside else f"{prompt}<start_of_turn>model\n"


def mistral(messages: Sequence[Message], tools: Definitions) -> str:
    """Definitions before the last question, and only while it is the last message; results in JSON."""
    system, rest = spoken(messages)
    prompt = ""
    for at, message in enumerate(rest):
        if message.role is Role.USER:
            listed = (
                f"[AVAILABLE_TOOLS] {json.dumps(tools)}[/AVAILABLE_TOOLS]" if at == len(rest) - 1 and tools else ""
            )
            own = f"{system}\n\n" if at == len(rest) - 1 and system else ""
            prompt += f"{listed}[INST] {own}{message.text}[/INST]"
        elif message.role is Role.TOOL:
            prompt += f"[TOOL_RESULTS] {json.dumps({'content': message.text})}[/TOOL_RESULTS]"
        else:
            calls = [{"name": use.name, "arguments": use.arguments} for use in message.calls]
            prompt += f"{message.text}[TOOL_CALLS] {json.dumps(calls)}</s>" if calls else f" {message.text}</s>"
    return prompt


WRITERS: dict[str, Writer] = {"qwen": qwen, "olmo": olmo, "gemma": gemma, "mistral": mistral}
VOCABULARIES = {"qwen": "qwen2", "olmo": "llama-bpe", "gemma": "spm", "mistral": "llama-bpe"}
writers = pytest.mark.parametrize("writer", WRITERS)


def measured(writer: str, messages: Sequence[Message], tools: Definitions) -> int:
    demo = demo_vocabulary(VOCABULARIES[writer])
    return len(demo.beginning) + sum(1 for _ in demo.prompt(WRITERS[writer](messages, tools)))


@cache
def template(writer: str, number: int) -> Any:
    made = learn(lambda messages: WRITERS[writer](messages, tools_of(number)))
    assert made is not None
    return made


def exact(writer: str, number: int) -> Exact:
    return Exact.begin(own(VOCABULARIES[writer]), template(writer, number))


def counter(
    writer: str,
    number: int,
    directory: Path | None = None,
    render: Callable[[Sequence[Message], Definitions], str | None] | None = None,
) -> Counter:
    made = Counter(directory)
    source = ModelSource(lambda: shown(VOCABULARIES[writer]), render or WRITERS[writer], tools=tools_of(number))
    made.use("model", "sha256:1", source=source)
    made.prepare()
    return made


WORDS = st.sampled_from(["", "Hi", " there \n", 'a "quoted" <b>', "x\n\ny", "12:30", "{}", "ünd 今天", "qz1rzq"])
ARGUMENTS = st.dictionaries(
    st.sampled_from(["city", "unit", "at"]), st.one_of(WORDS, st.integers(), st.booleans())
)
CALLS = st.lists(st.builds(ToolUse, st.sampled_from(["tool_00", "now"]), ARGUMENTS), min_size=1, max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Turns with up to three groups of up to three calls; the last one may still be going on."""
    talk = [Message.system("Be kind.")] if draw(st.booleans()) else []
    turns = draw(st.integers(1, 3))
    for turn in range(1, turns + 1):
        talk.append(Message.user(draw(WORDS) or "Why?"))
        for _ in range(draw(st.integers(0, 3))):
            uses = tuple(draw(CALLS))
            thinking = draw(st.sampled_from(["", "hm, well"])) if turn == turns else ""
            talk.append(Message(Role.ASSISTANT, draw(WORDS), thinking, tool_uses=uses))
            talk += [Message.tool(use, draw(WORDS)) for use in uses]
        if turn < turns and draw(st.integers(0, 4)):  # a turn may have been stopped before its reply
            talk.append(Message.assistant(draw(WORDS) or "So."))
    return talk


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(WRITERS)), conversations(), st.sampled_from([0, 1, 8]))
def test_a_rendered_request_is_counted_to_the_token_and_its_parts_add_up(
    writer: str, talk: list[Message], number: int
) -> None:
    counting = exact(writer, number)
    counting.read(talk, lambda messages: WRITERS[writer](messages, tools_of(number)))
    planned = counting.prompt(talk)
    called = any(message.calls for message in talk)
    assert (planned.exact or not called, planned.tokens) == (True, measured(writer, talk, tools_of(number))) or (
        not called and not planned.exact
    )
    parts = [counting.fixed(talk), *map(counting.cost, talk)]
    assert total(parts).tokens == planned.tokens


@writers
@pytest.mark.parametrize("number", [0, 1, 8, 40])
def test_thirty_turns_with_tools_are_planned_to_the_token(writer: str, number: int) -> None:
    counting, tools = counter(writer, number), tools_of(number)
    talk = [Message.system("Be a guide.")]
    for turn in range(30):
        talk.append(Message.user(f"Question {turn}: what time is it?"))
        for each in range(1 + turn % 3 if number else 0):
            uses = tuple(ToolUse(f"tool_{at:02}", {"city": f"Rome {turn}", "at": each}) for at in range(1 + each))
            _check(counting, writer, talk, tools)
            talk.append(Message(Role.ASSISTANT, "Let me see." * each, tool_uses=uses))
            talk += [Message.tool(use, f"{turn}:30 in {use.arguments['city']}\nno rain") for use in uses]
        _check(counting, writer, talk, tools)
        talk.append(Message.assistant("It is noon."))


def _check(counting: Counter, writer: str, talk: list[Message], tools: Definitions) -> None:
    if len(talk) % 7 > 1:  # the engine's own count takes a while
        counting.render(talk)
        return
    foretold, true = counting.prompt(talk), measured(writer, talk, tools)
    assert not foretold.exact or foretold.tokens == true
    counting.render(talk)
    parts = tuple(Part(PartKind.VERBATIM, Fate.SENT, count) for count in map(counting.count, talk))
    plan = Plan(tuple(talk), (Part(PartKind.TEMPLATE, Fate.SENT, counting.fixed(talk)), *parts), 10**6, 256)
    assert counting.prompt(talk) == plan.planned == Count(true, exact=True)
    counting.learn(plan, Usage(true, 5), None)
    assert not counting.render(talk)


@pytest.mark.parametrize("writer", ["qwen", "olmo"])
def test_once_a_sum_agreed_what_is_typed_after_a_turn_with_tools_is_counted_exactly(writer: str) -> None:
    counting, tools, use = counter(writer, 8), tools_of(8), ToolUse("tool_01", {"city": "Rome"})
    talk = []
    for turn in range(3):
        talk.append(Message.user("And now?"))
        counting.render(talk)
        talk += [Message(Role.ASSISTANT, "", tool_uses=(use,)), Message.tool(use, f"{turn}:30")]
        counting.render(talk)
        talk.append(Message.assistant("So late."))
    typed = [*talk, Message.user("Really?")]
    assert counting.prompt(typed) == Count(measured(writer, typed, tools), exact=True)
    calls = [*typed, Message(Role.ASSISTANT, "", tool_uses=(use,)), Message.tool(use, "x")]
    assert not counting.prompt(calls).exact


@writers
def test_definitions_cost_what_the_prompt_has_more(writer: str, tmp_path: Path) -> None:
    none, some = counter(writer, 0, tmp_path), counter(writer, 8, tmp_path)
    for asked in ([Message.user("x")], [Message.system("x"), Message.user("x")]):
        more = measured(writer, asked, tools_of(8)) - measured(writer, asked, ())
        assert some.definitions(asked) == Count(more, exact=True)
        assert some.prompt(asked).tokens - none.prompt(asked).tokens == more
        assert none.definitions(asked) == Count(0, exact=True)
    assert len(list(tmp_path.glob("*.template"))) == 2


def test_definitions_are_estimated_where_the_server_renders_nothing() -> None:
    bundled = Counter(None)
    bundled.warm_up()
    source = ModelSource(lambda: b"", lambda *_: None, tools=tools_of(8))
    bundled.use("model", "", source=source)
    silent = counter("qwen", 8, render=lambda *_: None)
    true = measured("qwen", [Message.user("x")], tools_of(8))
    for made in (bundled, silent):
        assert not made.definitions().exact
        assert made.definitions().tokens == pytest.approx(true, rel=0.6)
        assert made.fixed().tokens >= made.definitions().tokens


def test_calls_that_were_rendered_are_known_to_the_next_process(tmp_path: Path) -> None:
    use = ToolUse("tool_00", {"city": "Rome"})
    reply = Message(Role.ASSISTANT, "", tool_uses=(use,))
    talk, asked = [Message.user("Now?"), reply, Message.tool(use, "12:30")], []
    first = counter("qwen", 1, tmp_path)
    assert not first.count(reply).exact
    assert first.render(talk)
    assert first.count(reply).exact
    true = measured("qwen", talk, tools_of(1))
    first.learn(Plan(tuple(talk), (), 10**6, 256), Usage(true))

    def render(messages: Sequence[Message], tools: Definitions) -> str:
        asked.append(messages)
        return qwen(messages, tools)

    second = counter("qwen", 1, tmp_path, render)
    assert not asked
    assert second.count(reply) == first.count(reply)
    second.render(talk)
    second.render(talk)
    assert len(asked) == 1
    assert second.prompt(talk) == Count(true, exact=True)


def test_calls_stay_estimates_while_the_server_does_not_answer() -> None:
    failures: list[Exception] = []

    def render(messages: Sequence[Message], tools: Definitions) -> str:
        if failures:
            raise failures[0]
        return qwen(messages, tools)

    counting = counter("qwen", 1, render=render)
    use = ToolUse("tool_00", {"city": "Rome"})
    talk = [Message.user("Now?"), Message(Role.ASSISTANT, "", tool_uses=(use,)), Message.tool(use, "12:30")]
    failures.append(Unreachable("Nothing answers."))
    assert not counting.render(talk)
    assert not counting.prompt(talk).exact
    true = measured("qwen", talk, tools_of(1))
    assert true <= counting.prompt(talk).tokens <= true + 60


def test_a_picture_in_a_request_with_calls_is_an_estimate_until_it_was_measured() -> None:
    counting, use = counter("qwen", 1), ToolUse("tool_00", {"city": "Rome"})
    picture = Attachment("image", "x.png", "image/png", b"cat")
    bare = [Message.user("Now?"), Message(Role.ASSISTANT, "", tool_uses=(use,)), Message.tool(use, "12:30")]
    talk = [Message.user("Now?", (picture,)), *bare[1:]]
    counting.render(talk)
    assert counting.prompt(talk) == Count(measured("qwen", bare, tools_of(1)) + 768)


def test_a_token_more_for_every_prompt_is_learnt_with_tools_too() -> None:
    counting, use = counter("qwen", 1), ToolUse("tool_00", {"city": "Rome"})
    talk = []
    for turn in range(3):
        talk += [
            Message.user(f"{turn}?"),
            Message(Role.ASSISTANT, "", tool_uses=(use,)),
            Message.tool(use, "12:30"),
        ]
        counting.render(talk)
        true = measured("qwen", talk, tools_of(1)) + 1
        assert turn == 0 or counting.prompt(talk).tokens == true
        counting.learn(Plan(tuple(talk), (), 10**6, 256), Usage(true))
        talk.append(Message.assistant("So late."))
    assert counting.prompt(talk[:-1]) == Count(true, exact=True)


def test_the_definitions_are_a_part_of_the_plan_taken_out_of_the_template() -> None:
    plan = Plan((), (Part(PartKind.TEMPLATE, Fate.SENT, Count(100, exact=True)),), 4096, 256)
    split = with_definitions(plan, Count(80, exact=True), 2)
    assert split.planned == plan.planned
    assert (split.of(PartKind.TEMPLATE).tokens, split.of(PartKind.DEFINITIONS).tokens) == (20, 80)
    assert with_definitions(plan, Count(0, exact=True), 0) is plan
    assert with_definitions(plan, Count(800), 1).planned.tokens == 100


ASKED = (
    "What time is it?",
    'call now {} and call calculate {"expression": "2+2"}, both at once',
    'call late calculate {"expression": "12*34"}',
    "Hello there",
    'call again calculate {"expression": "1/0"}',
    "call odd unknown",
    "And 7*8?",
)


@pytest.mark.parametrize("window", ["16k", "1k"])
def test_every_round_of_a_chat_with_tools_is_planned_to_the_token(window: str) -> None:
    with Engine() as engine:
        session = build(
            Wishes({"host": engine.url, "num_ctx": window, "model": "demo-tools", "tools": "now calculate"})
        )
        session.counting.get()
        for question in ASKED:
            with suppress(CallsWithoutEnd):
                answer(
                    session, ask(session, question), lambda event: None, allow=lambda asking: Answer(Leave.ONCE)
                )
        turns = [node.turn for node in session.conversation.back() if node.turn is not None]
        assert len(turns) > len(ASKED) + 4
        assert [turn.planned for turn in turns] == [
            Count(turn.usage.prompt_tokens or 0, exact=True) for turn in turns
        ]
        assert session.plan is not None
        assert session.plan.of(PartKind.DEFINITIONS) == session.counter.definitions(session.plan.messages)
        assert session.counter.definitions().exact
        session.close()
