"""Previews of pictures: what is sent to a terminal that can show them, and that none can do harm."""

from __future__ import annotations

import base64
import io
import re
import struct
import sys
import zlib
from datetime import UTC, datetime

import pytest
from PIL import Image

from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.tree import Node
from chatcli.render.pictures import preview
from chatcli.render.screen import Screen
from chatcli.render.terminal import Known
from chatcli.render.views import History, Pictures
from tests.screen import Seen

KITTY = Known(program="kitty(0.35.2)", cell=(10, 20))
ITERM = Known(program="iterm2 3.6", cell=(10, 20))
SIXEL = Known(sixel=True, cell=(10, 20))
SIZE = (80, 24)


def picture(width: int = 300, height: int = 200, kind: str = "PNG", mode: str = "RGB") -> bytes:
    written = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert(mode).save(written, kind)
    return written.getvalue()


def shown(data: bytes, known: Known, size: tuple[int, int] = SIZE) -> str:
    line = preview(data, known, size)
    assert line is not None
    return line.text


def sent_to_kitty(text: str) -> tuple[dict[str, str], bytes]:
    """The keys of the first sequence, and the picture in all of them."""
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert [dict(pair.split("=") for pair in keys.split(","))["m"] for keys, _ in parts] == ["1"] * (
        len(parts) - 1
    ) + ["0"]
    assert all(len(payload) <= 4096 for _, payload in parts)
    return dict(pair.split("=") for pair in parts[0][0].split(",")), base64.b64decode("".join(p for _, p in parts))


def decoded(sixels: str) -> list[list[int]]:
    """The colour numbers of a sixel picture, row by row, by the plain reading of the format."""
    found = re.search(r'"1;1;(\d+);(\d+)(.*)\x1b\\', sixels, re.DOTALL)
    assert found
    width, height = int(found[1]), int(found[2])
    rows = [[-1] * width for _ in range(height + 6)]
    band = column = colour = 0
    for run, char, number in re.findall(r"(?:!(\d+))?([?-~$-])|#(\d+)(?:;2;\d+;\d+;\d+)?", found[3]):
        if number:
            colour = int(number)
        elif char == "$":
            column = 0
        elif char == "-":
            band, column = band + 6, 0
        else:
            size = int(run or 1)
            for row in range(6):
                if (ord(char) - 63) >> row & 1:
                    rows[band + row][column : column + size] = [colour] * size
            column += size
    return rows[:height]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_kitty_gets_the_picture_as_a_small_png(kind: str) -> None:
    keys, data = sent_to_kitty(shown(picture(3000, 2000, kind), KITTY))
    assert keys["a"] == "T"
    assert keys["q"] == "2"
    with Image.open(io.BytesIO(data)) as found:
        assert found.size == (360, 240)
    assert (keys["c"], keys["r"]) == ("36", "12")


def test_a_small_picture_is_not_made_larger() -> None:
    keys, data = sent_to_kitty(shown(picture(30, 20), KITTY))
    assert (keys["c"], keys["r"]) == ("3", "1")
    with Image.open(io.BytesIO(data)) as found:
        assert found.size == (30, 20)


def test_iterm_gets_it_with_its_size_in_cells() -> None:
    text = shown(picture(3000, 2000), ITERM)
    found = re.search(r"\x1b\]1337;File=inline=1;size=(\d+);width=36;height=12:([^\x07]*)\x07", text)
    assert found
    data = base64.b64decode(found[2])
    assert len(data) == int(found[1])
    with Image.open(io.BytesIO(data)) as png:
        assert png.size == (360, 240)


def test_sixels_are_the_picture() -> None:
    flat = Image.new("RGB", (40, 15), "red")
    flat.paste("blue", (10, 0, 20, 15))
    written = io.BytesIO()
    flat.save(written, "PNG")
    text = shown(written.getvalue(), SIXEL)
    rows = decoded(text)
    red, blue = rows[0][0], rows[0][10]
    assert rows == [[red] * 10 + [blue] * 10 + [red] * 20] * 15
    assert f"#{red};2;100;0;0" in text
    assert f"#{blue};2;0;0;100" in text


def test_a_transparent_picture_stands_on_the_terminals_background_in_sixels() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (10, 6), (0, 0, 0, 0)).save(written, "PNG")
    assert "#0;2;100;100;100" in shown(written.getvalue(), Known(sixel=True, cell=(10, 20), background="light"))
    assert "#0;2;0;0;0" in shown(written.getvalue(), SIXEL)


@pytest.mark.parametrize("known", [KITTY, ITERM, SIXEL], ids=["kitty", "iterm", "sixel"])
@pytest.mark.parametrize("size", [(80, 24), (20, 8), (8, 5)])
def test_what_follows_stands_below_the_picture(known: Known, size: tuple[int, int]) -> None:
    text = re.sub(
        r"\x1b_.*?\x1b\\|\x1bP.*?\x1b\\|\x1b\]1337.*?\x07", "", shown(picture(), known, size), flags=re.DOTALL
    )
    terminal = Seen(*size)
    terminal.write("before\n" * 3 + text + "\nafter\n")
    cell = known.cell or (10, 20)
    most = min(12, size[1] - 3), min(40, size[0] - 1)
    scale = min(1, most[1] * cell[0] / 300, most[0] * cell[1] / 200)
    assert terminal.text.index("after") == 3 + -(-round(200 * scale) // cell[1])


def test_without_graphics_nothing_is_sent() -> None:
    assert preview(picture(), Known(), SIZE) is None


def test_without_pillow_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture()
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert preview(data, KITTY, SIZE) is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is huge, and is."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        bomb(50_000, 50_000),
        bomb(2**31 - 1, 2**31 - 1),
        bomb(8000, 8000),
        picture()[:200],
        b"\x89PNG\r\n\x1a\n" + b"x" * 100,
        b"GIF89a" + bytes(100),
        b"\xff\xd8\xff" + b"\xff\xda" * 100,
        picture(kind="TIFF"),
        b"",
    ],
    ids=["bomb", "largest", "large", "cut", "odd", "empty", "scans", "tiff", "nothing"],
)
def test_a_picture_made_to_do_harm_has_no_preview(data: bytes) -> None:
    assert preview(data, KITTY, SIZE) is None


NODE = Node(
    1,
    None,
    1,
    Message.user("What is this?", (Attachment("image", "cat.png", "image/png", picture()),)),
    datetime.now(UTC),
)


def test_a_conversation_shows_its_pictures_below_their_names() -> None:
    terminal = Seen()
    Screen(terminal, terminal, width=80, height=24, known=KITTY).show(History((NODE,)))
    written = "".join(terminal.written)
    assert written.index("[picture cat.png") < written.index("\x1b_G")


@pytest.mark.parametrize("plain", [True, False])
def test_a_pipe_and_a_plain_screen_get_names_only(plain: bool) -> None:
    file = Seen() if plain else io.StringIO()
    screen = Screen(file, file, plain=plain, width=80, height=24, known=KITTY)
    screen.show(History((NODE,)))
    screen.show(Pictures(NODE.message.attachments))
    written = "".join(file.written) if isinstance(file, Seen) else file.getvalue()
    assert "\x1b" not in written
    assert "[picture cat.png" in written
