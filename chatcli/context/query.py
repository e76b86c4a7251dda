"""What a question is about: the words to look for, the dates it names, and whether it asks for something past."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from chatcli.context.stopwords import stopwords
from chatcli.conversation.message import Role

# Of a long question (a pasted file, say) that many terms are looked for; more would find everything.
MOST = 32

# Words of that many letters are also looked for by their beginning, so that "photographer" finds "photos": the
# index knows English endings only.
STEM = 5

_WORD = re.compile(r"[^\W_]+(?:[.\-/_][^\W_]+)*")
# Scripts written without spaces: the same that the index takes apart (store/passages.py).
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)

_ASKS = re.compile(
    r"[?？؟]|谁|什么|什麼|何|誰|いつ|どこ|누구|언제|어디|^\W*(?:what|when|where|which|who|whom|whose|why|how|did|do|does|was|were|is|are|wer|wie|was|wann|wo|"
    r"warum|welche\w*|qui|que|quoi|quand|où|pourquoi|comment|quel\w*|qué|quién|cuándo|dónde|cómo|cuál|chi|che|cosa|"
    r"dove|perché|come|quem|quando|onde|qual|кто|что|когда|где|почему|как|какой)\b",
    re.IGNORECASE,
)
_LOOKS_BACK = re.compile(
    r"\b(?:remember|recall|remind|earlier|previously|before|last time|you said|i said|i told|we (?:said|discussed|"
    r"talked|agreed|decided)|mentioned|"
    r"erinner\w*|vorhin|früher|sagtest|gesagt|rappel\w*|souvien\w*|tantôt|plus tôt|"
    r"avant|recuerd\w*|antes|dijiste|ricord\w*|prima|lembr\w*|disseste|помни\w*|раньше|говорил\w*)\b"
    r"|之前|以前|记得|覚えて|前に|기억",
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
    """`words`: what to look for; each with its beginning, or "". `about`: whose words it
    asks for, where that is told: the user's ("what did I say") or the assistant's ("did you").
    """

    words: tuple[tuple[str, str], ...]
    asks: bool
    looks_back: bool
    about: Role | None = None

    @property
    def sought(self) -> tuple[str, ...]:
        """Words and beginnings as the search takes them: a * ends a beginning."""
        return tuple(dict.fromkeys(each for pair in self.words for each in pair if each))

    def __bool__(self) -> bool:
        return bool(self.words)


def terms(question: str) -> Terms:
    """The content words of a question. None survive in "and what was it then?"."""
    words = islice(dict.fromkeys(words_of(question)), MOST)
    pairs = tuple((word, beginning(word)) for word in words)
    return Terms(pairs, bool(_ASKS.search(question)), bool(_LOOKS_BACK.search(question)), _about(question))


def _about(question: str) -> Role | None:
    mine, yours = bool(_MINE.search(question)), bool(_YOURS.search(question))
    if mine == yours:
        return None
    return Role.USER if mine else Role.ASSISTANT


def beginning(word: str) -> str:
    """The beginning that words akin to it share, with a * behind it; "" for a word too short to have one."""
    return f"{word[:STEM]}*" if len(word) >= STEM and word.isalpha() and not _UNSPACED.match(word) else ""


def words_of(text: str) -> Iterator[str]:
    """The words of a text that say something, as often as they occur; of scripts without spaces, the pairs of
    neighbouring characters.
    """
    words = [
        part
        for found in _WORD.finditer(unicodedata.normalize("NFKC", text).casefold())
        for run in re.split(r"[.\-/_]", found[0])
        for part in _parts(run)
    ]
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
