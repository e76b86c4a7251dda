"""Dates that a question names, and how well a moment fits them: "in May", "on 8 May 2023", "2023-05-08"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = (
    "january januar janvier enero gennaio janeiro январь января январе",
    "february februar février febrero febbraio fevereiro февраль февраля феврале",
    "march märz mars marzo março март марта марте",
    "april avril abril aprile апрель апреля апреле",
    "may mai mayo maggio maio май мая мае",
    "june juni juin junio giugno junho июнь июня июне",
    "july juli juillet julio luglio julho июль июля июле",
    "august août agosto август августа августе",
    "september septembre septiembre settembre setembro сентябрь сентября сентябре",
    "october oktober octobre octubre ottobre outubro октябрь октября октябре",
    "november novembre noviembre novembro ноябрь ноября ноябре",
    "december dezember décembre diciembre dicembre dezembro декабрь декабря декабре",
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
_MONTH |= {name[:3]: number for name, number in _MONTH.items() if name.isascii() and number not in {3, 5}}
# Months that are also common words count when a number or a preposition stands beside them.
_DOUBTFUL = {
    "may",
    "march",
    "mars",
    "mai",
    "mar",
    "jan",
    "jun",
    "sep",
    "dec",
    "nov",
    "oct",
    "set",
    "ago",
    "dez",
    "out",
}
_BESIDE = {"in", "of", "since", "until", "during", "last", "by", "im", "seit", "en", "de", "di", "em", "a", "в"}

# A moment and a later one, which is no longer meant.
Span = tuple[datetime, datetime]
YEARS = 5

_TOKEN = re.compile(r"\w+")
_ISO = re.compile(r"\b(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?\b")
_CJK = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(?:(\d{1,2})日)?")
# Years in which something may have been said, or is named at least: no calendar ends within a day of them.
_YEARS = frozenset(range(1900, 2200))
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")


@dataclass(frozen=True, slots=True)
class Dates:
    """The years, months and days of the month that were named."""

    years: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()

    def fitting(self, moment: datetime) -> frozenset[str]:
        """Which of them the moment fits."""
        fits = {
            "year": moment.year in self.years,
            "month": moment.month in self.months,
            "day": moment.day in self.days,
        }
        return frozenset(name for name, fit in fits.items() if fit)

    def spans(self, now: datetime) -> list[Span]:
        """The times that are meant, the latest first: a month without a year is that of any of the last YEARS."""
        years = sorted(self.years or range(now.year - YEARS + 1, now.year + 1), reverse=True)
        spans: list[Span] = []
        for year in years if self else ():
            for month in sorted(self.months, reverse=True):
                spans += self._days(year, month)
            if not self.months:
                spans.append((_begin(year, 1), _begin(year + 1, 1)))
        return [span for span in spans if span[0] <= now]

    def _days(self, year: int, month: int) -> Iterator[Span]:
        """The days named of that month, else all of it."""
        end = _begin(year + month // 12, month % 12 + 1)
        whole = (_begin(year, month), end)
        days = [whole[0] + timedelta(days=day - 1) for day in sorted(self.days, reverse=True)]
        yield from ((day, day + timedelta(days=1)) for day in days if day < end)
        if not self.days:
            yield whole

    def __bool__(self) -> bool:
        return bool(self.years or self.months)


def dates(question: str) -> Dates:
    years = {int(found[0]) for found in _YEAR.finditer(question)}
    months: set[int] = set()
    days: set[int] = set()
    for year, month, day in (*_ISO.findall(question), *_CJK.findall(question)):
        years |= {int(year)} & _YEARS if year else set()
        months |= {int(month)} & set(range(1, 13))
        days |= {int(day)} & set(range(1, 32)) if day else set()
    words = _TOKEN.findall(question)
    for place, word in enumerate(words):
        month = _MONTH.get(word.casefold())
        around = [*words[max(0, place - 2) : place], *words[place + 1 : place + 2]]
        numbers = {int(found[0]) for each in around if (found := re.match(r"\d{1,2}(?=\D|$)", each))}
        if month and (word.casefold() not in _DOUBTFUL or numbers or _is_named(words, place)):
            months.add(month)
            days |= {number for number in numbers if 1 <= number <= 31}
    return Dates(frozenset(years), frozenset(months), frozenset(days))


def _begin(year: int, month: int) -> datetime:
    return datetime(year, month, 1).astimezone()


def _is_named(words: list[str], place: int) -> bool:
    before = words[place - 1].casefold() if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    return before in _BESIDE or bool(_YEAR.fullmatch(after))
