"""Specifics: the numbers, dates, times, quoted strings, code spans and addresses of texts, and which of them a
summary has lost.

Numbers are compared by what they say: 1,000 is 1000, 18:42 is 18.42, 6 pm is 18:00, May 7 is 7 May.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence, Set

from chatcli.dataclass import dataclass

READ = 200_000  # characters of what is summarized, the newest, that are read
LONGEST = 60  # characters of a quoted string or a code span
AROUND = 3  # words before a specific that may stand with it, up to one that says something

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_MONTH = f"(?:{'|'.join(f'{each[:3]}(?:{each[3:]})?' if each[3:] else each for each in _MONTHS)})"
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
# A word with digits: letters, digits, and what may join them. Each step takes a digit or what leads to one, so the
# text is read once.
_WORD = (
    r"(?<![A-Za-z\d])[$€£¥#]?(?:[A-Za-z]{1,12}[-_]?)?\d+(?:[.,:/'’_-][A-Za-z]{0,12}\d+|[A-Za-z]{1,12}\d+)*"
    r"(?:\s?[ap]\.?m\b\.?|[A-Za-z]{1,4}(?![A-Za-z])|\s?[%€£°])?"
)
_FOUND = re.compile(
    "|".join(
        (
            rf"`(?P<code>[^`\n]{{1,{LONGEST}}})`",
            rf"(?P<address>https?://[^\s<>\"'`)\]]{{1,{2 * LONGEST}}})",
            rf'"(?P<straight>[^"\n]{{2,{LONGEST}}})"|[“„](?P<curly>[^“”„\n]{{2,{LONGEST}}})[“”]',
            rf"«(?P<angled>[^«»\n]{{2,{LONGEST}}})»|「(?P<corner>[^「」\n]{{1,{LONGEST}}})」",
            rf"\b(?P<date>{_DAY}\.?\s(?:of\s)?{_MONTH}\b(?:,?\s\d{{4}}\b)?"
            rf"|{_MONTH}\.?\s(?:\d{{4}}\b|{_DAY}\b(?:,?\s\d{{4}}\b)?))",
            rf"(?P<word>{_WORD})",
        )
    )
)
_STRINGS = ("code", "address", "straight", "curly", "angled", "corner")
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\d+[.)](?=\s)", re.MULTILINE)
_BEFORE = re.compile(r"([\w'’-]{1,20})[ \t]+\Z")
_AFTER = re.compile(r"[ \t]+([\w'’-]{1,20})")


@dataclass(frozen=True, slots=True)
class Specific:
    """`text` stands at `start` to `end`. `forms`: the ways to say it, one of which a summary has that kept it.
    `weight`: how much it says by itself, 0 (a digit) to 2.
    """

    text: str
    start: int
    end: int
    forms: frozenset[str]
    weight: int
    is_string: bool = False


def specifics(text: str) -> Iterator[Specific]:
    """Those of the text in order. Code blocks and the numbers of a list are none."""
    text = _blanked(text)
    for found in _FOUND.finditer(text):
        kind = str(found.lastgroup)
        said = found[kind].strip()
        if not said or len(said) > 2 * LONGEST:
            continue
        if kind in _STRINGS:
            yield Specific(said, found.start(), found.end(), frozenset({_folded(said)}), 2, is_string=True)
        else:
            forms = _of_date(said) if kind == "date" else _of_word(said)
            digits = sum(map(str.isdigit, said))
            yield Specific(said, found.start(), found.end(), forms, min(2, 2 if kind == "date" else digits - 1))


def _blanked(text: str) -> str:
    """The text with blanks in the place of code blocks and of the numbers of lists."""
    for pattern in (_FENCED, _NUMBERED):
        text = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    return text


@dataclass(frozen=True, slots=True)
class Kept:
    """What a text has, to ask whether it has a specific of another."""

    text: str
    forms: Set[str]

    @classmethod
    def of(cls, text: str) -> Kept:
        forms = {
            form for each in specifics(text) if not each.is_string for form in (*each.forms, *_parts(each.text))
        }
        words = re.findall(r"[a-z]+", text.lower())
        forms |= {str(_SMALL.index(word)) for word in words if word in _SMALL}
        joined = re.findall(r"(\d[\d.,]*)\s([A-Za-z]{1,4})\b", text)
        forms |= {form for number, unit in joined for form in _of_word(number + unit)}
        return cls(_folded(text), forms)

    def has(self, one: Specific) -> bool:
        return (
            any(form in self.text for form in one.forms) if one.is_string else not one.forms.isdisjoint(self.forms)
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """Specifics that stand together, with the words around them. `at`: its place among all that were said."""

    text: str
    inside: tuple[Specific, ...]
    at: tuple[int, int]

    @property
    def weight(self) -> int:
        return max(each.weight for each in self.inside)


def lost(said: Sequence[str], summary: str) -> list[Passage]:
    """The passages of `said`, the oldest text first, whose specifics the summary does not have. The most specific
    comes first, and of those the newest. What is said again is in the newest passage only.
    """
    kept, passages, read = Kept.of(summary), list[Passage](), 0
    for number in range(len(said) - 1, -1, -1):
        text = said[number][: READ - read]
        read += len(text)
        gone = [each for each in specifics(text) if not kept.has(each)]
        passages += [
            Passage(words, inside, (number, inside[0].start)) for words, inside in _with_words(text, gone)
        ]
    chosen, known = list[Passage](), set[str]()
    for each in sorted(passages, key=lambda each: (each.weight, each.at), reverse=True):
        if any(one.forms.isdisjoint(known) for one in each.inside):
            chosen.append(each)
            known.update(form for one in each.inside for form in one.forms)
    return chosen


def listed(gone: Sequence[Passage], room: int, cost: Callable[[str], int]) -> tuple[str, ...]:
    """The first of the passages that fit into `room` tokens when they are listed, without the words around them
    where those do not fit; in the order they were said.
    """
    fitting = list[tuple[tuple[int, int], str]]()
    for each in gone:
        for text in (each.text, ", ".join(one.text for one in each.inside)):
            if room > 1 and (needed := cost(f"; {text}")) <= room:
                fitting.append((each.at, text))
                room -= needed
                break
    return tuple(text for _, text in sorted(fitting))


def _with_words(text: str, gone: Sequence[Specific]) -> Iterator[tuple[str, tuple[Specific, ...]]]:
    """Each specific with the words around it; those whose words touch are one passage."""
    start = end = 0
    inside: list[Specific] = []
    for each in gone:
        begin, stop = _widened(text, each)
        apart = begin > end + 1 or text[end:begin] not in {"", " "}
        if inside and (apart or stop - start > 2 * LONGEST):
            yield " ".join(text[start:end].split()), tuple(inside)
            inside = []
        if not inside:
            start = begin
        inside.append(each)
        end = stop
    if inside:
        yield " ".join(text[start:end].split()), tuple(inside)


def _widened(text: str, one: Specific) -> tuple[int, int]:
    """From the word before it that says something, to the word after it; never across punctuation."""
    start = one.start
    for _ in range(AROUND):
        before = _BEFORE.search(text, max(0, start - 24), start)
        if before is None:
            break
        start = before.start(1)
        if len(before[1]) > 3:
            break
    after = _AFTER.match(text, one.end, one.end + 24)
    return start, after.end(1) if after and (
        after.end(1) == len(text) or not text[after.end(1)].isalnum()
    ) else one.end


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _digits(text: str) -> str:
    """The text in small letters, with the digits of every script as ASCII."""
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text.lower())


def _of_date(said: str) -> frozenset[str]:
    """Month and day; with the year, where there is one."""
    month = next(each for each in _MONTHS if re.search(rf"\b{each[:3]}", said)).lower()
    numbers = [number.lstrip("0") for number in re.findall(r"\d+", _digits(said))]
    return frozenset({" ".join([month, *sorted(numbers, key=len)])})


def _of_word(said: str) -> frozenset[str]:
    """The number, in the ways it may be written; a word with other letters is itself."""
    text = re.sub(r"[$€£¥#%°\s]", "", _digits(said))
    half = re.search(r"([ap])\.?m\.?$", text)
    text = text[: half.start()] if half else re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", text)
    groups = re.split(r"[.,:/'’_-]", text)
    forms = {_joined(groups)}
    if len(groups) > 1 and re.fullmatch(r"\d{1,3}([.,'’]\d{3})+([.,]\d+)?", text):
        *whole, last = groups
        is_fraction = len(last) != 3 or len({*re.findall(r"\D", text)}) > 1
        forms.add(_joined(["".join(whole), last] if is_fraction else ["".join(groups)]))
    if half and groups[0].isdecimal() and 0 < int(groups[0][:3]) <= 12:
        hour = int(groups[0]) % 12 + (12 if half[1] == "p" else 0)
        forms = {_joined([str(hour), *groups[1:]])}
    return frozenset(forms)


def _joined(groups: Sequence[str]) -> str:
    """The groups of digits without zeros that say nothing: 09:30 is 9.30, 18:00 is 18, 7.50 is 7.5, 30.09.2026 is
    30.9.2026; but 7.05 is not 7.5, and 1.000 is not 1.
    """
    is_pair = len(groups) == 2
    short = [_without_zeros(each) if at == 0 or not is_pair else each for at, each in enumerate(groups)]
    if is_pair and len(groups[1]) < 3 and groups[1].isdecimal():
        last = groups[1].rstrip("0")
        return f"{short[0]}.{last}" if last else short[0]
    return ".".join(short)


def _without_zeros(digits: str) -> str:
    return digits.lstrip("0") or "0" if digits.isdecimal() else digits


def _parts(said: str) -> Iterator[str]:
    """What else a summary has that has `said`: the number of 5km, the day of a date with its year."""
    text = _digits(said)
    if re.fullmatch(r"\d[\d.,]*[a-z]{1,4}", text):
        yield from _of_word(re.sub(r"[a-z]+$", "", text))
    if dated := re.fullmatch(r"(.*\D)\s?,?\s\d{4}", said):
        yield from _of_date(dated[1]) if re.search(_MONTH, dated[1]) else ()
    if re.search(_MONTH, said):
        yield from (number.lstrip("0") for number in re.findall(r"\d+", text))
