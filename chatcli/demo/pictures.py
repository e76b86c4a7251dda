"""What the head of an image file tells: its kind and its size in pixels."""

from __future__ import annotations

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the JPEG segments that hold a size


def describe_picture(data: bytes) -> str:
    """One sentence."""
    size = f"{len(data):,} bytes"
    for kind, look in (("PNG", _png), ("JPEG", _jpeg), ("GIF", _gif), ("WebP", _webp)):
        pixels = look(data)
        if pixels is not None and all(pixels):
            return f"a {kind} of {pixels[0]} × {pixels[1]} pixels, {size}"
    return f"a file whose kind I cannot tell, {size}"


def _png(data: bytes) -> tuple[int, int] | None:
    return _big(data[16:20], data[20:24]) if data.startswith(b"\x89PNG\r\n\x1a\n") else None


def _gif(data: bytes) -> tuple[int, int] | None:
    return _little(data[6:8], data[8:10]) if data[:6] in {b"GIF87a", b"GIF89a"} else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The size stands in the first frame; the segments before it are passed over by their lengths."""
    at = 2
    while data.startswith(b"\xff\xd8\xff") and at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return _big(data[at + 7 : at + 9], data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    if data[12:16] == b"VP8X":
        width, height = _little(data[24:27], data[27:30])
        return width + 1, height + 1
    if data[12:16] == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = _little(data[26:28], data[28:30])
    return width & 0x3FFF, height & 0x3FFF


def _big(width: bytes, height: bytes) -> tuple[int, int]:
    return int.from_bytes(width), int.from_bytes(height)


def _little(width: bytes, height: bytes) -> tuple[int, int]:
    return int.from_bytes(width, "little"), int.from_bytes(height, "little")
