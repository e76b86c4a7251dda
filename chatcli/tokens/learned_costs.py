"""Estimates of what a model's messages cost, learnt from the server's own counts (prompt_eval_count).

Every measured request is an anchor: what it cost beyond its known messages is charged to the new ones, and stays
their cost. Messages not measured yet are estimated by rates learnt from the same differences. counter.py sizes the
messages, and knows which model they are of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from math import ceil
from typing import Any, NamedTuple

from chatcli.dataclass import dataclass
from chatcli.reading.json_toml import read_json


class Script(NamedTuple):
    """`prior`: how many tokens a model may need for one of o200k_base, until that model has been measured.

    It is on the safe side: a small vocabulary needs 1.6 for English, and spells out scripts it hardly knows.
    """

    name: str
    prior: float
    characters: str  # the inside of a regular expression's class; "" for all that is in no other


SCRIPTS = (
    Script("greek and cyrillic", 2.0, r"\u0370-\u058f\u1f00-\u1fff"),
    Script("semitic", 2.5, r"\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe"),
    Script("indic", 3.0, r"\u0900-\u1cff"),
    Script("han", 2.0, r"\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"),
    Script("latin", 1.5, r"\u0000-\u024f\u1e00-\u1eff\u2000-\u206f"),
    Script("other", 2.5, ""),
)
LATIN = 4


def split(text: str) -> list[str]:
    """The text of each script, in the order of SCRIPTS; together they have all characters of `text`."""
    if text.isascii():
        return [text if place == LATIN else "" for place in range(len(SCRIPTS))]
    found = []
    for runs in _runs():
        found.append("".join(runs.findall(text)))
        text = runs.sub("", text) if found[-1] else text
    return [*found, text]


@cache
def _runs() -> list[re.Pattern[str]]:
    """Blanks between words of one script belong to it."""
    return [re.compile(rf"[{s.characters}]+(?: +[{s.characters}]+)*") for s in SCRIPTS if s.characters]


IMAGE = 768  # Ollama's own figure for a picture, until this model's is known
DECAY = 0.9


@dataclass(frozen=True, slots=True)
class Size:
    """One message in the bundled encoding: tokens of its text by script (see SCRIPTS), and images."""

    text: tuple[int, ...] = (0,) * len(SCRIPTS)
    images: int = 0


@dataclass(slots=True)
class Rate:
    """True tokens for each estimated one: a ratio of decayed sums that starts on the safe side.

    The prior stays in the sums with a small weight, so a little safety remains however much is learnt.
    """

    prior: float
    weight: float
    true: float = 0.0
    estimated: float = 0.0

    @property
    def value(self) -> float:
        return (self.prior * self.weight + self.true) / (self.weight + self.estimated)

    def learn(self, true: float, estimated: float) -> None:
        self.true = self.true * DECAY + true
        self.estimated = self.estimated * DECAY + estimated

    def dump(self) -> list[float]:
        return [round(self.true, 3), round(self.estimated, 3)]

    def restore(self, kept: Any) -> None:
        true, estimated = (float(value) for value in kept)
        if 0 <= true < 1e9 and 0 <= estimated < 1e9 and true <= 64 * estimated:
            self.true, self.estimated = true, estimated


class LearnedCosts:
    """Costs for one model. `cost`: what a message adds to a prompt; `fixed`: what a request costs besides."""

    def __init__(self) -> None:
        self._rates = tuple(Rate(script.prior, 40) for script in SCRIPTS)
        self._around = Rate(7, 3)  # what the template puts around one message
        self._images: list[int] = []
        self._costs: dict[Hashable, int] = {}
        self._start = 12
        self._drift = 0  # the last measured prompt less the costs of its messages: keeps the sum true
        self._raised = 0  # what a refused request was longer than planned, until one is measured again

    @property
    def fixed(self) -> int:
        return max(0, self._start + self._drift) + self._raised

    @property
    def image(self) -> int:
        return sorted(self._images)[len(self._images) // 2] if self._images else IMAGE

    def cost(self, key: Hashable, size: Size) -> int:
        """Tokens of the message known as `key`: as measured, else estimated on the safe side."""
        return self._costs[key] if key in self._costs else self.estimate(size)

    def knows(self, key: Hashable) -> bool:
        return key in self._costs

    def estimate(self, size: Size) -> int:
        return self.text(size) + ceil(self._around.value) + size.images * self.image

    def text(self, size: Size) -> int:
        """Tokens of the text alone, without what a template puts around it."""
        return ceil(sum(rate.value * units for rate, units in zip(self._rates, size.text, strict=True)))

    def charge(self, key: Hashable, tokens: int) -> None:
        """That message is known to cost `tokens`."""
        self._costs[key] = tokens

    def settle(self, messages: Sequence[tuple[Hashable, Size]], measured: int, *, teaches: bool = True) -> None:
        """A request of exactly these messages was measured: what is new in it is charged to the new messages.
        `teaches`: whether the rates learn from it, too; not where it has more in it than the messages.
        """
        self._raised = 0
        new = self._new(messages)
        rest = measured - self.fixed - self._known(messages)
        if not new:
            self._drift += rest
        elif rest > 0:
            if teaches:
                self._learn([size for _, size in new], rest)
            shares = _shares([self.estimate(size) for _, size in new], rest)
            self._costs.update((key, share) for (key, _), share in zip(new, shares, strict=True))

    def take_up(self, messages: Sequence[tuple[Hashable, Size]], measured: int) -> bool:
        """An earlier process had a request of exactly these messages measured: charge it to those not known here.
        The rates learn nothing from it, because they did so then. Returns whether a cost changed.
        """
        new = self._new(messages)
        rest = measured - self.fixed - self._known(messages)
        if not new or rest <= 0:
            return False
        shares = _shares([self.estimate(size) for _, size in new], rest)
        self._costs.update((key, share) for (key, _), share in zip(new, shares, strict=True))
        return True

    def raise_to(self, messages: Sequence[tuple[Hashable, Size]], tokens: int) -> None:
        """The request had at least `tokens`: no message is charged, because the true number is unknown; rates go
        up.
        """
        new = self._new(messages)
        if new:
            self._learn([size for _, size in new], max(1, tokens - self.fixed - self._known(messages)))
        planned = self.fixed + sum(self.cost(key, size) for key, size in messages)
        self._raised += max(0, tokens - planned)

    def relent(self) -> None:
        """Undo what refusals raised: it did not help."""
        self._raised = 0

    def _new(self, messages: Sequence[tuple[Hashable, Size]]) -> list[tuple[Hashable, Size]]:
        return [(key, size) for key, size in messages if key not in self._costs]

    def _known(self, messages: Sequence[tuple[Hashable, Size]]) -> int:
        return sum(self._costs.get(key, 0) for key, _ in messages)

    def _learn(self, new: Sequence[Size], rest: int) -> None:
        images = sum(size.images for size in new)
        text = Size(tuple(map(sum, zip(*(size.text for size in new), strict=True))))
        expected = self.text(text) + self._around.value * len(new)
        if images:  # the text's share is a guess here: it teaches nothing
            self._images = [*self._images, max(0, round((rest - expected) / images))][-9:]
            return
        # One request teaches only so much: a prompt of the template's own may hide in the first one.
        factor = min(max(rest / expected, 0.25), 4.0)
        for rate, units in zip((*self._rates, self._around), (*text.text, len(new)), strict=True):
            if units:
                rate.learn(factor * rate.value * units, units)

    def dump(self) -> bytes:
        """What is kept beyond the conversation, as JSON: rates and the cost of an image, no texts."""
        names = [script.name for script in SCRIPTS]
        rates = {name: rate.dump() for name, rate in zip(names, self._rates, strict=True)}
        kept = {"rates": rates, "around": self._around.dump(), "images": self._images}
        return json.dumps(kept).encode()

    def restore(self, kept_bytes: bytes) -> None:
        """Load what `dump` gave. Anything of another shape is ignored."""
        try:
            kept: Mapping[str, Any] = read_json(kept_bytes)
            for script, rate in zip(SCRIPTS, self._rates, strict=True):
                rate.restore(kept["rates"][script.name])
            self._around.restore(kept["around"])
            self._images = [int(tokens) for tokens in kept["images"] if 0 <= int(tokens) < 1_000_000][-9:]
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return


def _shares(weights: Sequence[int], total: int) -> list[int]:
    """`total` split in proportion to `weights`; the shares sum to it exactly."""
    whole, shares, given, so_far = max(1, sum(weights)), [], 0, 0
    for weight in weights:
        so_far += weight
        shares.append(total * so_far // whole - given)
        given += shares[-1]
    return shares
