from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.prompt.completer import mentions, paths, ranked

IMAGES = frozenset({".png", ".jpg"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files and folders in it."""
    place = tmp_path / "place"
    for name in ("images", "my pictures", ".hidden"):
        (place / name).mkdir(parents=True)
    for name in ("cat.png", "Dog.PNG", "notes.txt", ".secret.png", "my cat.png", 'a "b".png', "images/sun.jpg"):
        (place / name).write_bytes(b"x")
    monkeypatch.chdir(place)
    return place


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        ("sum", ["summary", "sumo", "a summary", "consummate"]),
        ("SUMM", ["summary", "a summary", "consummate"]),
        ("smry", ["summary", "a summary"]),
        ("s", ["summary", "sumo", "a summary"]),
        ("summary a", ["a summary"]),
        ("sumo", ["sumo"]),
        ("", ["consummate", "a summary", "summary", "sumo"]),
        ("xyz", []),
    ],
)
def test_what_begins_with_the_typed_text_comes_before_what_only_contains_its_letters(
    wanted: str, best: list[str]
) -> None:
    assert ranked(wanted, ["consummate", "a summary", "summary", "sumo"], str) == best


@given(st.text(max_size=20), st.lists(st.text(max_size=30), max_size=20))
def test_ranking_keeps_all_that_begin_with_the_typed_text_first_and_adds_none(
    wanted: str, texts: list[str]
) -> None:
    found = ranked(wanted, texts, str)
    begin = [text for text in texts if text.casefold().startswith(wanted.casefold())]
    begin.sort(key=lambda text: bool(wanted) and text.casefold() != wanted.casefold())
    assert found[: len(begin)] == begin
    assert not set(found) - set(texts)


def typed(prefix: str, endings: frozenset[str] | None = IMAGES) -> list[str]:
    return [each.text for each in paths(prefix, endings)]


def test_folders_come_first_and_files_by_their_ending(folder: Path) -> None:
    assert [each.shown for each in paths("", IMAGES)] == [
        "images/",
        "my pictures/",
        'a "b".png',
        "cat.png",
        "Dog.PNG",
        "my cat.png",
    ]


def test_without_endings_every_file_is_offered(folder: Path) -> None:
    assert typed("no", None) == ["notes.txt"]


def test_a_suggestion_takes_the_place_of_what_is_typed(folder: Path) -> None:
    (suggestion,) = paths("images/s", IMAGES)
    assert (suggestion.text, suggestion.replaces, suggestion.shown) == (
        "images/sun.jpg",
        len("images/s"),
        "sun.jpg",
    )


def test_case_does_not_matter_when_typing(folder: Path) -> None:
    assert typed("dog") == ["Dog.PNG"]


def test_hidden_ones_only_when_asked_for(folder: Path) -> None:
    assert typed(".") == [".hidden/", ".secret.png"]


def test_names_with_blanks_are_quoted_and_a_folder_stays_open(folder: Path) -> None:
    assert typed("my") == ['"my pictures/', '"my cat.png"']


def test_a_quote_that_is_typed_is_kept(folder: Path) -> None:
    assert typed("'c") == ["'cat.png'", "'my cat.png'"]
    assert typed('"my c') == ['"my cat.png"']


def test_escaped_blanks_are_understood(folder: Path) -> None:
    assert typed(r"my\ c") == ['"my cat.png"']


def test_what_is_offered_reads_back_as_the_file(folder: Path) -> None:
    names = [shlex.split(text)[0] for text in typed("") if not text.endswith("/")]
    assert all((folder / name).is_file() for name in names)


def test_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME" if os.name == "posix" else "USERPROFILE", str(folder))
    assert typed("~") == ["~/"]
    assert typed("~/c") == ["~/cat.png", '"~/my cat.png"']


@pytest.mark.parametrize("prefix", ["nowhere/c", "~nobody-here/c", "a\0b", "cat.png/"])
def test_what_is_not_there_offers_nothing(folder: Path, prefix: str) -> None:
    assert typed(prefix) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("what is in @no", ["notes.txt"]),
        ("what is in @images/", ["images/sun.jpg"]),
        ('compare @"my c', ['"my cat.png"']),
        ("what is this? ./c", ["./cat.png", '"./my cat.png"']),
        ("what is this? ./n", []),
        ("write to me@no", []),
        ("a line of words", []),
        ("@notes.txt says", []),
    ],
)
def test_a_file_named_in_a_message_is_completed(folder: Path, line: str, offered: list[str]) -> None:
    assert [each.text for each in mentions(line)] == offered
