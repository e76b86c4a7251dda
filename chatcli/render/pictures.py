"""Small previews of pictures, drawn by the terminal itself: with Kitty's protocol, with iTerm's, or as sixels.

Needs Pillow (the extra `chatcli[images]`). A picture that is broken, too large, or made to take long gets no
preview.
"""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatcli.render.lines import Line
from chatcli.render.terminal import Known

if TYPE_CHECKING:
    from PIL.Image import Image


_COLUMNS, _ROWS = 40, 12  # cells, at the most
_CELL = (10, 20)  # pixels, if the terminal does not tell: only the proportion matters then
_MOST_PIXELS = 30_000_000  # decoded, 120 MB
_MOST_SCANS = 64  # a progressive JPEG has a dozen; each extra one can be made to cost seconds
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_SCAN = b"\xff\xda"
_CHUNK = 4096  # characters of base64 in one of Kitty's sequences


def preview(data: bytes, known: Known, size: tuple[int, int]) -> Line | None:
    """Returns the picture as a line several rows high; None when terminal, Pillow or picture do not allow one."""
    protocol = known.protocol()
    columns, rows = min(_COLUMNS, size[0] - 1), min(_ROWS, size[1] - 3)
    if not protocol or columns < 1 or rows < 1:
        return None
    cell = known.cell or _CELL
    picture = _small(data, (columns * cell[0], rows * cell[1]))
    if picture is None:
        return None
    columns, rows = math.ceil(picture.width / cell[0]), math.ceil(picture.height / cell[1])
    if protocol == "kitty":
        drawn = "".join(_kitty(_png(picture), columns, rows))
    elif protocol == "iterm":
        drawn = _iterm(_png(picture), columns, rows)
    else:
        drawn = sixels(picture, light=known.background == "light")
    return Line(_in_its_place(drawn, rows), columns)


def _in_its_place(drawn: str, rows: int) -> str:
    """Makes room first, so that drawing does not scroll, wherever that leaves the cursor."""
    room = "\n" * rows + f"\x1b[{rows}A\r"
    below = f"\x1b[{rows - 1}B" if rows > 1 else ""
    return f"{room}\x1b7{drawn}\x1b8{below}"


def _small(data: bytes, box: tuple[int, int]) -> Image | None:
    """Returns the picture, shrunk to fit `box` (pixels), with its colors as RGB or RGBA."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return None
    if data.startswith(b"\xff\xd8") and data.count(_SCAN) > _MOST_SCANS:
        return None
    try:
        with (
            warnings.catch_warnings(),
            Image.open(io.BytesIO(data), formats=_FORMATS) as found,
        ):
            warnings.simplefilter("ignore")
            if found.width * found.height > _MOST_PIXELS:
                return None
            found.draft("RGB", box)  # a JPEG is decoded at a fraction of its size
            mode = "RGBA" if found.has_transparency_data else "RGB"
            picture = ImageOps.exif_transpose(found.convert(mode))
            picture.thumbnail(box)
            return picture
    except Exception:  # a malicious picture may cause any error: only its name is shown
        return None


def _png(picture: Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _kitty(png: bytes, columns: int, rows: int) -> Iterator[str]:
    """q=2 asks for no answer: it would arrive as keys. C=1: the cursor stays."""
    text = base64.b64encode(png).decode()
    head = f"a=T,f=100,q=2,C=1,c={columns},r={rows},"
    for at in range(0, len(text), _CHUNK):
        more = int(at + _CHUNK < len(text))
        yield f"\x1b_G{head}m={more};{text[at : at + _CHUNK]}\x1b\\"
        head = "q=2,"


def _iterm(png: bytes, columns: int, rows: int) -> str:
    text = base64.b64encode(png).decode()
    return f"\x1b]1337;File=inline=1;size={len(png)};width={columns};height={rows}:{text}\x07"


_COLOURS = 128
_BAND = 6
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
_SHOWN = bytes(range(0x3F, 0x7F)) + bytes(192)  # six bits as a character; the lowest bit is the top row


def sixels(picture: Image, light: bool) -> str:
    """Draws `picture` (RGB or RGBA) on a light background, or on a dark one."""
    flat = _on_background(picture, light).quantize(_COLOURS)
    pixels, width = flat.tobytes(), flat.width
    palette = flat.getpalette() or []
    colours = "".join(
        f"#{at // 3};2;" + ";".join(str(round(channel / 2.55)) for channel in palette[at : at + 3])
        for at in range(0, len(palette) - 2, 3)
    )
    bands = (_band(pixels[at : at + width * _BAND], width) for at in range(0, len(pixels), width * _BAND))
    return f'\x1bP0;1;0q"1;1;{width};{flat.height}{colours}{"-".join(bands)}\x1b\\'


def _on_background(picture: Image, light: bool) -> Image:
    from PIL import Image

    if picture.mode == "RGB":
        return picture
    ground = Image.new("RGB", picture.size, "white" if light else "black")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def _band(pixels: bytes, width: int) -> str:
    """Draws up to six rows of color numbers."""
    bits: dict[int, bytearray] = {}
    for at, colour in enumerate(pixels):
        row, column = divmod(at, width)
        if colour not in bits:
            bits[colour] = bytearray(width)
        bits[colour][column] |= 1 << row
    return "$".join(f"#{colour}{_shortened(drawn.rstrip(bytes(1)))}" for colour, drawn in bits.items())


def _shortened(drawn: bytearray) -> str:
    return _RUN.sub(lambda run: b"!%d%s" % (len(run[0]), run[1]), drawn.translate(_SHOWN)).decode("ascii")
