"""Recall: earlier passages that fit the question, ranked and quoted. Pure: candidates come in as values.

A passage's weight is the weight of the question's words in it (rarer words weigh more) and, a little, that of the
clues, words of what a first round found. Part of the weight of its neighbors in the same sitting is added (an
answer follows the question that has its words), and of the best passages of its sitting; and, where vectors are
known, how near in meaning it is, smoothed in the same way. Measured on four LoCoMo conversations at 3,072 tokens,
the prompt contains all evidence for 87 % of the questions, with vectors for 89 %; with the newest messages alone
for 14 %.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from heapq import nlargest
from itertools import groupby, pairwise
from math import fsum, hypot, log, sqrt
from operator import attrgetter
from typing import NamedTuple

from chatcli.context.query import Dates, Terms, month_name, words_of
from chatcli.conversation.clock import local_time
from chatcli.conversation.retrieval import Candidate, Retrieved, rarity

BEFORE = (0.4, 0.2)  # of a passage's weight, added to those one and two places before it
AFTER = (0.6, 0.3)
SITTING = 0.4  # of the mean of a sitting's BEST passages, added to all in it
BEST = 3
AGAIN = 0.98  # factor for each further passage of a sitting
BEGINNING = 0.6  # a stem weighs this share of its word
CLUE = 0.1  # a word of the second round weighs this share of one of the question
LEADING = 12  # the best passages, whose words are the clues of the second round
MEANING = 0.5  # what nearness in meaning weighs beside words, when both have the same spread
WORDS_LEFT = 0.25  # of what words weigh, however far the meaning is: few nearnesses tell little of their spread
STOP = 0.05  # passages below this share of the best one are no longer quoted
WHOSE = 0.2  # the words of the one the question is about weigh so much more, those of others less
PAUSE = timedelta(minutes=45)  # a longer silence ends a sitting

# Recall quotes only if one passage has this share of the question's weight.
COVERED = 0.2
COVERED_BARE = 0.15  # for a bare question
COVERED_NOW = 0.4  # for one that is not in the past tense, to look back: most such are about what was just said
COVERED_UNASKED = 0.6


class Ranked(NamedTuple):
    """A candidate's rank; the best comes first. `score` is comparable within one ranking only."""

    candidate: Candidate
    score: float


def rank(found: Retrieved, terms: Terms, dates: Dates = Dates()) -> list[Ranked]:  # noqa: B008 - frozen
    """The candidates, best first, down to STOP of the best score."""
    line = sorted(found.candidates, key=attrgetter("conversation", "number", "passage"))
    sittings, own = _sittings(line), _own_weights(line, found, terms)
    scores = [a + b for a, b in zip(_smoothed(line, own, sittings), _dated(line, dates), strict=True)]
    scores = [score * factor for score, factor in zip(scores, _by_speaker(line, terms), strict=True)]
    scores = _spread(sittings, _with_meaning(line, scores, own, sittings, found))
    least = STOP * max(scores, default=0.0)
    ranking = [
        Ranked(each, score) for each, score in zip(line, scores, strict=True) if score >= least and score > 0
    ]
    return sorted(ranking, key=lambda each: (-each.score, -each.candidate.number))


def clues(found: Retrieved, terms: Terms, dates: Dates = Dates()) -> dict[str, int]:  # noqa: B008 - frozen
    """The words of the best passages that the question lacks, and in how many of these passages each occurs: what
    answers a question often shares no word with it, but some with what does. Meaning plays no part here.
    """
    asked = {word for word, _ in terms.words}
    stems = tuple(stem[:-1] for _, stem in terms.words if stem)
    times = Counter[str]()
    for each in rank(replace(found, near={}), terms, dates)[:LEADING]:
        # Each word once, in the order of the text: that of a set differs between two runs of Python.
        words = dict.fromkeys(words_of(each.candidate.text))
        times.update(word for word in words if len(word) > 1 and word not in asked)
    return {word: number for word, number in times.most_common() if not (stems and word.startswith(stems))}


def fires(found: Retrieved, terms: Terms, always: bool = False) -> bool:
    """Whether the passages found are worth their tokens. Most messages are about what was just said."""
    if not terms or not found.candidates:
        return False
    return may_fire(found, _sets(found), terms, always) or _is_near(found)


def may_fire(found: Retrieved, sets: Collection[frozenset[str]], terms: Terms, always: bool = False) -> bool:
    """The same for passages of which only their `sets` of terms are known, and not their meaning."""
    return always or terms.looks_back or _most_held(sets, terms, found) >= _least(terms)


def looks_back(found: Retrieved, terms: Terms, dates: Dates, sent: Iterable[str] = ()) -> bool:
    """Whether the question asks for what was said: it names a time, or something covers it and it speaks of what
    was said or is a bare question that no text of `sent` covers better. What is only spoken on about, or asked of
    the model ("can you"), does not.
    """
    if not terms.asks or not found.candidates:
        return False
    if dates:
        return True
    if terms.looks_back or not terms.asks_only:
        return terms.looks_back and (_covers(found, terms) or _is_near(found))
    held = covered(found, terms)
    if terms.past and _is_near(found):
        return True
    least = COVERED_BARE if terms.past else COVERED_NOW
    return held >= least and held >= _most_held(map(terms.within, sent), terms, found)


def _covers(found: Retrieved, terms: Terms) -> bool:
    return covered(found, terms) >= _least(terms)


def _least(terms: Terms) -> float:
    return COVERED_BARE if terms.asks_only else COVERED if terms.asks else COVERED_UNASKED


def _is_near(found: Retrieved) -> bool:
    """Whether the nearest passage is nearer than chance explains. The limit, in standard deviations, is about the
    greatest of n normal deviates.
    """
    return max(found.near.values(), default=0.0) > sqrt(2 * log(max(2, found.passages)))


def covered(found: Retrieved, terms: Terms) -> float:
    """How much of the question's weight its best passage has, from 0 to 1."""
    return _most_held(_sets(found), terms, found)


def _sets(found: Retrieved) -> set[frozenset[str]]:
    """The sets of terms that candidates have: few, where there are many candidates."""
    return {each.terms for each in found.candidates}


def _most_held(texts: Iterable[frozenset[str]], terms: Terms, found: Retrieved) -> float:
    """The greatest share of the question's weight that one text has, from 0 to 1; of each text the terms in it."""
    weigh = _weigher(found, terms)
    full = sum(found.weight(word) for word, _ in terms.words)
    return max(map(weigh, texts), default=0.0) / full if full else 0.0


def _own_weights(line: Sequence[Candidate], found: Retrieved, terms: Terms) -> list[float]:
    """BM25 with every term counted once: passages are short, and a repeated word makes no better answer."""
    usual = sum(len(each.text) for each in line) / len(line) if line else 1.0
    weigh, clue = _weigher(found, terms), {word: CLUE * found.weight(word) for word in found.clues}
    weights = {
        held: weigh(held) + fsum(clue[word] for word in held & found.clues)  # whatever their order
        for held in {each.terms for each in line}
    }
    return [
        weights[each.terms] * 2.2 / (1 + 0.6 * (1 + len(each.text) / usual)) if each.terms else 0.0
        for each in line
    ]


def _weigher(found: Retrieved, terms: Terms) -> Callable[[frozenset[str]], float]:
    """Gives what the question's words among a passage's terms weigh together, each as itself or by its stem."""
    weights = [
        (word, found.weight(word), stem, BEGINNING * found.weight(stem) if stem else 0.0)
        for word, stem in terms.words
    ]

    def weigh(held: frozenset[str]) -> float:
        return sum(full if word in held else part if stem in held else 0.0 for word, full, stem, part in weights)

    return weigh


def _with_meaning(
    line: Sequence[Candidate],
    scores: list[float],
    own: Sequence[float],
    sittings: Sequence[int],
    found: Retrieved,
) -> list[float]:
    """Each score plus what nearness in meaning adds: smoothed as words are, and brought to the same spread, each
    about its own zero (no word; as near as any passage). A passage without a vector counts as being as near as its
    words suggest.
    """
    nearest, heaviest = max(found.near.values(), default=0.0), max(own, default=0.0) or 1.0
    if nearest <= 0:
        return scores
    known = [found.near.get((each.node, each.passage)) for each in line]
    near = [
        nearest * weight / heaviest if value is None else value for weight, value in zip(own, known, strict=True)
    ]
    near = _neighborly(line, near, sittings)
    scale = MEANING * (hypot(*scores) or 1.0) / (hypot(*near) or 1.0)
    return [max(WORDS_LEFT * score, score + scale * value) for score, value in zip(scores, near, strict=True)]


def _smoothed(line: Sequence[Candidate], own: Sequence[float], sittings: Sequence[int]) -> list[float]:
    """Each weight plus shares of its neighbors', and of the best ones' of its sitting."""
    scores = _neighborly(line, own, sittings)
    for _, group in groupby(range(len(line)), key=sittings.__getitem__):
        places = list(group)
        best = sum(nlargest(BEST, (own[place] for place in places))) / BEST
        for place in places:
            scores[place] += SITTING * best
    return scores


def _neighborly(line: Sequence[Candidate], own: Sequence[float], sittings: Sequence[int]) -> list[float]:
    """Each value plus shares of those of its neighbors in the same sitting."""
    values = list(own)
    joined = [  # each with the next
        before == after and _touch(*both)
        for both, (before, after) in zip(pairwise(line), pairwise(sittings), strict=True)
    ]
    for place, value in enumerate(own):
        if not value:
            continue
        for other, share in enumerate(AFTER, start=place + 1):
            if other == len(line) or not joined[other - 1]:
                break
            values[other] += share * value
        for step, share in enumerate(BEFORE, start=1):
            other = place - step
            if other < 0 or not joined[other]:
                break
            values[other] += share * value
    return values


def _spread(sittings: Sequence[int], scores: list[float]) -> list[float]:
    """The scores, each reduced a little when its sitting has better passages: what a question needs may be spread
    over several sittings.
    """
    before, spread = Counter[int](), list(scores)
    for place in sorted(range(len(scores) - 1, -1, -1), key=scores.__getitem__, reverse=True):
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


def _touch(before: Candidate, after: Candidate) -> bool:
    """Whether two neighbors among the candidates are also neighbors in the conversation."""
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
    nobody = frozenset[str]()
    speakers = [_label(each) if ":" in each.text else nobody for each in line]
    named = {speaker for speaker in set(speakers) if speaker & words}
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
    """For each quoted message, by number, why it is quoted: the words it shares with the question, or with what
    has these; or that it is near in meaning (nearer than five of six passages).
    """
    shared: dict[int, set[str]] = {}
    clues: dict[int, set[str]] = {}
    near: set[int] = set()
    for each in chosen:
        held = {word for word, beginning in terms.words if word in each.terms or beginning in each.terms}
        shared.setdefault(each.number, set()).update(held)
        clues.setdefault(each.number, set()).update(each.terms & found.clues)
        if found.near.get((each.node, each.passage), 0.0) >= 1:
            near.add(each.number)
    return {number: _why(held, clues[number], number in near) for number, held in shared.items()}


def _why(shared: set[str], clues: set[str], near: bool) -> str:
    if shared:
        return f"quoted for {', '.join(sorted(shared))}" + (", and near in meaning" if near else "")
    if near:
        return "quoted as near in meaning"
    some = ", ".join(sorted(clues)[:3])
    return f"quoted for {some}, beside what fits the question" if some else "quoted beside what fits the question"


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
