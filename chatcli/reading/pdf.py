"""PDF as text, page by page, by pypdf, which is imported when the first one is read.

Every page begins with the line "# Page N", so that passages are cut there and can name their page. What is
drawn over a page follows its text: the fields of forms with their values, and addresses of links that it does not
show.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from chatcli.errors import BadFile
from chatcli.hints import Do, Hint
from chatcli.reading.raw import LARGEST_TEXT, Extracted, Raw, Reading, left_out, too_much_text

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# A PDF may be arranged so that what can be read stays far below its size; a book has a few thousand pages.
_MOST_PAGES = 20_000
_MOST_DRAWN = 5_000  # fields, links and pictures of one page that are looked at
_DEEPEST = 20  # fields in fields
# Letters that are printed as one, as the letters they are; and signs that fonts keep in Unicode's private area:
# bullets, and tall brackets in pieces, of which the upper one stands for all.
_LETTERS = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_PIECES = dict(zip(range(0xF8E5, 0xF8FF), "√||®©™(  [  {    )  ]  }  ", strict=True))
_SIGNS = {code: sign.strip() for code, sign in _PIECES.items()}
_SIGNS |= {0xF0B7: "•", 0xF0A7: "▪", 0xF0D8: "➢", 0xF0FC: "✓", 0xF0E0: "→"}
# No sign at all: control characters, and what only one font knows how to draw.
_UNTOLD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\uf8ff\ufffd-\uffff\U000f0000-\U0010ffff]")
# The names of signs in TeX's fonts, without the sizes they come in, where Adobe's list has others.
_TEX: dict[str, str] = dict(re.findall(r"(\S+) (\S+)", """
    summation ∑ product ∏ coproduct ∐ integral ∫ contintegral ∮ union ⋃ intersection ⋂ logicaland ⋀ logicalor ⋁
    unionmulti ⊎ unionsq ⊔ intersectionsq ⊓ circleplus ⊕ circlemultiply ⊗ circledot ⊙ circleminus ⊖ circledivide ⊘
    radical √ parenleft ( parenright ) bracketleft [ bracketright ] braceleft { braceright } floorleft ⌊
    floorright ⌋ ceilingleft ⌈ ceilingright ⌉ angbracketleft ⟨ angbracketright ⟩ vextendsingle | vextenddouble ‖
    slash / backslash \\ hatwide ^ hatwider ^ hatwidest ^ tildewide ~ tildewider ~ tildewidest ~ lessequal ≤
    greaterequal ≥ precedesequal ⪯ followsequal ⪰ precedes ≺ follows ≻ lessmuch ≪ greatermuch ≫ similarequal ≃
    equivasymptotic ≍ reflexsubset ⊆ reflexsuperset ⊇ subsetsqequal ⊑ supersetsqequal ⊒ owner ∋ mapsto ↦
    negationslash \u0338 turnstileleft ⊢ turnstileright ⊣ latticetop ⊤ perpendicular ⊥ minusplus ∓ diamondmath ⋄
    bulletmath ∙ openbullet ◦ asteriskmath ∗ wreathproduct ≀ nabla ∇ triangleinv ▽ star ⋆ flat ♭ natural ♮ sharp ♯
    arrownortheast ↗ arrowsoutheast ↘ arrownorthwest ↖ arrowsouthwest ↙ arrowdblleft ⇐ arrowdblright ⇒
    arrowdblboth ⇔ arrowdblup ⇑ arrowdbldown ⇓ arrowbothv ↕ arrowdblbothv ⇕ arrowhookleft ↩ arrowhookright ↪
    harpoonleftup ↼ harpoonrightup ⇀ lscript ℓ weierstrass ℘ dotlessj ȷ Rfractur ℜ Ifractur ℑ epsilon1 ε theta1 ϑ
    pi1 ϖ rho1 ϱ sigma1 ς phi1 φ visiblespace ␣
"""))  # fmt: skip
_CODE = re.compile(r"/u(ni)?[0-9A-Fa-f]{4,6}")  # the sign's own number
_MOST_NAMES = 100_000  # of signs, in all that are read
_SIZE = re.compile("(text|display|big|Big|bigg|Bigg|tp)$")


def read_pdf(raw: Raw) -> Reading:
    """Its text. Raises BadFile when it is locked, damaged, or has only images, and when pypdf is not installed."""
    reader = _opened(raw)
    pages: list[str] = []
    lost: Counter[str] = Counter()
    pictures: set[int] = set()
    size = 0
    count = _count(reader, raw)
    for number in range(count):
        yield number, count
        try:
            text = _text(reader.pages[number], lost, pictures)
        except Exception:  # a page can raise anything; the others may be sound
            text = "(This page could not be read.)"
            lost["page| that cannot be read"] += 1
        size += len(text)
        if size > LARGEST_TEXT:
            raise too_much_text(raw.name)
        pages.append(text)
    yield count, count
    if lost["page| that cannot be read"] == count:
        raise _damaged(raw)
    if not any(pages):
        raise BadFile(
            f"{raw.name} has no text: its pages are pictures, as a scanner makes them.",
            Hint(
                "Have its text recognized first (ocrmypdf does that), or attach pictures of its pages with ",
                Do("image"),
                ".",
            ),
        )
    lost["picture|"] = len(pictures)
    text = "\n\n".join(f"# Page {number}\n\n{text}" for number, text in enumerate(pages, 1)) + "\n"
    return Extracted(text, left_out(raw.name, lost))


def _text(page: PageObject, lost: Counter[str], pictures: set[int]) -> str:
    """The page's text, and what is drawn over it. What has no text is counted in `lost` or added to `pictures`."""
    fonts, images = _resources(page)
    text = _signs(page.extract_text(), lost).strip()
    pictures |= images
    lost["font| that tells no letters"] += fonts
    lost["page| without text"] += bool(images) and not text
    over = _signs("\n".join(_drawn_over(page, text, lost)), lost)
    return f"{text}\n\n{over}" if text and over else text or over


def _signs(text: str, lost: Counter[str]) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00ad\n", "").translate(_LETTERS | _SIGNS)
    told, untold = _UNTOLD.subn("\ufffd", text)
    lost["sign| that no font explains (sent as \ufffd)"] += untold
    return told


def _drawn_over(page: PageObject, text: str, lost: Counter[str]) -> Iterator[str]:
    """Lines for the fields of forms, for notes printed on the page, and for addresses of links."""
    links: dict[str, None] = {}
    for each in (_of(page, "/Annots") or ())[:_MOST_DRAWN]:
        drawn = each.get_object()
        kind = _of(drawn, "/Subtype")
        if kind == "/Widget":
            yield from _field(drawn)
        elif kind == "/FreeText":
            yield _in_line(_of(drawn, "/Contents"))
        elif kind == "/Link" and isinstance(address := _of(_of(drawn, "/A"), "/URI"), str) and address not in text:
            links[address] = None
        elif kind not in {"/Link", "/Popup"} and _in_line(_of(drawn, "/Contents")):
            lost["comment|"] += 1
    if links:
        yield f"Links: {' '.join(links)}"


def _field(widget: Any) -> Iterator[str]:
    """The field with its value, if it has one: "Name: Ada", "[x] Member", "Color: red"."""
    flags, value, kind = (_inherited(widget, key) for key in ("/Ff", "/V", "/FT"))
    flags = flags if isinstance(flags, int) else 0
    name = _in_line(_inherited(widget, "/TU") or _inherited(widget, "/T"))
    if kind == "/Btn":
        state = _of(widget, "/AS") or value
        chosen = isinstance(state, str) and state != "/Off"
        if flags >> 15 & 1:  # one of several, of which one is chosen
            if chosen:
                yield f"{name}: {state.removeprefix('/')}"
        elif not flags >> 16 & 1:  # a button is nothing to read
            yield f"[{'x' if chosen else ' '}] {name}"
    elif not (kind == "/Tx" and flags >> 13 & 1):  # a password
        values = [_in_line(each) for each in (value if isinstance(value, list) else [value])]
        if any(values):
            yield f"{name}: {', '.join(values)}"


def _inherited(widget: Any, key: str) -> Any:
    for _ in range(_DEEPEST):
        if (found := _of(widget, key)) is not None:
            return found
        widget = _of(widget, "/Parent")
    return None


def _of(holder: Any, key: str) -> Any:
    """What a dictionary has under a key, wherever in the file that is; None where there is none."""
    return holder[key] if isinstance(holder, dict) and key in holder else None


def _in_line(value: Any) -> str:
    if hasattr(value, "get_data"):  # a long text is stored as a stream
        value = value.get_data()
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return " ".join(text.split()) if isinstance(text, str) else ""


def _resources(page: PageObject) -> tuple[int, set[int]]:
    """How many fonts number their signs and do not say which letters these are; and the pictures, by their numbers
    in the file. Names that say nothing are made known.
    """
    resources = _of(page, "/Resources")
    used = [each.get_object() for each in list((_of(resources, "/Font") or {}).values())[:_MOST_DRAWN]]
    for font in used:
        _glyphs().give_up(_of(_of(font, "/Encoding"), "/Differences") or ())
    fonts = sum(map(_tells_nothing, used))
    objects = list((_of(resources, "/XObject") or {}).values())[:_MOST_DRAWN]
    return fonts, {each.idnum for each in objects if _of(each.get_object(), "/Subtype") == "/Image"}


class _Glyphs(dict[str, str]):
    """Signs by their names in fonts: Adobe's list, TeX's names in any size, and names made of others: "/a.alt",
    "/f_i", "/Bullet".
    """

    def __missing__(self, name: str) -> str:
        base = name[1:].partition(".")[0]
        if sign := _TEX.get(_SIZE.sub("", base)):
            return sign
        parts = base.split("_")
        signs = [self.get(f"/{part}", self.get(f"/{part.lower()}")) for part in parts]
        if not all(signs):
            raise KeyError(name)
        return "".join(map(str, signs))

    def give_up(self, names: Any) -> None:
        """The names that say nothing would stand in the text themselves."""
        for name in names:
            if isinstance(name, str) and len(self) < _MOST_NAMES and not _CODE.fullmatch(name):
                try:
                    self[name]
                except KeyError:
                    self[name] = "\ufffd"


def _glyphs() -> _Glyphs:
    """pypdf's list of signs, as ours."""
    import pypdf._cmap

    reader: Any = pypdf._cmap
    if not isinstance(reader.adobe_glyphs, _Glyphs):
        reader.adobe_glyphs = _Glyphs(reader.adobe_glyphs)
    return cast("_Glyphs", reader.adobe_glyphs)


def _tells_nothing(font: Any) -> bool:
    return (
        _of(font, "/Subtype") == "/Type0"
        and "/ToUnicode" not in font
        and str(_of(font, "/Encoding")).startswith("/Identity")
        and any(
            "/FontFile2" in (_of(each.get_object(), "/FontDescriptor") or ()) for each in font["/DescendantFonts"]
        )
    )


def _opened(raw: Raw) -> PdfReader:
    try:
        from pypdf import PasswordType, PdfReader
        from pypdf.errors import DependencyError
    except ImportError:
        raise BadFile(
            f"{raw.name} is a PDF, and the library that reads those is not installed.",
            'Install it beside chatcli: pip install "pypdf>=6.10" (chatcli\'s extra [documents] has it).',
        ) from None
    _teach()
    try:
        reader = PdfReader(io.BytesIO(raw.data))
        # Many are encrypted with no password, only to forbid printing: those open.
        locked = reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED
    except DependencyError:
        locked = True
    except Exception as error:
        raise _damaged(raw) from error
    if locked:
        raise BadFile(f"{raw.name} is encrypted.", "Save a copy without a password, and attach that.")
    return reader


def _teach() -> None:
    """Have the libraries say nothing on the screen, and know more signs."""
    for library in ("pypdf", "fontTools"):
        if not (logger := logging.getLogger(library)).handlers:
            logger.addHandler(logging.NullHandler())
    _glyphs()
    try:
        from fontTools import cffLib
    except ImportError:
        return
    # fontTools leaves out the sign with the code 0, which is the minus in TeX's fonts.
    if not isinstance(cffLib.parseEncoding0, partial):
        cffLib.parseEncoding0 = partial(_parse_encoding, cffLib.parseEncoding0)


def _parse_encoding(parse: Callable[[Any, BinaryIO], list[str]], charset: Any, file: BinaryIO) -> list[str]:
    begin = file.tell()
    encoding, end = parse(charset, file), file.tell()
    file.seek(begin + 1)
    codes = file.read(end - begin - 1)
    if 0 in codes:
        encoding[0] = charset[codes.index(0) + 1]
    return encoding


def _count(reader: PdfReader, raw: Raw) -> int:
    try:
        count = len(reader.pages)
    except Exception as error:
        raise _damaged(raw) from error
    if not count:
        raise BadFile(f"{raw.name} has no pages.")
    if count > _MOST_PAGES:
        raise BadFile(f"{raw.name} has {count} pages; {_MOST_PAGES} can be read.", "Attach a part of it.")
    return count


def _damaged(raw: Raw) -> BadFile:
    return BadFile(f"{raw.name} is a damaged PDF.", "Get it again, or open it in a viewer and save a copy.")
