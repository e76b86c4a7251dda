"""Replies for measurements: Markdown generated from a seed, mostly prose or code, in pieces of a token's size."""

from __future__ import annotations

import random
import re
from itertools import cycle

_TOKEN = re.compile(r" ?\w{1,7}| ?[^\w\s]{1,2}|\n|\s+")
_SPEECH = """
    the a of to in and is that it for as with on this by from at or an be are which you can when if model window
    token context message server reply prompt history memory value function system number result because however
    therefore between another different important possible several language understanding configuration
"""
_WORDS = _SPEECH.split()
_NAMES = ["value", "count", "total", "index", "result", "items", "data", "name", "path", "size", "cache", "reader"]


def reply(kind: str, tokens: int, seed: int = 1) -> list[str]:
    """About `tokens` pieces of a reply. `kind`: prose or code."""
    chance = random.Random(f"{kind}{seed}")
    blocks = {
        "prose": [
            _heading,
            *[_paragraph] * 3,
            _list,
            *[_paragraph] * 2,
            _quote,
            _short_code,
            *[_paragraph] * 3,
            _table,
        ],
        "code": [_heading, _paragraph, _code, _list, _paragraph, _code, _table],
    }[kind]
    pieces: list[str] = []
    for block in cycle(blocks):  # in turn, so that the beginning of a reply is as rich as the whole
        pieces += cut(block(chance) + "\n\n")
        if len(pieces) >= tokens:
            break
    return pieces[:tokens]


def cut(text: str) -> list[str]:
    return _TOKEN.findall(text)


def code_lines(lines: int, seed: int = 1) -> str:
    chance = random.Random(seed)
    text = ""
    while text.count("\n") < lines:
        text += _function(chance)
    return "```python\n" + "\n".join(text.split("\n")[:lines]) + "\n```\n"


def _sentence(chance: random.Random, words: int) -> str:
    said = [chance.choice(_WORDS) for _ in range(words)]
    if chance.random() < 0.5:
        at = chance.randrange(len(said))
        mark = chance.choice(["**", "*", "`"])
        said[at] = f"{mark}{said[at]}{mark}"
    if chance.random() < 0.05:
        said.append("[the manual](https://example.org/manual)")
    return " ".join(said).capitalize() + "."


def _paragraph(chance: random.Random) -> str:
    return " ".join(_sentence(chance, chance.randint(6, 22)) for _ in range(chance.randint(2, 6)))


def _list(chance: random.Random) -> str:
    numbered = chance.random() < 0.5
    items = [_sentence(chance, chance.randint(4, 18)) for _ in range(chance.randint(4, 11))]
    return "\n".join(f"{f'{at}.' if numbered else '-'} {item}" for at, item in enumerate(items, 1))


def _heading(chance: random.Random) -> str:
    return f"{'#' * chance.randint(1, 3)} {_sentence(chance, 4)}"


def _quote(chance: random.Random) -> str:
    return "> " + _sentence(chance, 25)


def _table(chance: random.Random) -> str:
    rows = [" | ".join(chance.choice(_WORDS) for _ in range(4)) for _ in range(chance.randint(4, 12))]
    return "| one | two | three | four |\n|---|---|---|---|\n" + "\n".join(f"| {row} |" for row in rows)


def _short_code(chance: random.Random) -> str:
    name = chance.choice(_NAMES)
    return f'```bash\nfor {name} in *.txt; do\n    echo "${name}"  # {chance.choice(_WORDS)}\ndone\n```'


def _code(chance: random.Random) -> str:
    return "```python\n" + "".join(_function(chance) for _ in range(chance.randint(4, 6))) + "```"


def _function(chance: random.Random) -> str:
    name, other = chance.sample(_NAMES, 2)
    return (
        f"def read_{name}({other}: list[str], limit: int = {chance.randint(1, 99)}) -> dict[str, int]:\n"
        f'    """{_sentence(chance, 8)}"""\n'
        f"    {name} = {{}}\n"
        f"    for index, each in enumerate({other}):\n"
        f"        if index > limit:  # {chance.choice(_WORDS)}\n"
        f'            raise ValueError(f"too many: {{index}}")\n'
        f"        {name}[each.strip()] = len(each) * {chance.random():.2f}\n"
        f"    return {name}\n\n\n"
    )
