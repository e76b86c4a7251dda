"""What a question is about: the words to search for, the dates it names, and whether it asks about the past. Also
holds the stop words of seven languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice

from chatcli.conversation.message import Role
from chatcli.dataclass import dataclass
from chatcli.text import UNSPACED

# Of a long question (a pasted file, say) only so many terms are searched for; more would find everything.
MOST = 32

# Words with that many letters are also searched for by their stem, so that "photographer" finds "photos": the
# index knows English endings only.
STEM = 5

_WORD = re.compile(r"[^\W_]+(?:[.\-/_][^\W_]+)*")
_UNSPACED = re.compile(f"{UNSPACED}+")

_ASKS = re.compile(
    r"[?？؟]|^\W*(?:remind|erinnere|rappelle|recuérda\w*|ricorda\w*|lembra\w*|напомни)\b|谁|什么|什麼|何|誰|いつ|どこ|누구|언제|어디|^\W*(?:what|when|where|which|who|whom|whose|why|how|did|do|does|was|were|is|are|wer|wie|was|wann|wo|"
    r"warum|welche\w*|qui|que|quoi|quand|où|pourquoi|comment|quel\w*|qué|quién|cuándo|dónde|cómo|cuál|chi|che|cosa|"
    r"dove|perché|come|quem|quando|onde|qual|кто|что|когда|где|почему|как|какой)\b",
    re.IGNORECASE,
)
_LOOKS_BACK = re.compile(
    r"\b(?:remember|recall|remind|earlier|previously|before|last time|you said|i said|i told|we (?:said|discussed|"
    r"talked|agreed|decided)|mentioned|forgot|forgotten|did we|"
    r"(?:did|had|have) (?:you|i) (?:\w+ )?(?:say|said|tell|told|mention|suggest\w*|recommend\w*|advise\w*|"
    r"propose\w*|call|called|name|named|decide\w*|choose|chosen|write|written)|"
    r"vergessen|(?:hast|hatte|habe|haben|hattest) (?:du|ich|wir|sie) (?:\w+ ){0,6}(?:gesagt|genannt|erwähnt|"
    r"erzählt|vorgeschlagen|empfohlen|entschieden)|"
    r"erinner\w*|vorhin|früher|sagtest|gesagt|rappel\w*|souvien\w*|tantôt|plus tôt|"
    r"avant|recuerd\w*|antes|dijiste|ricord\w*|prima|lembr\w*|disseste|помни\w*|раньше|говорил\w*)\b"
    r"|之前|以前|记得|覚えて|前に|기억",
    re.IGNORECASE,
)

# A statement beside the question: the end of a sentence that is none, or a line of its own.
_STATES = re.compile(r"!\s|\w{4}\.\s|[。！]|\n|[?？؟]\s*[^?？؟\s][^?？؟]*$")
# The past tense, as far as a word alone shows it.
_PAST = re.compile(
    r"\b(?:did|was|were|wasn|weren|didn|had|ago|last|yesterday|went|got|gave|took|bought|saw|wrote|"
    r"(?:has|have)(?= .*\w(?:ed|en|wn|ght|ade|one|ead|old|een)\b)|"
    r"war|waren|warst|hat|hatte\w*|hast|habe|habt|wurde\w*|gestern|letzte\w*|"
    r"était|étaient|avait|avais|hier|fue|fueron|había|estaba|ayer|aveva|erano|ieri|foi|foram|tinha|ontem|"
    r"был|была|было|были|вчера)\b|了|た[。？?]?$",
    re.IGNORECASE,
)
# A question that the model is to answer from what it knows.
_SEEKS_ADVICE = re.compile(
    r"\b(?:(?:do|does|can|could|should|would|must|may|shall) (?:i|we|one)|how to|is there|are there|"
    r"(?:kann|können|könnte|soll|sollte|muss|darf) (?:ich|man|wir)|gibt es|"
    r"comment (?:faire|puis-je|peut-on)|y a-t-il|cómo (?:puedo|se puede)|hay alg\w+|come (?:posso|si può)|"
    r"como (?:posso|se pode)|как (?:мне|можно))\b",
    re.IGNORECASE,
)
# Who said what is asked for, where the question speaks of saying: "what did you tell me" is about the assistant.
_SAID_BY = re.compile(
    r"\b(?:(you)|i)\b(?: \w+)? (?:say|said|tell|told|mention\w*|suggest\w*|recommend\w*|"
    r"advise\w*|propose\w*|ask\w*)\b|"
    r"\b(?:(hast du|hattest du|haben sie)|habe ich|hatte ich)\b(?: \w+){0,6}? (?:gesagt|erzählt|erwähnt|genannt|"
    r"vorgeschlagen|empfohlen|gefragt)\b",
    re.IGNORECASE,
)

_MINE = re.compile(
    r"\b(?:i|my|mine|ich|mein\w*|je|mon|mes|moi|yo|mi|mis|io|mio|mia|eu|meu|minha|я|мой|моя)\b|我|私",
    re.IGNORECASE,
)
_YOURS = re.compile(
    r"\b(?:you|yours?|du|dein\w*|vous|votre|vos|tú|tus|usted|você|ты|твой|вы|ваш)\b|你|您", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Terms:
    """`words`: what to search for; each with its stem, or "". `looks_back`: whether it speaks of what was said.
    `about`: whose words the question asks for, where it says so: the user's ("what did I say") or the assistant's
    ("did you"). `asks_only`: a bare question, not put to the model as "can you" and "how do I" are; `past`:
    in the past tense.
    """

    words: tuple[tuple[str, str], ...]
    asks: bool
    looks_back: bool
    about: Role | None = None
    asks_only: bool = False
    past: bool = False

    @property
    def sought(self) -> tuple[str, ...]:
        """Words and stems in the form the search takes: a stem ends in *."""
        return tuple(dict.fromkeys(each for pair in self.words for each in pair if each))

    def within(self, text: str) -> frozenset[str]:
        """The words and stems that occur in the text."""
        words = set(words_of(text))
        words |= set(map(beginning, words))
        return frozenset(words.intersection(self.sought))

    def __bool__(self) -> bool:
        return bool(self.words)


def terms(question: str) -> Terms:
    """The content words of a question. "and what was it then?" has none."""
    words = islice(dict.fromkeys(words_of(question)), MOST)
    pairs = tuple((word, beginning(word)) for word in words)
    asks, plain = bool(_ASKS.search(question)), question.strip()
    return Terms(
        pairs,
        asks,
        bool(_LOOKS_BACK.search(question)),
        _about(question),
        asks and not any(each.search(plain) for each in (_STATES, _YOURS, _SEEKS_ADVICE)),
        bool(_PAST.search(plain)),
    )


def _about(question: str) -> Role | None:
    said = _SAID_BY.search(question)
    if said is not None:
        return Role.ASSISTANT if said[1] or said[2] else Role.USER
    mine, yours = bool(_MINE.search(question)), bool(_YOURS.search(question))
    if mine == yours:
        return None
    return Role.USER if mine else Role.ASSISTANT


def beginning(word: str) -> str:
    """The stem it shares with related words, followed by *; "" for a word too short to have one."""
    return f"{word[:STEM]}*" if len(word) >= STEM and word.isalpha() and not _UNSPACED.match(word) else ""


def words_of(text: str) -> Iterator[str]:
    """The content words of a text, each as often as it occurs; for scripts without spaces, the pairs of
    neighboring characters.
    """
    words: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word.isascii() and word.isalnum():  # as most are
            words.append(word)
        else:
            words.extend(part for run in re.split(r"[.\-/_]", word) for part in _parts(run))
    small = stopwords(words)
    for word in words:
        if word not in small and (len(word) > 1 or not word.isascii() or word.isdigit()):
            yield word


def _parts(word: str) -> Iterator[str]:
    at = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > at:
            yield word[at : run.start()]
        text = run[0]
        yield from (text[place : place + 2] for place in range(max(1, len(text) - 1)))
        at = run.end()
    if at < len(word):
        yield word[at:]


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


def month_name(number: int) -> str:
    """The English name of month `number` (from 1): calendar.month_name follows the locale of the process."""
    return _MONTHS[number - 1].split()[0].capitalize()


# Months that are also common words count only next to a number or a preposition.
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

# A moment and a later one, which is excluded.
Span = tuple[datetime, datetime]
YEARS = 5

_TOKEN = re.compile(r"\w+")
_ISO = re.compile(r"\b(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?\b")
_CJK = re.compile(r"(?:(\d{4})年)?(\d{1,2})月(?:(\d{1,2})日)?")
# Years in which something may have been said, or that a question may name: no calendar ends within a day of them.
_YEARS = frozenset(range(1900, 2200))
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")


@dataclass(frozen=True, slots=True)
class Dates:
    """The years, months and days of the month that were named."""

    years: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()

    def fitting(self, moment: datetime) -> frozenset[str]:
        """Which of them match the moment."""
        fits = {
            "year": moment.year in self.years,
            "month": moment.month in self.months,
            "day": moment.day in self.days,
        }
        return frozenset(name for name, fit in fits.items() if fit)

    def spans(self, now: datetime) -> list[Span]:
        """The times that are meant, the latest first: a month without a year is that month in any of the last
        YEARS.
        """
        years = sorted(self.years or range(now.year - YEARS + 1, now.year + 1), reverse=True)
        spans: list[Span] = []
        for year in years if self else ():
            for month in sorted(self.months, reverse=True):
                spans += self._days(year, month)
            if not self.months:
                spans.append((_begin(year, 1), _begin(year + 1, 1)))
        return [span for span in spans if span[0] <= now]

    def _days(self, year: int, month: int) -> Iterator[Span]:
        """The days named of that month; the whole month if none is named."""
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


_ENGLISH = """
a about above after again all also am an and any are as at be because been before being below between both but
by can cannot could did do does doing done down during each else few for from further get got had has have
having he her here hers herself him himself his how i if in into is it its itself just let like ll m may me
might mine more most much must my myself no nor not now of off oh ok okay on once only or other our ours
ourselves out over own please really same shall she should so some still such than that the their theirs them
themselves then there these they this those through to too under until up us ve very was we were what when
where whether which while who whom whose why will with would yes yet you your yours yourself yourselves tell
said say says mention mentioned forgot talk talked remember earlier re d s t don doesn didn isn aren wasn weren won
couldn shouldn wouldn hasn haven hadn thing things something anything
"""
_GERMAN = """
ab aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist da dabei
damit dann das dass dein deine deinem deinen deiner dem den denn der des dich die dies diese diesem diesen
dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure für gegen
habe haben hast hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins
ist ja jede jedem jeden jeder jedes jetzt kann kannst kein keine keinem keinen keiner können könnte machen mal
man manche mehr mein meine meinem meinen meiner mich mir mit muss nach nicht nichts noch nun nur ob oder ohne
schon sehr sein seine seinem seinen seiner selbst sich sie sind so soll sollte sondern sonst über um und uns
unser unsere unter viel vom von vor wann war waren warum was weil welche welchem welchen welcher welches wenn
wer werde werden weshalb wie wieder wieso will wir wird wirst wo wollen worden wurde wurden zu zum zur zwar
zwischen bitte gesagt sagen
"""
_FRENCH = """
ai aie alors après as au aucun aussi autre aux avant avec avez avoir avons bien c ça car ce ceci cela celle
celles celui ces cet cette ceux chaque chez ci comme comment d dans de depuis des dont du elle elles en encore
entre est et étaient était étant été être eu eux fait faire faut ici il ils j je jusque l la là le les leur
leurs lors lui m ma mais me même mes moi moins mon n ne ni non nos notre nous on ont ou où par parce pas
pendant peu peut peux plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses
si sien soi son sont sous sur t ta te tes toi ton tous tout toute toutes très tu un une vers voici voilà vos
votre vous y dit dire
"""
_SPANISH = """
a al algo algunos ante antes aquel aquella aquello aquí así aún aunque bien cada como cómo con contra cuál
cuales cuando cuándo cuanto de del desde donde dónde dos e el él ella ellas ello ellos en entre era eran eres
es esa esas ese eso esos esta está estaba están estar estas este esto estos estoy fue fueron fui ha había han
has hasta hay he la las le les lo los más me mi mí mis mucho muy nada ni no nos nosotros nuestra nuestro o os
otra otro para pero por porque pues que qué quien quién quienes se sea ser si sí sido sin sobre sois somos son
soy su sus suyo también tan tanto te tengo ti tiene todo todos tu tú tus un una uno unos usted ustedes
vosotros y ya yo dijo dime
"""
_ITALIAN = """
a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci cioè come con contro cosa cui da dagli
dai dal dalla dalle dallo degli dei del della delle dello dentro di dopo dove due e è ed era erano essere fa
fra fu gli già ha hai hanno ho i il in io l la le lei li lo loro lui ma me mi mia mie miei mio molto ne negli
nei nel nella nelle nello no noi non nostra nostro o ogni per perché più poi prima qual quale quali quando
quanto quella quelle quelli quello questa queste questi questo qui se sei senza si sì sia siamo siete solo
sono sta su sua sue sugli sui sul sulla suo suoi te ti tra tu tua tuo tutti tutto un una uno vi voi vostra
vostro detto
"""
_PORTUGUESE = """
a à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos e é ela elas ele
eles em entre era eram essa esse esta está estão estava este estou eu foi foram há isso isto já lhe lhes lo
mais mas me mesmo meu meus minha muito na não nas nem no nos nós nossa nosso num numa o onde os ou para pela
pelas pelo pelos per por porque qual quais quando quanto que quê quem se sem ser seu seus sua são só somos
também te tem têm tenho teu ti tinha tu tua tudo um uma umas uns você vocês vos disse
"""
_RUSSIAN = """
а без более больше бы был была были было быть в вам вас ведь весь во вот все всё всего всех вы где да даже для
до его ее её если есть еще ещё ж же за здесь и из или им их к как какая какие какой когда кого ко кто ли либо
лишь меня мне много может мой моя мы на над надо нам нас наш не него нее неё нет ни них но ну о об один он она
они оно от очень по под при про с сам свой себя сейчас со так также такой там твой те тебе тебя тем то тоже
только том тот ту ты у уже хотя чего чей чем что чтобы чья эта эти это этого этой этом этот я сказал говорил
"""

_LANGUAGES = tuple(
    frozenset(words.casefold().split())
    for words in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _RUSSIAN)
)


def stopwords(words: Collection[str]) -> frozenset[str]:
    """The stop words of the language that most of the words come from: "war" is a stop word in German, not in
    English. If two languages tie, those of both; English where hardly any word shows the language.
    """
    common = [sum(word in language for word in words) for language in _LANGUAGES]
    most = max(common)
    if most < 2:
        return _LANGUAGES[0]
    return frozenset().union(*(each for each, times in zip(_LANGUAGES, common, strict=True) if times == most))
