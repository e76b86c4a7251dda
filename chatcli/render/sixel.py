"""A picture as sixels: bands of six rows, each drawn once for every colour in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOURS = 128
_BAND = 6
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
_SHOWN = bytes(range(0x3F, 0x7F)) + bytes(192)  # six bits, the highest row lowest, as a character


def sixels(picture: Image, light: bool) -> str:
    """`picture` (RGB or RGBA) on a light background, or on a dark one."""
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
    """Up to six rows of colour numbers."""
    bits: dict[int, bytearray] = {}
    for at, colour in enumerate(pixels):
        row, column = divmod(at, width)
        if colour not in bits:
            bits[colour] = bytearray(width)
        bits[colour][column] |= 1 << row
    return "$".join(f"#{colour}{_shortened(drawn.rstrip(bytes(1)))}" for colour, drawn in bits.items())


def _shortened(drawn: bytearray) -> str:
    return _RUN.sub(lambda run: b"!%d%s" % (len(run[0]), run[1]), drawn.translate(_SHOWN)).decode("ascii")
