"""Unpacks the body of a response in small pieces, because a few compressed bytes can become very many.

httpx unpacks at once whatever arrives, with whatever compression the server chose. Here the size can be checked
between two pieces, and only the compression that was asked for is unpacked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

ASKED = "gzip"  # for the header Accept-Encoding
_PIECE = 1 << 16  # bytes unpacked at once


class BadPacking(Exception):
    """Says what is wrong, as a clause: "arrives damaged"."""


def pieces(response: httpx.Response) -> Iterator[bytes]:
    """The unpacked pieces; some may be empty, since a server can send data that unpacks to nothing. Raises
    BadPacking.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        yield from response.iter_raw()
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise BadPacking(f"comes packed in a way that was not asked for ({encoding[:40]})")
    unpack = zlib.decompressobj(47)
    try:
        for piece in response.iter_raw():
            while piece and not unpack.eof:  # after the end, the tail would stay as it is
                yield unpack.decompress(piece, _PIECE)
                piece = unpack.unconsumed_tail  # noqa: PLW2901
            if unpack.eof:
                return  # zlib would collect everything that follows the end
        yield unpack.flush()
    except zlib.error as error:
        raise BadPacking(f"arrives damaged ({error})") from None
    if not unpack.eof:
        raise BadPacking("arrives cut off")
