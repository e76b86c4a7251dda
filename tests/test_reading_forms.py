"""Terminal codes, mail, RTF and the outputs of notebooks: what a person would see of them is what is read."""

from __future__ import annotations

import json
from email.message import EmailMessage

import pytest

from chatcli.errors import BadFile
from chatcli.reading.terminal_codes import as_shown
from tests.test_reading import told


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("\x1b[31mred\x1b[0m ok\n", "red ok\n"),
        ("\x1b]8;;http://x.example\x07link\x1b]8;;\x07\n", "link\n"),
        ("10%\r20%\r100%\ndone\n", "100%\ndone\n"),
        ("abc\rx\n", "xbc\n"),
        ("abc\rx\x1b[K\n", "x\n"),
        ("N\x08Na\x08a\n_\x08x\n", "Na\nx\n"),
        ("beep\x07\n", "beep\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("old\rMac\r", "old\nMac\n"),
        ("tab\tx\x0cpage\n", "tab\tx\x0cpage\n"),
    ],
)
def test_a_log_is_read_as_a_terminal_shows_it(written: str, seen: str) -> None:
    assert as_shown(written) == seen
    assert told(written.encode()) == seen


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_packed_mail_is_its_headers_and_its_text(encoding: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@example.org>", "me@example.org", "Größe"
    mail["Date"] = "Mon, 30 Nov 2026 12:00:00 +0000"
    mail.set_content("Привет, как дела?\n", cte=encoding)
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="cat.png")
    text = told(mail.as_bytes())
    assert "From: Zoë <zoe@example.org>\nTo: me@example.org" in text
    assert "Subject: Größe\n" in text
    assert "Attached, and not read: cat.png" in text
    assert text.endswith("\n\nПривет, как дела?\n")


def test_mail_that_is_readable_stays_as_it_is() -> None:
    plain = "From: a@example.org\nSubject: hi\n\nHello\n"
    assert told(plain.encode()) == plain


def test_rtf_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadFile, match="is an RTF document") as caught:
        told(b"{\\rtf1\\ansi Hello}")
    assert "plain text" in str(caught.value.hint)


def test_a_notebook_of_format_3_is_its_cells_without_its_pictures() -> None:
    output = {"output_type": "display_data", "png": "iVBORw0KGgo" * 50, "text": ["<Figure at 0x7f>"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {
            "cell_type": "code",
            "input": ["print(1)"],
            "outputs": [{"output_type": "stream", "text": ["1\n"]}, output],
        },
    ]
    text = told(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode())
    assert "# Title" in text
    assert "print(1)" in text
    assert "Output:\n```\n1\n```" in text
    assert "iVBOR" not in text


@pytest.mark.parametrize(
    ("data", "read"),
    [
        ({"text/html": ["<b>one</b> two"]}, "one two"),
        ({"text/html": "<p>one two</p>", "text/plain": "<IPython.core.display.HTML object>"}, "one two"),
        ({"text/latex": "$x^2$"}, "$x^2$"),
        ({"text/latex": "$x^2$", "text/plain": "x**2"}, "x**2"),
        ({"text/plain": "\x1b[31mred\x1b[0m"}, "red"),
    ],
)
def test_an_output_of_a_notebook_is_read_in_its_best_form(data: dict[str, object], read: str) -> None:
    cell = {"cell_type": "code", "source": "f()", "outputs": [{"output_type": "display_data", "data": data}]}
    text = told(json.dumps({"nbformat": 4, "cells": [cell]}).encode())
    assert text == f"```\nf()\n```\n\nOutput:\n```\n{read}\n```\n"
