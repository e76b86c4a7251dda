"""Templates learned from renderings: what is reported as certain is what the server writes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.demo.models import CHATML, HEADERS, TURNS
from chatcli.demo.request import DemoMessage as Sent
from chatcli.tokens.template import Template
from chatcli.tokens.template_learning import learn

Writer = Callable[[Sequence[Message]], str]


def by_demo(template: object, think: bool | None = None, before: Sequence[Sent] = ()) -> Writer:
    def write(messages: Sequence[Message]) -> str:
        sent = [Sent(message.role.value, message.text, message.thinking) for message in messages]
        lead = [message for message in before if message.role != "system" or messages[0].role != Role.SYSTEM]
        return template.render([*lead, *sent], think)  # type: ignore[attr-defined, no-any-return]

    return write


def merged(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role become one, as Ollama does before its own templates."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role:
            found[-1] = replace(found[-1], text=f"{found[-1].text}\n\n{message.text}")
        else:
            found.append(message)
    return found


def gemma(messages: Sequence[Message]) -> str:
    """No system role: its text goes before the next message's, and blanks are cut off all of them."""
    prompt, system = "<bos>", ""
    for message in messages:
        if message.role == Role.SYSTEM:
            system = f"{message.text}\n\n"
            continue
        name = "model" if message.role == Role.ASSISTANT else "user"
        prompt += f"<start_of_turn>{name}\n{system}{message.text.strip()}<end_of_turn>\n"
        system = ""
    return f"{prompt}<start_of_turn>model\n"


def mistral(messages: Sequence[Message]) -> str:
    """The system message comes before the last question, wherever that is."""
    parts = merged(messages)
    system = "\n\n".join(part.text for part in parts if part.role == Role.SYSTEM)
    last = max((at for at, part in enumerate(parts) if part.role == Role.USER), default=-1)
    prompt = ""
    for at, part in enumerate(parts):
        if part.role == Role.USER:
            prompt += f"[INST] {system + chr(10) * 2 if at == last and system else ''}{part.text}[/INST]"
        elif part.role == Role.ASSISTANT:
            prompt += f" {part.text}</s>"
    return prompt


def plain(messages: Sequence[Message]) -> str:
    """No special token anywhere."""
    names = {Role.USER: "### Instruction:\n", Role.ASSISTANT: "### Response:\n"}
    return "".join(f"{names.get(m.role, '')}{m.text}\n\n" for m in messages) + "### Response:\n"


def remembering(messages: Sequence[Message]) -> str:
    """Thinking stays in the prompt."""
    texts = [f"<think>{m.thinking}</think>\n{m.text}" if m.thinking else m.text for m in messages]
    turns = zip(messages, texts, strict=True)
    return "".join(f"<|{m.role}|>\n{text}<|end|>\n" for m, text in turns) + "<|assistant|>\n"


def choosy(messages: Sequence[Message]) -> str:
    """A message without a text leaves no trace; a system prompt of its own where none is given."""
    said = "".join(f"<|{m.role}|>{m.text}<|end|>" for m in merged(messages) if m.text)
    own = "" if messages[0].role == Role.SYSTEM else "<|system|>Be good. Today is 21 Nov.<|end|>"
    return f"{own}{said}<|assistant|>"


BRIEF = (Sent("system", "Be brief."), Sent("user", "What?"), Sent("assistant", "That."))
WRITERS: dict[str, Writer] = {
    "headers": by_demo(HEADERS),
    "headers with a Modelfile's messages": by_demo(HEADERS, before=BRIEF),
    "system message twice": by_demo(TURNS),
    "thinking": by_demo(CHATML),
    "thinking off": by_demo(CHATML, think=False),
    "gemma": gemma,
    "mistral": mistral,
    "plain": plain,
    "remembering": remembering,
    "choosy": choosy,
}


def conversation(chance: random.Random, simple: bool) -> list[Message]:
    """`simple`: no empty texts, no two messages of one role in a row."""
    texts = ["Hi", " there \n", "a <b> c", "x\n\ny"]
    if not simple:
        texts.append("")
    said = [Message.system(chance.choice(["Be kind.", "two\nlines "])) for _ in range(chance.random() < 0.5)]
    for _ in range(chance.randrange(5)):
        said.append(Message.user(chance.choice(texts)))
        if simple or chance.random() < 0.9:
            said.append(Message.assistant(chance.choice(texts), chance.choice(["", "hm, well"])))
    return [*said, Message.user(chance.choice(texts))]


def text_of(template: Template, messages: Sequence[Message]) -> str:
    return "".join(piece.text for piece in template.write(messages)[0])


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_certain_is_what_the_server_writes(name: str) -> None:
    write, chance = WRITERS[name], random.Random(11)
    template = learn(write)
    assert template is not None
    for simple in [True] * 150 + [False] * 150:
        messages = conversation(chance, simple)
        certain = template.write(messages)[1]
        assert text_of(template, messages) == write(messages) or not certain
        assert certain or not simple


@pytest.mark.parametrize("earlier", [[], [Message.user("Hi"), Message.assistant("Yes?")]])
@pytest.mark.parametrize("name", WRITERS)
def test_a_reply_without_text_is_known_as_written_at_the_end_and_before_a_question(
    name: str, earlier: list[Message]
) -> None:
    write = WRITERS[name]
    template = learn(write)
    assert template is not None
    asked = [*earlier, Message.user("Why?")]
    for end in ([Message.assistant("", "hm, well")], [Message.assistant(""), Message.user("And?")]):
        assert (text_of(template, [*asked, *end]), template.write([*asked, *end])[1]) == (
            write([*asked, *end]),
            True,
        )


def test_a_server_that_renders_nothing_gives_no_template() -> None:
    assert learn(lambda _: None) is None


def test_a_template_that_cannot_be_foretold_is_not_used() -> None:
    chance = random.Random(1)
    assert learn(lambda messages: plain(messages).replace("#", str(chance.random()))) is None
    assert learn(lambda messages: str(len(messages))) is None
    assert learn(lambda messages: plain([replace(m, text=m.text.upper()) for m in messages])) is None
    assert learn(lambda _: "") is None


def test_system_messages_in_front_are_joined_as_the_server_joins_them() -> None:
    messages = [Message.system("One."), Message.system("Two."), Message.user("Hi")]
    for write in (by_demo(HEADERS), by_demo(TURNS), mistral, plain):
        template = learn(write)
        assert template is not None
        assert (text_of(template, messages), template.write(messages)[1]) == (write(messages), True)


def test_what_was_not_learnt_is_uncertain_and_still_near() -> None:
    template = learn(by_demo(HEADERS))
    assert template is not None
    tool = Message(Role.TOOL, "22 degrees")
    called = Message(Role.ASSISTANT, "", tool_uses=(ToolUse("weather", {"city": "Köln"}),))
    messages = [Message.user("Warm?"), called, tool]
    assert not template.write(messages)[1]
    assert "22 degrees" in text_of(template, messages)


def test_pictures_stand_before_their_message_s_text() -> None:
    template = learn(by_demo(HEADERS))
    assert template is not None
    picture = Attachment("image", "cat.png", "image/png", b"\x89PNG")
    pieces, certain = template.write([Message.user("", (picture,))])
    assert certain
    assert [piece.images for piece in pieces] == [(), (picture,), ()]
