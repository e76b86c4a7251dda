"""Models for the demo engine that write tools as four renderers of a real server do, and in one more way.

    engine.inside.shelf.put(GEMMA4)

Their prompts differ in what matters to counting: where the definitions come (in front, or before the last
question), whether a result is a message of its own, part of a user's turn or of the reply before it, whether
thinking is dropped, and whether the parts of a prompt add up at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chatcli.demo.models import DemoModel, DemoTemplate
from chatcli.demo.request import Definition, DemoCall, DemoMessage, last_question

Messages = Sequence[DemoMessage]
Definitions = Sequence[Definition]

_FORMAT = """

If you choose to call a function ONLY reply in the following format with NO suffix:

<tool_call>
<function=example_function_name>
<parameter=example_parameter_1>
value_1
</parameter>
<parameter=example_parameter_2>
This is the value for the second parameter
that can span
multiple lines
</parameter>
</function>
</tool_call>

<IMPORTANT>
Reminder:
- Function calls MUST follow the specified format: an inner <function=...></function> block must be nested within \
<tool_call></tool_call> XML tags
- Required parameters MUST be specified
- You may provide optional reasoning for your function call in natural language BEFORE the function call, \
but NOT after
- If there is no function call available, answer the question like normal with your current knowledge and do \
not tell the user about function calls
</IMPORTANT>"""
_OFFERED = "# Tools\n\nYou have access to the following functions:\n\n<tools>\n"


def _spaced(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tight(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _word(value: object) -> str:
    return value if isinstance(value, str) else _tight(value)


def _properties(definition: Definition) -> Mapping[str, Any]:
    return definition["function"]["parameters"]["properties"] or {}


def _chatml(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}<|im_end|>\n"


def _runs(messages: Messages) -> Iterator[tuple[DemoMessage, list[DemoMessage]]]:
    """Each message that is no result, with the results that follow it. A conversation may begin with results."""
    at = 0
    while at < len(messages):
        first = messages[at] if messages[at].role != "tool" else DemoMessage("", "")
        at += messages[at].role != "tool"
        results = []
        while at < len(messages) and messages[at].role == "tool":
            results.append(messages[at])
            at += 1
        yield first, results


def _is_open(messages: Messages) -> bool:
    """Whether the last reply is one to go on with."""
    return bool(messages) and messages[-1].role == "assistant" and not messages[-1].calls


def _results_as_a_users(results: Messages) -> str:
    written = "\n".join(f"<tool_response>\n{result.content}\n</tool_response>" for result in results)
    return _chatml("user", written) if results else ""


# qwen3-coder: definitions as XML, a default system prompt, results in a turn of the user


def _coder(system: str, messages: Messages, _think: bool | None, tools: Definitions) -> str:
    fallback = "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks."
    prompt = ""
    if tools:
        offered = "\n".join(map(_coder_definition, tools))
        prompt = _chatml("system", f"{system or fallback}\n\n{_OFFERED}{offered}\n</tools>{_FORMAT}")
    elif system:
        prompt = _chatml("system", system)
    for message, results in _runs([message for message in messages if message.role != "system"]):
        if message.role:
            break_before_calls = "\n" if message.content and message.calls else ""
            prompt += _chatml(message.role, f"{message.content}{break_before_calls}{_coder_calls(message.calls)}")
        prompt += _results_as_a_users(results)
    return prompt.removesuffix("<|im_end|>\n") if _is_open(messages) else prompt + "<|im_start|>assistant\n"


def _coder_definition(definition: Definition) -> str:
    function = definition["function"]
    lines = ["<function>", f"<name>{function['name']}</name>"]
    if "description" in function:
        lines.append(f"<description>{function['description']}</description>")
    lines.append("<parameters>")
    for name, inner in _properties(definition).items():
        rest = [f"<{key}>{_word(inner[key])}</{key}>" for key in sorted(inner, key=_type_first)]
        lines += ["<parameter>", f"<name>{name}</name>", *rest, "</parameter>"]
    if "required" in function["parameters"]:
        lines.append(f"<required>{_tight(function['parameters']['required'])}</required>")
    return "\n".join([*lines, "</parameters>", "</function>"])


def _type_first(key: str) -> tuple[bool, bool, str]:
    return (key != "type", key != "description", key)


def _coder_calls(calls: Sequence[DemoCall]) -> str:
    return "".join(f"\n{_call_in_xml(call)}" for call in calls)


def _call_in_xml(call: DemoCall) -> str:
    rows = "".join(f"<parameter={name}>\n{_word(value)}\n</parameter>\n" for name, value in call.arguments.items())
    return f"<tool_call>\n<function={call.name}>\n{rows}</function>\n</tool_call>"


# qwen3.5: definitions as JSON before the system prompt, thinking kept after the last question only


def _qwen35(_system: str, messages: Messages, think: bool | None, tools: Definitions) -> str:
    leads = bool(messages) and messages[0].role == "system"
    system = messages[0].content.strip() if leads else ""
    prompt = ""
    if tools:
        offered = "\n".join(map(_spaced, tools))
        after = f"\n\n{system}" if system else ""
        prompt = _chatml("system", f"{_OFFERED}{offered}\n</tools>{_FORMAT}{after}")
    elif leads:
        prompt = _chatml("system", system)
    rest = messages[1:] if leads else messages
    asked = last_question(rest)
    thinking_from = {id(message) for message in rest[asked + 1 :]} if think else set()
    for message, results in _runs(rest):
        if message.role:
            thought = f"<think>\n{message.thinking.strip()}\n</think>\n\n" if id(message) in thinking_from else ""
            content = message.content.strip()
            between = "\n\n" if content and message.calls else ""
            prompt += _chatml(message.role, f"{thought}{content}{between}{_qwen35_calls(message.calls)}")
        prompt += _results_as_a_users(results)
    if _is_open(messages):
        return prompt.removesuffix("<|im_end|>\n")
    return prompt + "<|im_start|>assistant\n" + ("<think>\n" if think else "<think>\n\n</think>\n\n")


def _qwen35_calls(calls: Sequence[DemoCall]) -> str:
    return "\n".join(map(_call_in_xml, calls))


# olmo3: a system prompt that is there without tools, too; calls as code, results in a turn of the environment


def _olmo3(system: str, messages: Messages, _think: bool | None, tools: Definitions) -> str:
    if tools and not system:
        system = (
            "You are a helpful function-calling AI assistant. You are provided with function signatures within "
            "<functions></functions> XML tags. You may call one or more functions to assist with the user query. "
            "Output any function calls within <function_calls></function_calls> XML tags. Do not make assumptions "
            "about what values to plug into functions."
        )
    elif not system:
        system = (
            "You are a helpful function-calling AI assistant. You do not currently have access to any functions. "
            "<functions></functions>"
        )
    prompt = _chatml("system", system + (f"<functions>{_spaced(tools)}</functions>" if tools else ""))
    for message in messages:
        if message.role != "system":
            role = "environment" if message.role == "tool" else message.role
            prompt += _chatml(role, f"{message.content}{_olmo3_calls(message.calls)}")
    return prompt.removesuffix("<|im_end|>\n") if _is_open(messages) else prompt + "<|im_start|>assistant\n"


def _olmo3_calls(calls: Sequence[DemoCall]) -> str:
    rows = []
    for call in calls:
        given = ", ".join(f"{name}={_tight(call.arguments[name])}" for name in sorted(call.arguments))
        rows.append(f"{call.name}({given})")
    written = "\n".join(rows)
    return f"<function_calls>{written}</function_calls>" if calls else ""


# gemma4: results are part of the reply that asked for them, and the next reply goes on in the same turn


def _gemma4(_system: str, messages: Messages, think: bool | None, tools: Definitions) -> str:
    leads = bool(messages) and messages[0].role == "system"
    prompt = "<bos>"
    if leads or tools or think:
        system = messages[0].content.strip() if leads else ""
        offered = "".join(map(_gemma4_definition, tools))
        prompt += f"<|turn>system\n{'<|think|>' if think else ''}"
        prompt += ("\n" if think else "") + f"{system}{offered}<turn|>\n"
    rest = messages[1:] if leads else messages
    asked = last_question(rest)
    thinking_from = {id(message) for message in rest[asked + 1 :]}
    runs = [(message, results) for message, results in _runs(rest) if message.role]
    goes_on = False
    for at, (message, results) in enumerate(runs):
        replies = message.role == "assistant"
        prompt += "" if replies and goes_on else f"<|turn>{'model' if replies else message.role}\n"
        if message.thinking and id(message) in thinking_from:
            prompt += f"<|channel>thought\n{message.thinking}\n<channel|>"
        prompt += _gemma4_calls(message.calls)
        prompt += "".join(_gemma4_result(result, message.calls) for result in results if message.calls)
        prompt += message.content.strip()
        follows = runs[at + 1][0].role if at + 1 < len(runs) else ""
        goes_on = replies and follows == "assistant"
        if message.calls and not results:
            return prompt + "<|tool_response>"
        if message.calls and not follows and not message.content:
            return prompt + ("<|channel>thought\n" if think else "")
        prompt += "" if goes_on else "<turn|>\n"
    return prompt.removesuffix("<turn|>\n") if _is_open(messages) else prompt + "<|turn>model\n"


def _gemma4_calls(calls: Sequence[DemoCall]) -> str:
    return "".join(f"<|tool_call>call:{call.name}{_braced(call.arguments)}<tool_call|>" for call in calls)


def _gemma4_result(result: DemoMessage, calls: Sequence[DemoCall]) -> str:
    """The id of a call says which tool it is of; the name that a result has of itself is what is left without."""
    names = (call.name for call in calls if call.id and call.id == result.answers)
    name = next(names, result.tool or "unknown")
    return f"<|tool_response>response:{name}{_braced({'value': result.content})}<tool_response|>"


def _gemma4_definition(definition: Definition) -> str:
    function = definition["function"]
    parameters = {**function["parameters"], "properties": _properties(definition)}
    described = f"description:{_braced(function.get('description', ''))}"
    return f"<|tool>declaration:{function['name']}{{{described},parameters:{_gemma4_schema(parameters)}}}<tool|>"


def _gemma4_schema(schema: Mapping[str, Any]) -> str:
    parts = []
    for key in sorted(schema):
        value = schema[key]
        if key == "properties" and value:
            inner = ",".join(f"{name}:{_gemma4_schema(value[name])}" for name in sorted(value))
            parts.append(f"properties:{{{inner}}}")
        elif key == "type" and isinstance(value, str):
            parts.append(f"type:{_braced(value.upper())}")
        elif value:
            parts.append(f"{key}:{_braced(value)}")
    return "{" + ",".join(parts) + "}"


def _braced(value: object) -> str:
    """A value with strings between marks of their own, and without any around the names of an object."""
    if isinstance(value, str):
        return f'<|"|>{value}<|"|>'
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_braced(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_braced, value))}]"
    return _tight(value)


# A template that puts the definitions before the last question, as that of Mistral: they move with each turn


def _before_question(system: str, messages: Messages, _think: bool | None, tools: Definitions) -> str:
    asked = last_question(messages)
    prompt = f"[SYSTEM]{system}[/SYSTEM]" if system else ""
    for at, message in enumerate(messages):
        if at == asked and tools:
            prompt += f"[AVAILABLE_TOOLS]{_tight(tools)}[/AVAILABLE_TOOLS]"
        if message.role == "user":
            prompt += f"[INST]{message.content}[/INST]"
        elif message.role == "tool":
            prompt += f"[TOOL_RESULTS]{_tight({'content': message.content})}[/TOOL_RESULTS]"
        elif message.role == "assistant":
            ends = "" if message is messages[-1] and not message.calls else "<|im_end|>"
            prompt += f"{message.content}{_before_question_calls(message.calls)}{ends}"
    return prompt


def _before_question_calls(calls: Sequence[DemoCall]) -> str:
    rows = [{"name": call.name, "arguments": call.arguments} for call in calls]
    return f"[TOOL_CALLS]{_tight(rows)}" if rows else ""


def _style(name: str, speaks: str, template: DemoTemplate, *capabilities: str) -> DemoModel:
    modified = "2026-11-01T11:00:00.000000000Z"
    return DemoModel(f"{name}:latest", "qwen2", speaks, template, modified, ("completion", "tools", *capabilities))


# What a server with renderers of its own shows is a template that says nothing; the name tells them apart.
QWEN3_CODER = _style("like-qwen3-coder", "qwen2", DemoTemplate("{{ .Prompt }}{{/* 1 */}}", _coder, _coder_calls))
QWEN35 = _style(
    "like-qwen3.5", "qwen2", DemoTemplate("{{ .Prompt }}{{/* 2 */}}", _qwen35, _qwen35_calls), "thinking"
)
OLMO3 = _style("like-olmo3", "qwen2", DemoTemplate("{{ .Prompt }}{{/* 3 */}}", _olmo3, _olmo3_calls))
GEMMA4 = _style("like-gemma4", "spm", DemoTemplate("{{ .Prompt }}{{/* 4 */}}", _gemma4, _gemma4_calls), "thinking")
BEFORE_QUESTION = _style(
    "before-question",
    "llama-bpe",
    DemoTemplate("{{ .Prompt }}{{/* 5 */}}", _before_question, _before_question_calls),
)
STYLES = (QWEN3_CODER, QWEN35, OLMO3, GEMMA4, BEFORE_QUESTION)
