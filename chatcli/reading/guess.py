"""Guesses the encoding of text from before UTF-8: the one in which its letters are usual ones of a language."""

from __future__ import annotations

import unicodedata

_GUESSED_BY = 4096  # bytes of the lines that are not ASCII
_CYRILLIC = "оеаинтсрвлкмдпуяьызійї"
_WEST = "äöüßéèêëàâçîïôûùœæåøñáíóúãõ¿¡"
_EAST = "ąćęłńóśźżáčďéěíňřšťúůýžöüőűäôľăâîșțşţđ"
_GREEK = "αοιετσνηυρπκμλςωάέίόήύώ"
_KANA = (
    "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FD))))
    + "。、「」日本人大年一中国会事者社上語文字"
)
_HAN = "的一是不在人有我他中大上到子和你地出道也年得就那要下以生自之可能用成方多天小心理本文字符公司分行"
_HAN += "，。、：；？！（）“”《》"
_SIMPLE = _HAN + "了这来国个说们为时会过对开学动实现发机电业务这样请问测试编码"
_FULL = _HAN + "了這來國個說們為時會過對開學動實現發機電業務樣請問測試編碼體檔案"
_HANGUL = "이다는을의가에하고지한로기도서를은사인어대리해자시그나보수일아정있것으들여니라게와전부면습과만장제공상"
_HANGUL += "구스동원요안녕세국글"
# Each encoding with the letters that its languages use most. Of two with the same result the first is taken.
_USUAL: dict[str, str] = {
    "cp1252": _WEST,
    "cp1251": _CYRILLIC,
    "koi8_r": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp1250": _EAST,
    "cp932": _KANA,
    "euc_jp": _KANA,
    "gb18030": _SIMPLE,
    "big5": _FULL,
    "cp949": _HANGUL,
    "cp1253": _GREEK,
    "cp1254": "çğıöşüİâî",
    "cp1255": "יולאהמרבנשתםקדפחעגטזסכצןףץך",
    "cp1256": "اليمنوترهبدعسفقكحجةشصطخىأئءغضذثزإآظؤ،؟پچژگ",
    "cp874": "านรอกเงมยลวดทสตะปบคหแจพชขใไ่้ัีิุู์ื็",
    "cp1257": "āčēģīķļņšūžąęėįųõäöü",
    "cp1258": "ăâêôơưđéèàáíóúùìạ\u0300\u0301\u0303\u0309\u0323₫",
    "iso8859_2": _EAST,
    "iso8859_5": _CYRILLIC,
    "iso8859_7": _GREEK,
    "cp866": _CYRILLIC,
    "cp850": _WEST,
    "mac_roman": _WEST,
    "utf_16_le": _KANA + _SIMPLE + _FULL + _HANGUL,  # without a mark, a space or a line's end
    "utf_16_be": _KANA + _SIMPLE + _FULL + _HANGUL,
}
_LATIN = frozenset({"cp1252", "cp1250", "cp1254", "cp1257", "cp1258", "iso8859_2", "cp850", "mac_roman"})
_SIGNS = frozenset("“”„‘’‚–—…•«»‹›€£§°©®™№\u00a0")


def likeliest(data: bytes) -> str:
    """The likeliest encoding, in which `data` can be decoded; "" when there is none."""
    sample = _sample(data)
    ranked = sorted(_USUAL, key=lambda encoding: -_score(sample, encoding))  # the sort is stable
    return next((encoding for encoding in ranked if _fits(data, encoding)), "")


def _sample(data: bytes) -> bytes:
    """The beginning of what is not ASCII: whole lines, as far as there are any."""
    found, size = [], 0
    for line in data.splitlines(keepends=True):
        if not line.isascii():
            found.append(line)
            size += len(line)
            if size > _GUESSED_BY:
                break
    return b"".join(found)[:_GUESSED_BY]


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _score(sample: bytes, encoding: str) -> float:
    """How usual its characters beyond ASCII are, each between -2 and 1, for a character on average."""
    text, usual = sample.decode(encoding, "replace"), frozenset(_USUAL[encoding])
    points, others, before = 0.0, 0, ""
    for char in text:
        if char > "\x7f":
            others += 1
            points += _points(char, usual)
            if char.isupper() and before.islower():  # a capital letter inside a word
                points -= 1
        if encoding not in _LATIN and char.isalpha() and before.isalpha() and char.isascii() != before.isascii():
            points -= 1  # two scripts in one word
        before = char
    if encoding in _LATIN and others > sum(char.isalpha() and char <= "\x7f" for char in text):
        points -= others
    return points / max(1, others)


def _points(char: str, usual: frozenset[str]) -> float:
    if char in usual:
        return 1
    if char.lower() in usual:
        return 0.8
    if char in _SIGNS:
        return 0.5
    kind = unicodedata.category(char)
    if kind[0] == "C" or char == "\ufffd":
        return -2
    return 0 if kind[0] in "LM" else -0.5
