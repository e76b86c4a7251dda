"""Recall: earlier passages that fit the question, ranked and quoted. Pure: candidates come in as values.

A passage's weight is the weight of the question's words in it (rarer words weigh more), plus how near it is in
meaning where vectors are known, plus part of the weight of its neighbors in the same sitting (an answer follows
the question that has its words) and of the best passages of its sitting. Measured on LoCoMo conversations at 3,072
tokens: the prompt contains the evidence for 83 % of the questions, with vectors 85 %; with the newest messages
alone, 12 %.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from math import log, sqrt

from chatcli.context.query import Dates, Terms, month_name
from chatcli.conversation.clock import local_time
from chatcli.conversation.retrieval import Candidate, Retrieved, rarity

BEFORE = (0.4, 0.2)  # of a passage's weight, added to those one and two places before it
AFTER = (0.6, 0.3)
SITTING = 0.4  # of the mean of a sitting's BEST passages, added to all in it
BEST = 3
AGAIN = 0.98  # factor for each further passage of a sitting
BEGINNING = 0.6  # a stem weighs this share of its word
MEANING = 0.4  # of the heaviest words' weight, added to the passage that is nearest in meaning
STOP = 0.2  # passages below this share of the best one are no longer quoted
WHOSE = 0.2  # the words of the one the question is about weigh so much more, those of others less
PAUSE = timedelta(minutes=45)  # a longer silence ends a sitting

# Recall quotes only if one passage has this share of the question's weight.
COVERED = 0.2
COVERED_UNASKED = 0.6


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's rank; the best comes first. `score` is comparable within one ranking only."""

    candidate: Candidate
    score: float


def rank(found: Retrieved, terms: Terms, dates: Dates = Dates()) -> list[Ranked]:  # noqa: B008 - frozen
    """The candidates, best first, down to STOP of the best score."""
    line = sorted(found.candidates, key=lambda each: (each.conversation, each.number, each.passage))
    own = _with_meaning(line, _own_weights(line, found, terms), found)
    scores = [a + b for a, b in zip(_smoothed(line, own), _dated(line, dates), strict=True)]
    scores = [score * factor for score, factor in zip(scores, _by_speaker(line, terms), strict=True)]
    scores = _spread(line, scores)
    least = STOP * max(scores, default=0.0)
    order = sorted(range(len(line)), key=lambda place: (-scores[place], -line[place].number))
    return [Ranked(line[place], scores[place]) for place in order if scores[place] >= least and scores[place] > 0]


def fires(found: Retrieved, terms: Terms, always: bool = False) -> bool:
    """Whether the passages found are worth their tokens. Most messages are about what was just said."""
    if not terms or not found.candidates:
        return False
    if always or terms.looks_back:
        return True
    return covered(found, terms) >= (COVERED if terms.asks else COVERED_UNASKED) or _is_near(found)


def _is_near(found: Retrieved) -> bool:
    """Whether the nearest passage is nearer than chance explains. The limit, in standard deviations, is about the
    greatest of n normal deviates.
    """
    return max(found.near.values(), default=0.0) > sqrt(2 * log(max(2, found.passages)))


def covered(found: Retrieved, terms: Terms) -> float:
    """How much of the question's weight its best passage has, from 0 to 1."""
    full = sum(found.weight(word) for word, _ in terms.words)
    most = max((_held(each.terms, terms, found) for each in found.candidates), default=0.0)
    return most / full if full else 0.0


def _own_weights(line: Sequence[Candidate], found: Retrieved, terms: Terms) -> list[float]:
    """BM25 with every term counted once: passages are short, and a repeated word makes no better answer."""
    usual = sum(len(each.text) for each in line) / len(line) if line else 1.0
    return [_held(each.terms, terms, found) * 2.2 / (1 + 0.6 * (1 + len(each.text) / usual)) for each in line]


def _with_meaning(line: Sequence[Candidate], own: list[float], found: Retrieved) -> list[float]:
    """Each weight plus what nearness in meaning adds. A passage without a vector counts as being as near as its
    words suggest.
    """
    nearest = max(found.near.values(), default=0.0)
    if nearest <= 0:
        return own
    heaviest = max(own, default=0.0) or 1.0
    near = [found.near.get((each.node, each.passage)) for each in line]
    return [
        weight + MEANING * (weight if value is None else heaviest * max(0.0, value) / nearest)
        for weight, value in zip(own, near, strict=True)
    ]


def _held(held: frozenset[str], terms: Terms, found: Retrieved) -> float:
    total = 0.0
    for word, beginning in terms.words if held else ():
        if word in held:
            total += found.weight(word)
        elif beginning in held:
            total += BEGINNING * found.weight(beginning)
    return total


def _smoothed(line: Sequence[Candidate], own: Sequence[float]) -> list[float]:
    scores = list(own)
    for _, group in groupby(range(len(line)), key=_sittings(line).__getitem__):
        places = list(group)
        for place in places:
            for way, shares in ((1, AFTER), (-1, BEFORE)):
                for step, share in enumerate(shares, start=1):
                    other = place + way * step
                    if not (places[0] <= other <= places[-1]) or not _touch(line, other, other - way):
                        break
                    scores[other] += share * own[place]
        best = sum(sorted((own[place] for place in places), reverse=True)[:BEST]) / BEST
        for place in places:
            scores[place] += SITTING * best
    return scores


def _spread(line: Sequence[Candidate], scores: list[float]) -> list[float]:
    """The scores, each reduced a little when its sitting has better passages: what a question needs may be spread
    over several sittings.
    """
    sittings, before = _sittings(line), Counter[int]()
    spread = list(scores)
    for place in sorted(range(len(line)), key=lambda place: (-scores[place], -place)):
        spread[place] *= AGAIN ** before[sittings[place]]
        before[sittings[place]] += 1
    return spread


def _sittings(line: Sequence[Candidate]) -> list[int]:
    """For each candidate the number of its sitting. Where few were found, a sitting may be split."""
    numbers = [0] * len(line)
    for place in range(1, len(line)):
        before, here = line[place - 1], line[place]
        ends = here.conversation != before.conversation or here.created - before.created > PAUSE
        numbers[place] = numbers[place - 1] + ends
    return numbers


def _touch(line: Sequence[Candidate], one: int, other: int) -> bool:
    """Whether two neighbors among the candidates are also neighbors in the conversation."""
    before, after = line[min(one, other)], line[max(one, other)]
    if before.number == after.number:
        return after.passage == before.passage + 1
    return after.number == before.number + 1 and after.passage == 0


def _dated(line: Sequence[Candidate], dates: Dates) -> list[float]:
    """For each candidate, what it gains from a time that the question names: the rarer that time, the more."""
    if not dates:
        return [0.0] * len(line)
    fits = [dates.fitting(local_time(each.created)) for each in line]
    gains = {}
    for name in ("year", "month", "day"):
        gains[name] = rarity(sum(name in fit for fit in fits), len(line))
    return [sum(gains[name] for name in fit) for fit in fits]


def _by_speaker(line: Sequence[Candidate], terms: Terms) -> list[float]:
    """A higher weight for the words of the one the question is about, a lower one for those of others. That is the
    user or the assistant, or, in a text that names its speakers ("Anna: ..."), the speaker that is named.
    """
    words = {word for word, _ in terms.words}
    speakers = [_label(each) for each in line]
    named = {speaker for speaker in speakers if speaker & words}
    if len(named) == 1:
        (one,) = named
        return [1 + WHOSE if speaker == one else 1 - WHOSE if speaker else 1.0 for speaker in speakers]
    if terms.about is not None and not named:
        return [1 + WHOSE if each.role is terms.about else 1 - WHOSE for each in line]
    return [1.0] * len(line)


def _label(candidate: Candidate) -> frozenset[str]:
    """The words before a colon at the very beginning."""
    found = _LABEL.match(candidate.text) if candidate.passage == 0 else None
    return frozenset(found[1].casefold().split()) if found else frozenset()


_LABEL = re.compile(r"((?:[^\W\d_][\w.'-]*)(?: [^\W\d_][\w.'-]*){0,2}): ")


def choose(
    ranking: Iterable[Ranked], room: int, cost: Callable[[str], int], may: Callable[[Candidate], bool]
) -> list[Candidate]:
    """The best candidates that fit into `room` tokens as quotes, in the order in which they were said. `may` says
    which may be quoted.
    """
    chosen: list[Candidate] = []
    days: set[str] = set()
    used = cost(HEADING) + 2
    least = 4
    for each in ranking:
        candidate = each.candidate
        if room - used < least:
            break
        if not may(candidate):
            continue
        day = _day(candidate)
        needed = cost(_line(candidate)) + 1 + (0 if day in days else cost(day) + 1)
        if used + needed <= room:
            chosen.append(candidate)
            days.add(day)
            used += needed
    return sorted(chosen, key=lambda one: (one.created, one.conversation, one.number, one.passage))


HEADING = "Earlier in this conversation (may be relevant):"
_OTHERS = "Said in other conversations (may be relevant):"
_ELSEWHERE = "in another conversation, "


def quote(chosen: Sequence[Candidate], here: int | None = None) -> str:
    """The block put before the question. `here`: the conversation whose quotes are not marked as coming from
    another.
    """
    if not chosen:
        return ""
    lines = [HEADING if here is None or any(each.conversation == here for each in chosen) else _OTHERS]
    for day, of_day in groupby(chosen, key=lambda each: (_day(each), here is None or each.conversation == here)):
        lines.append(day[0] if day[1] else _ELSEWHERE + day[0])
        for _, of_message in groupby(of_day, key=lambda each: each.node):
            lines.append(_said(list(of_message)))
    return "\n".join(lines)


def messages_quoted(chosen: Collection[Candidate], terms: Terms, found: Retrieved) -> dict[int, str]:
    """For each quoted message, by number, why it is quoted: the words it shares with the question, or that it is
    near in meaning (nearer than five of six passages).
    """
    shared: dict[int, set[str]] = {}
    near: set[int] = set()
    for each in chosen:
        held = {word for word, beginning in terms.words if word in each.terms or beginning in each.terms}
        shared.setdefault(each.number, set()).update(held)
        if found.near.get((each.node, each.passage), 0.0) >= 1:
            near.add(each.number)
    return {number: _why(held, number in near) for number, held in shared.items()}


def _why(shared: set[str], near: bool) -> str:
    if not shared:
        return "quoted as near in meaning" if near else "quoted beside what fits the question"
    return f"quoted for {', '.join(sorted(shared))}" + (", and near in meaning" if near else "")


def _said(passages: Sequence[Candidate]) -> str:
    """What was quoted of one message, unchanged; with a mark where text between is left out."""
    text = passages[0].text
    for before, here in pairwise(passages):
        text += here.text if here.passage == before.passage + 1 else f" [...] {here.text}"
    return f"{passages[0].said_by}: {text.strip()}"


def _line(candidate: Candidate) -> str:
    return f"{candidate.said_by}: {candidate.text.strip()}"


def _day(candidate: Candidate) -> str:
    day = local_time(candidate.created)
    return f"{day.day} {month_name(day.month)} {day.year}"
