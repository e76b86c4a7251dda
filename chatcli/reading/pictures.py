"""Which picture some bytes are, of those that models take. What a file is called proves nothing."""

from __future__ import annotations

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# What people try to send besides: known, so that it can be named.
_OTHERS = (
    (0, b"BM", "a BMP picture"),
    (0, b"II*\x00", "a TIFF picture"),
    (0, b"MM\x00*", "a TIFF picture"),
    (4, b"ftypavif", "an AVIF picture"),
    (4, b"ftyphe", "a HEIC picture"),
    (4, b"ftypmif1", "a HEIC picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
)


def media_type_of(data: bytes) -> str | None:
    """image/png, image/jpeg, image/gif or image/webp; None for everything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for mark, media_type in _MARKS if data.startswith(mark)), None)


def what_else(data: bytes) -> str:
    """What it is, where it is no picture that models take: completes "it is"."""
    return next((what for at, mark, what in _OTHERS if data.startswith(mark, at)), "not a picture")
