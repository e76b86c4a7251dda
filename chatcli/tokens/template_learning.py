"""Learns a model's template from how the server renders a few conversations of sentinels. No reply is generated
for them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from chatcli.conversation.message import Message, Role
from chatcli.tokens.template import STRIPS, SYSTEM, THINKING, Template, gaps_of, leading, steps_of

Render = Callable[[Sequence[Message]], str | None]

# Each is rendered also with a system message in front. u: user, a: reply, A: reply with thinking, s: system in the
# middle; U, e, E: the same as u, a, A, without a text.
PROBES = (
    "u ua uA uau uaua uauA uauau uAuAu uauu uuaau uasu uasuau U uaU uAU Uau uaUau ueu ueuau uEu uEuau ueUau uaUeu "
    "uuu au auauau Auau auuaauu eu euau uE uauE uA ue"
)
ABREAST = 12

_SENTINEL = re.compile(r"qz(\d+)([ct])zq")
_BLANK = "\n \t"


def learn(render: Render) -> Template | None:
    """The template behind `render`, which several threads call at once; None where it renders nothing, or nothing
    predictable.
    """
    gaps: dict[str, str | None] = {}
    probes = [_probe(lead + probe) for probe in PROBES.split() for lead in ("", "s")]
    first = render(probes[0])
    if first is None:
        return None
    for messages, rendered in zip(probes, [first, *_side_by_side(render, probes[1:])], strict=True):
        if rendered is None:
            return None
        for kinds, gap in _read(messages, rendered):
            key = " ".join(kinds)
            gaps[key] = gap if gaps.get(key, gap) == gap else None  # one that varies is not known
    apart = any(gap != gaps.get(_together(key), gap) for key, gap in gaps.items())
    known = {key if apart else _together(key): gap for key, gap in gaps.items() if gap is not None}
    template = Template(known, forgets=_is_forgetful(known), even=_is_even(known), apart=apart)
    return _with_joint(_with_strips(template, render), render)


def holds(template: Template, render: Render) -> bool:
    """Whether `render` still gives what this template predicts for some conversations. True where it says nothing,
    because then nothing else is known.
    """
    trials = [*_trials(), *([_probe("ssu")] if template.joint is not None else [])]
    rendered = _side_by_side(render, trials)
    return None in rendered or all(
        _text(template, trial) == text for trial, text in zip(trials, rendered, strict=True)
    )


def _trials() -> list[list[Message]]:
    return [[_padded(message) for message in _probe(shape)] for shape in ("suAuau", "uau")]


def _side_by_side(render: Render, probes: Sequence[Sequence[Message]]) -> list[str | None]:
    """All of them rendered, ABREAST at a time, because each answer from a distant server takes a while."""
    left = iter(enumerate(probes))
    rendered: list[str | None] = [None] * len(probes)
    failures: list[BaseException] = []
    lock = threading.Lock()

    def work() -> None:
        while not failures:
            with lock:
                at, probe = next(left, (-1, ()))
            if at < 0:
                return
            try:
                rendered[at] = render(probe)
            except BaseException as error:  # raised below
                failures.append(error)

    threads = [threading.Thread(target=work, name="chatcli-probe", daemon=True) for _ in range(ABREAST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return rendered


def _is_forgetful(gaps: Mapping[str, str]) -> bool:
    inside = [key for key in gaps if "+" in key and key[-1] != "$"]
    return all(gaps[key] == gaps.get(key.replace("+", "")) for key in inside)


def _is_even(gaps: Mapping[str, str]) -> bool:
    """Whether empty messages are written like any other: each gap with empty messages is the gaps between all,
    joined.
    """
    return all(gaps[key] == _joined(gaps, key.split()) for key in gaps if "?" in key)


def _joined(gaps: Mapping[str, str], key: Sequence[str]) -> str | None:
    found = [gaps.get(" ".join(step)) for step in steps_of(key)]
    return None if None in found else "".join(gap for gap in found if gap is not None)


def _together(key: str) -> str:
    """The same gap in a history that begins with a question."""
    return key[0] + key[1:].removeprefix("a")


def _with_strips(template: Template, render: Render) -> Template | None:
    """The template checked with conversations it was not learnt from: texts with blanks around them, and with
    markup.
    """
    trials = _trials()
    rendered = [render(trial) for trial in trials]
    for system, user, assistant in product(STRIPS, repeat=3):
        made = replace(template, strips={"system": system, "user": user, "assistant": assistant})
        if all(_text(made, trial) == text for trial, text in zip(trials, rendered, strict=True)):
            return made
    return None


def _with_joint(template: Template | None, render: Render) -> Template | None:
    if template is None:
        return None
    messages = _probe("ssu")
    rendered = render(messages) or ""
    first, second = messages[0].text, messages[1].text
    between = re.search(f"{first}(.*?){second}", rendered, re.DOTALL)
    made = replace(template, joint=between[1] if between else None)
    return made if _text(made, messages) == rendered else template


def _read(messages: Sequence[Message], rendered: str) -> Iterator[tuple[list[str], str]]:
    """The gaps of a rendered probe; those after a text that is not in its expected place are skipped."""
    found = _SENTINEL.split(rendered)
    literals, slots = found[::3], list(zip(map(int, found[1::3]), found[2::3], strict=True))
    at, lead = 0, leading(messages)
    for kinds, message in gaps_of(messages, [message.text for message in messages], lead):
        gap = literals[at]
        while at < len(slots) and slots[at] != (message, "c"):
            thinks = message if message is not None else len(messages) - 1
            shown = {(0, "c"): SYSTEM if lead else "", (thinks, "t"): THINKING}.get(slots[at])
            if not shown:
                return
            at += 1
            gap += shown + literals[at]
        if (at == len(slots)) != (message is None):
            return
        at += 1
        yield kinds, gap


def _probe(shape: str) -> list[Message]:
    roles = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT, "e": Role.ASSISTANT}
    return [
        Message(
            roles[letter.lower()],
            "" if letter in "UeE" else f"qz{at}czq",
            thinking=f"qz{at}tzq" if letter in "AE" else "",
        )
        for at, letter in enumerate(shape)
    ]


def _padded(message: Message) -> Message:
    return replace(
        message, text=f"{_BLANK}{message.text} <b>&amp; \"{{{{ x }}}}\" 'ü'\n\n# {message.text}{_BLANK[::-1]}"
    )


def _text(template: Template, messages: Sequence[Message]) -> str:
    return "".join(piece.text for piece in template.write(messages)[0])
