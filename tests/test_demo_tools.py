"""The demo engine's model with tools: how it writes definitions, calls and results, and which calls it makes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatcli.demo.models import DemoModel
from chatcli.demo.replies import NO_MODEL, DemoReply
from chatcli.demo.request import DemoCall
from chatcli.demo.tokenizer import vocabulary
from chatcli.demo.tool_script import ODD
from tests.faults import Engine
from tests.tool_styles import GEMMA4, OLMO3, QWEN3_CODER, QWEN35, STYLES

Message = dict[str, Any]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        for model in STYLES:
            engine.inside.shelf.put(model)
        yield engine


def tool(name: str, *parameters: str, **more: Any) -> dict[str, Any]:
    properties = {each: {"type": "string"} for each in parameters}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {
        "type": "function",
        "function": {"name": name, "description": f"{name}!", "parameters": schema, **more},
    }


TOOLS = [
    tool("now"),
    tool("calculate", "expression"),
    tool("read_file", "path"),
    tool("list_files"),
    tool("search_chats", "query"),
]


def post(engine: Engine, *messages: Message, model: str = "demo-tools", **more: Any) -> tuple[int, list[Any]]:
    """The status and the JSON lines of the answer."""
    body = {"model": model, "messages": list(messages), "tools": TOOLS, **more}
    connection = http.client.HTTPConnection(urlsplit(engine.url).netloc, timeout=10)
    try:
        connection.request("POST", "/api/chat", json.dumps(body))
        response = connection.getresponse()
        return response.status, [json.loads(line) for line in response.read().splitlines()]
    finally:
        connection.close()


def ask(engine: Engine, *messages: Message, **more: Any) -> Message:
    """The message of the whole answer."""
    status, [answer] = post(engine, *messages, stream=False, **more)
    assert status == 200, answer
    message: Message = answer["message"]
    return message


def rendered(engine: Engine, *messages: Message, **more: Any) -> str:
    text = post(engine, *messages, _debug_render_only=True, **more)[1][0]["_debug_info"]["rendered_template"]
    assert isinstance(text, str)
    return text


def functions(message: Message) -> list[tuple[str, Any]]:
    return [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def result(text: str, name: str = "now") -> Message:
    return {"role": "tool", "content": text, "tool_name": name}


# What the script of a question leads to


def test_a_question_names_the_calls_that_come_at_once(engine: Engine) -> None:
    said = ask(engine, user('call now {}\nand call read_file {"path": "a.txt", "deep": {"n": [1]}}'))
    assert functions(said) == [("now", {}), ("read_file", {"path": "a.txt", "deep": {"n": [1]}})]
    assert [call["function"]["index"] for call in said["tool_calls"]] == [0, 1]
    assert said["content"] == ""


def test_calls_come_in_chunks_of_their_own_before_the_last_one(engine: Engine) -> None:
    _, chunks = post(engine, user("call now {} call list_files {}"))
    assert [(functions(each["message"]), each["done"]) for each in chunks] == [
        ([("now", {})], False),
        ([("list_files", {})], False),
        ([], True),
    ]


def test_late_calls_come_in_the_last_chunk(engine: Engine) -> None:
    _, chunks = post(engine, user("call late now {} call late list_files {}"))
    assert [(functions(each["message"]), each["done"]) for each in chunks] == [
        ([("now", {}), ("list_files", {})], True)
    ]


def test_a_result_is_answered_in_words_that_quote_its_first_line(engine: Engine) -> None:
    said = user("call now {} call list_files {}")
    calls = ask(engine, said)
    answer = ask(engine, said, calls, result("noon\nand more"), result("", "list_files"))
    assert "tool_calls" not in answer
    assert answer["content"] == (
        f"{NO_MODEL}\n\nThe result of `now` begins: noon\nThe result of `list_files` begins: (nothing)"
    )


def test_the_same_call_comes_again_after_every_result(engine: Engine) -> None:
    messages = [user("call again now {}")]
    ids = set()
    for _ in range(4):
        messages.append(ask(engine, *messages))
        assert functions(messages[-1]) == [("now", {})]
        ids.add(messages[-1]["tool_calls"][0]["id"])
        messages.append(result("noon"))
    assert len(ids) == 4


def test_ids_are_the_same_each_time_and_different_within_a_reply(engine: Engine) -> None:
    ids = [[call["id"] for call in ask(engine, user("call now {} call now {}"))["tool_calls"]] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2
    assert all(each.startswith("call_") for each in ids[0])


@pytest.mark.parametrize(
    ("question", "called"),
    [
        ("What time is it?", [("now", {})]),
        ("what is the date today?", [("now", {})]),
        ("How much is 12 * (3 + 4)?", [("calculate", {"expression": "12 * (3 + 4)"})]),
        ("please read notes.txt.", [("read_file", {"path": "notes.txt"})]),
        ("List the files", [("list_files", {})]),
        ("Search my chats for the budget", [("search_chats", {"query": "the budget"})]),
        ("what time is it, and which files are there", [("now", {}), ("list_files", {})]),
        ("read what I wrote", []),
        ("call me a taxi", []),
        ("hello", []),
    ],
)
def test_plain_words_lead_to_the_tool_that_fits(
    engine: Engine, question: str, called: list[tuple[str, Any]]
) -> None:
    said = ask(engine, user(question))
    assert functions(said) == called
    assert bool(said["content"]) is not bool(called)


def test_only_tools_that_are_offered_are_called_for_plain_words(engine: Engine) -> None:
    assert functions(ask(engine, user("what time is it?"), tools=[tool("other")])) == []
    assert functions(ask(engine, user("call now {}"), tools=None)) == []


def test_a_summary_is_written_and_nothing_called(engine: Engine) -> None:
    assert functions(ask(engine, user("Write a summary of our conversation so far: call now {}"))) == []


@pytest.mark.parametrize("kind", ODD)
def test_each_kind_of_nonsense_is_sent_and_answered_afterwards(engine: Engine, kind: str) -> None:
    question = user(f"call odd {kind}")
    said = ask(engine, question)
    calls = said.get("tool_calls", [])
    assert {
        "unknown": lambda: functions(said) == [("no_such_tool", {})],
        "unnamed": lambda: functions(said) == [("", {})],
        "string": lambda: isinstance(functions(said)[0][1], str),
        "list": lambda: functions(said) == [("now", [1, 2, 3])],
        "kind": lambda: "no_such_parameter" in functions(said)[0][1],
        "missing": lambda: functions(said) == [("now", None)],
        "index": lambda: [call["function"]["index"] for call in calls] == [0, 0, 0],
        "text": lambda: not calls and "<tool_call>" in said["content"],
        "many": lambda: len({call["id"] for call in calls}) == 1000,
    }[kind]()
    answer = ask(engine, question, {"role": "assistant", "content": ""}, result("not run"))
    assert "not run" in answer["content"]


# What it costs


def test_the_prompt_counts_what_is_written_and_the_reply_what_is_generated(engine: Engine) -> None:
    said = [user("call now {}")]
    said += [ask(engine, *said), result("noon")]
    for messages in (said[:1], said):
        _, [answer] = post(engine, *messages, stream=False)
        text = rendered(engine, *messages)
        assert answer["prompt_eval_count"] == len(list(vocabulary("qwen2").prompt(text)))
    _, [answer] = post(engine, said[0], stream=False)
    form = '\n<call>{"name": "now", "arguments": {}}</call>'
    assert form in text
    assert answer["eval_count"] == len(list(vocabulary("qwen2").prompt(form))) + 1


def test_a_call_that_the_window_cuts_off_is_not_sent(engine: Engine) -> None:
    _, [answer] = post(engine, user("call now {}"), stream=False, options={"num_predict": 3})
    assert answer["done_reason"] == "length"
    assert "tool_calls" not in answer["message"]


def test_definitions_calls_and_results_are_written_in_the_models_own_form(engine: Engine) -> None:
    said = [user("Q"), {"role": "assistant", "content": "A", "thinking": "T", "tool_calls": [_call("now")]}]
    said += [result("one"), result("two")]
    assert rendered(engine, {"role": "system", "content": "S"}, *said, tools=[tool("now")]) == (
        "<|im_start|>system\nS\n\nThese tools can be called:\n"
        '{"name":"now","description":"now!","parameters":{"type":"object","properties":{}}}\n'
        'To call one, write a line for each call: <call>{"name": "...", "arguments": {...}}</call><|im_end|>\n'
        "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\nT\n</think>\n\nA\n"
        '<call>{"name": "now", "arguments": {"city":"Rome"}}</call><|im_end|>\n'
        "<|im_start|>tool\none<|im_end|>\n<|im_start|>tool\ntwo<|im_end|>\n<|im_start|>assistant\n"
    )
    assert "<think>" not in rendered(engine, *said, user("next"))


def test_a_definition_is_reshaped_before_it_is_written(engine: Engine) -> None:
    schema = {
        "properties": {
            "unit": {"default": "a", "enum": ["a", "<b>"], "type": ["string"]},
            "rows": {"items": {"type": "object", "minItems": 3.0, "a": 1}, "type": "array", "title": "Rows"},
            "inner": {"required": ["x"], "properties": {"x": {"type": ["integer", "null"]}}, "type": "object"},
        },
        "additionalProperties": False,
        "type": "object",
        "required": ["unit"],
    }
    text = rendered(engine, user("Q"), tools=[{"function": {"strict": True, "parameters": schema, "name": "n"}}])
    assert (
        '{"name":"n","parameters":{"type":"object","required":["unit"],"properties":{'
        '"unit":{"type":"string","enum":["a","\\u003cb\\u003e"]},'
        '"rows":{"type":"array","items":{"a":1,"minItems":3,"type":"object"}},'
        '"inner":{"type":"object","properties":{"x":{"type":["integer","null"]}},"required":["x"]}}}}\n'
    ) in text


# Refusals


def test_a_model_without_tools_refuses_them(engine: Engine) -> None:
    assert post(engine, user("hi"), model="demo") == (
        400,
        [{"error": "registry.example/library/demo:latest does not support tools"}],
    )
    assert post(engine, user("hi"), model="demo", tools=[])[0] == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tool_calls", "now"),
        ("tool_calls", ["now"]),
        ("tool_calls", [{"function": "now"}]),
        ("tool_calls", [{"function": {"name": "now", "arguments": "{}"}}]),
        ("tool_calls", [{"function": {"name": 1}}]),
        ("tool_calls", [{"id": 1, "function": {"name": "now"}}]),
        ("tool_calls", [{"function": {"name": "now", "index": "0"}}]),
        ("tool_name", 1),
        ("tool_call_id", []),
    ],
)
def test_a_wrong_kind_in_a_message_is_refused(engine: Engine, field: str, value: object) -> None:
    status, [answer] = post(engine, user("hi") | {field: value or [1]})
    assert status == 400
    assert answer["error"].startswith(
        f"json: cannot unmarshal value into Go struct field Message.messages.{field}"
    )


@pytest.mark.parametrize(
    "tools",
    [
        "now",
        ["now"],
        [{"function": "now"}],
        [{"function": {"name": 1}}],
        [{"function": {"name": "now", "parameters": []}}],
        [{"function": {"name": "now", "parameters": {"properties": [1]}}}],
        [{"function": {"name": "now", "parameters": {"properties": {"a": "string"}}}}],
    ],
)
def test_a_definition_of_a_wrong_kind_is_refused(engine: Engine, tools: object) -> None:
    status, [answer] = post(engine, user("hi"), tools=tools)
    assert status == 400
    assert answer["error"].startswith("json: cannot unmarshal value into Go struct field")


# Templates of other models


def _call(name: str, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"city": "Rome"}}, **more}


# What four renderers of Ollama v0.33 write for the request below, word for word.
_FORMAT = (
    "\n"
    "\n"
    "If you choose to call a function ONLY reply in the following format with NO suffix:\n"
    "\n"
    "<tool_call>\n"
    "<function=example_function_name>\n"
    "<parameter=example_parameter_1>\n"
    "value_1\n"
    "</parameter>\n"
    "<parameter=example_parameter_2>\n"
    "This is the value for the second parameter\n"
    "that can span\n"
    "multiple lines\n"
    "</parameter>\n"
    "</function>\n"
    "</tool_call>\n"
    "\n"
    "<IMPORTANT>\n"
    "Reminder:\n"
    "- Function calls MUST follow the specified format: an inner "
    "<function=...></function> block must be nested within <tool_call></tool_call> XML "
    "tags\n"
    "- Required parameters MUST be specified\n"
    "- You may provide optional reasoning for your function call in natural language "
    "BEFORE the function call, but NOT after\n"
    "- If there is no function call available, answer the question like normal with your "
    "current knowledge and do not tell the user about function calls\n"
    "</IMPORTANT>"
)
_RECORDED = [
    (
        QWEN3_CODER,
        (
            "<|im_start|>system\n"
            "You are Qwen, a helpful AI assistant that can interact with a computer to solve "
            "tasks.\n"
            "\n"
            "# Tools\n"
            "\n"
            "You have access to the following functions:\n"
            "\n"
            "<tools>\n"
            "<function>\n"
            "<name>get_time</name>\n"
            "<description>The time in a city.</description>\n"
            "<parameters>\n"
            "<parameter>\n"
            "<name>city</name>\n"
            "<type>string</type>\n"
            "<description>Name of the city</description>\n"
            "</parameter>\n"
            "<parameter>\n"
            "<name>unit</name>\n"
            "<type>string</type>\n"
            '<enum>["12h","24h"]</enum>\n'
            "</parameter>\n"
            '<required>["city"]</required>\n'
            "</parameters>\n"
            "</function>\n"
            "</tools>"
        )
        + _FORMAT
        + (
            "<|im_end|>\n"
            "<|im_start|>user\n"
            "What time is it in Rome?<|im_end|>\n"
            "<|im_start|>assistant\n"
            "\n"
            "<tool_call>\n"
            "<function=get_time>\n"
            "<parameter=city>\n"
            "Rome\n"
            "</parameter>\n"
            "</function>\n"
            "</tool_call><|im_end|>\n"
            "<|im_start|>user\n"
            "<tool_response>\n"
            "12:30\n"
            "</tool_response><|im_end|>\n"
            "<|im_start|>user\n"
            "And in Oslo?<|im_end|>\n"
            "<|im_start|>assistant\n"
        ),
    ),
    (
        QWEN35,
        (
            "<|im_start|>system\n"
            "# Tools\n"
            "\n"
            "You have access to the following functions:\n"
            "\n"
            "<tools>\n"
            '{"type": "function", "function": {"name": "get_time", "description": "The time in a '
            'city.", "parameters": {"type": "object", "required": ["city"], "properties": '
            '{"city": {"type": "string", "description": "Name of the city"}, "unit": {"type": '
            '"string", "enum": ["12h", "24h"]}}}}}\n'
            "</tools>"
        )
        + _FORMAT
        + (
            "<|im_end|>\n"
            "<|im_start|>user\n"
            "What time is it in Rome?<|im_end|>\n"
            "<|im_start|>assistant\n"
            "<tool_call>\n"
            "<function=get_time>\n"
            "<parameter=city>\n"
            "Rome\n"
            "</parameter>\n"
            "</function>\n"
            "</tool_call><|im_end|>\n"
            "<|im_start|>user\n"
            "<tool_response>\n"
            "12:30\n"
            "</tool_response><|im_end|>\n"
            "<|im_start|>user\n"
            "And in Oslo?<|im_end|>\n"
            "<|im_start|>assistant\n"
            "<think>\n"
        ),
    ),
    (
        OLMO3,
        "<|im_start|>system\n"
        "You are a helpful function-calling AI assistant. You are provided with function "
        "signatures within <functions></functions> XML tags. You may call one or more "
        "functions to assist with the user query. Output any function calls within "
        "<function_calls></function_calls> XML tags. Do not make assumptions about what "
        'values to plug into functions.<functions>[{"type": "function", "function": {"name": '
        '"get_time", "description": "The time in a city.", "parameters": {"type": "object", '
        '"required": ["city"], "properties": {"city": {"type": "string", "description": "Name '
        'of the city"}, "unit": {"type": "string", "enum": ["12h", '
        '"24h"]}}}}}]</functions><|im_end|>\n'
        "<|im_start|>user\n"
        "What time is it in Rome?<|im_end|>\n"
        "<|im_start|>assistant\n"
        '<function_calls>get_time(city="Rome")</function_calls><|im_end|>\n'
        "<|im_start|>environment\n"
        "12:30<|im_end|>\n"
        "<|im_start|>user\n"
        "And in Oslo?<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    (
        GEMMA4,
        "<bos><|turn>system\n"
        "<|think|>\n"
        '<|tool>declaration:get_time{description:<|"|>The time in a '
        'city.<|"|>,parameters:{properties:{city:{description:<|"|>Name of the '
        'city<|"|>,type:<|"|>STRING<|"|>},unit:{enum:[<|"|>12h<|"|>,<|"|>24h<|"|>],type:<|"|>S'
        'TRING<|"|>}},required:[<|"|>city<|"|>],type:<|"|>OBJECT<|"|>}}<tool|><turn|>\n'
        "<|turn>user\n"
        "What time is it in Rome?<turn|>\n"
        "<|turn>model\n"
        '<|tool_call>call:get_time{city:<|"|>Rome<|"|>}<tool_call|><|tool_response>response:ge'
        't_time{value:<|"|>12:30<|"|>}<tool_response|><turn|>\n'
        "<|turn>user\n"
        "And in Oslo?<turn|>\n"
        "<|turn>model\n",
    ),
]


@pytest.mark.parametrize(("model", "text"), _RECORDED, ids=lambda each: getattr(each, "name", ""))
def test_a_style_writes_what_the_real_renderer_writes(engine: Engine, model: DemoModel, text: str) -> None:
    city = {"type": "string", "description": "Name of the city"}
    schema = {
        "type": "object",
        "properties": {"city": city, "unit": {"type": "string", "enum": ["12h", "24h"]}},
        "required": ["city"],
    }
    said = [
        user("What time is it in Rome?"),
        {"role": "assistant", "content": "", "tool_calls": [_call("get_time")]},
        result("12:30", "get_time"),
        user("And in Oslo?"),
    ]
    offered = [tool("get_time", description="The time in a city.", parameters=schema)]
    assert rendered(engine, *said, model=model.name, tools=offered) == text


@pytest.mark.parametrize("model", STYLES, ids=lambda model: model.name)
def test_a_style_writes_every_part_and_leaves_the_last_reply_open(engine: Engine, model: DemoModel) -> None:
    calls = [_call("now", id="a"), _call("list_files", id="b")]
    said = [
        {"role": "system", "content": "SYSTEM"},
        user("QUESTION"),
        {"role": "assistant", "content": "TEXT", "tool_calls": calls},
        result("RESULT ONE") | {"tool_call_id": "a"},
        result("RESULT TWO", "list_files") | {"tool_call_id": "b"},
    ]
    text = rendered(engine, *said, model=model.name, tools=TOOLS[:1])
    for part in ("SYSTEM", "QUESTION", "TEXT", "Rome", "RESULT ONE", "RESULT TWO", "now!"):
        assert part in text
    assert rendered(engine, *said, {"role": "assistant", "content": "Begun"}, model=model.name).endswith("Begun")


@pytest.mark.parametrize("model", STYLES, ids=lambda model: model.name)
def test_a_style_calls_and_answers_like_the_demos_own(engine: Engine, model: DemoModel) -> None:
    said = [user("call now {}")]
    said.append(ask(engine, *said, model=model.name))
    assert functions(said[-1]) == [("now", {})]
    assert "noon" in ask(engine, *said, result("noon"), model=model.name)["content"]


def test_a_test_may_say_which_calls_come(engine: Engine) -> None:
    engine.say(DemoReply("Look.", calls=(DemoCall("now", {}, "call_1"),)))
    said = ask(engine, user("hi"))
    assert (said["content"], said["tool_calls"][0]["id"]) == ("Look.", "call_1")
