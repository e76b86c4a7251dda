"""Names in a message, in all the ways people and terminals write them: each is had, or said not to be there."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.attachments.compose import compose
from chatcli.attachments.files import Found, mentioned, read_files
from chatcli.attachments.images import find_in
from chatcli.attachments.mentions import Sure
from chatcli.client.fetch import fetch
from chatcli.errors import BadFile
from chatcli.prompt.completer import paths

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
FILES = ("my notes.txt", "a.txt", "it's.txt", "what?", "a[1].txt", "x`y.txt", "back\\slash.txt", "sub/b.py")

if os.name != "posix":
    pytest.skip("these names are legal on POSIX", allow_module_level=True)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files in it."""
    (tmp_path / "sub").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in FILES:
        (tmp_path / name).write_text(f"text of {name}")
    for name in ("cat.png", "my cat.jpg"):
        (tmp_path / name).write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (r"what says @my\ notes.txt of it", ["my notes.txt"]),
        ('@"my notes.txt", and', ["my notes.txt"]),
        ("see @'my notes.txt'.", ["my notes.txt"]),
        ("(@a.txt)", ["a.txt"]),
        ("@a.txt's first line", ["a.txt"]),
        ("line @a.txt:12", ["a.txt"]),
        ("it's in @it's.txt, isn't it", ["it's.txt"]),
        (r"@it\'s.txt", ["it's.txt"]),
        (r"@'it'\''s.txt'", ["it's.txt"]),
        ("""@'it'"'"'s.txt'""", ["it's.txt"]),
        ("@what? and @what??", ["what?"]),
        ("@a[1].txt", ["a[1].txt"]),
        (r"@back\slash.txt", ["back\\slash.txt"]),
        ("@sub/*.py", ["sub/b.py"]),
        ("compare @a.txt,@sub/b.py", ["a.txt", "sub/b.py"]),
        (r"""@"my notes.txt",@'it'\''s.txt';@my\ notes.txt，@a.txt.""", ["my notes.txt", "it's.txt", "a.txt"]),
        ('see @"my notes.txt', ["my notes.txt"]),
        ('see @"my notes.txt\nand more', ["my notes.txt"]),
        ("look at @cat.png", ["cat.png"]),
        ("what is in cat.png and 'my cat.jpg'?", ["cat.png", "my cat.jpg"]),
    ],
)
def test_a_file_is_had_however_it_is_written_and_the_text_stays(place: Path, text: str, names: list[str]) -> None:
    composed = compose(text, fetch)
    assert [each.name for each in composed.attachments] == names
    assert [each.kind for each in composed.attachments] == [
        "text" if "cat" not in name else "image" for name in names
    ]
    assert (composed.text, composed.missing) == (text, ())


@pytest.mark.parametrize(
    ("text", "name", "sure"),
    [
        ("what says @report2.pdf", "report2.pdf", Sure.FILE),
        ("and @src/nosuch.py, too", "src/nosuch.py", Sure.FILE),
        ("look at @nosuch.png", "nosuch.png", Sure.FILE),
        ("look into @sub", "sub", Sure.FILE),
        ('what says @"your notes', "your notes", Sure.FILE),
        ("look into @pipe", "pipe", Sure.FILE),
        ("install @types/node", "types/node", Sure.WORD),
        ("what does @pytest.fixture do", "pytest.fixture", Sure.WORD),
        ("ask @someone.", "someone", Sure.WORD),
        ("@./notes", "./notes", Sure.PATH),
        ("@../notes", "../notes", Sure.PATH),
        ("@~/nosuch", "~/nosuch", Sure.PATH),
        ("@/dev/null", "/dev/null", Sure.PATH),
        ("@src/", "src/", Sure.PATH),
        ('@"your notes"?', "your notes", Sure.PATH),
        (r"@your\ notes.txt", "your notes.txt", Sure.PATH),
        ("@file:///no/such%20one", "/no/such one", Sure.PATH),
    ],
)
def test_what_leads_nowhere_is_said_with_how_sure_it_is_a_path(
    place: Path, text: str, name: str, sure: Sure
) -> None:
    found, missing = mentioned(text)
    assert found == []
    assert [(each.name, each.sure) for each in missing] == [(name, sure)]
    assert name in missing[0].why
    if sure is Sure.PATH:
        with pytest.raises(BadFile, match=re.escape(name)):
            compose(text, fetch)
    else:
        assert compose(text, fetch).missing == tuple(missing)


def test_each_of_a_list_without_blanks_is_had_or_said(place: Path) -> None:
    found, missing = mentioned("@one.txt,@a.txt;@two.txt")
    assert [each.name for each in found] == ["a.txt"]
    assert [each.name for each in missing] == ["one.txt", "two.txt"]


@pytest.mark.parametrize(
    "text", ["@", "a @ b", "@'s", "me@x.org", "`@nosuch.txt`", '@app.get("/x")\ndef f(): ...', '"@nosuch.txt"']
)
def test_what_is_no_name_is_just_text(place: Path, text: str) -> None:
    assert mentioned(text) == ([], [])


def test_what_is_no_file_is_named_for_what_it_is(place: Path) -> None:
    _, missing = mentioned("@pipe @sub @/dev/null")
    assert [each.why.rpartition(": ")[2] for each in missing] == [
        "it is a named pipe.",
        "it is a folder.",
        "it is a device.",
    ]


def _escaped(path: Path) -> str:
    """As Terminal.app and iTerm2 drop a file."""
    return re.sub(r"([^\w./-])", r"\\\1", path.name)


def _double(path: Path) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", path.name) + '"'


def _single(path: Path) -> str:
    """As GNOME's and KDE's terminals drop it."""
    return "'" + str(path).replace("'", "'\\''") + "'"


# How a path is written: typed in three ways, dropped by terminals, copied from a file manager.
WAYS: dict[str, Callable[[Path], str]] = {
    "backslash": _escaped,
    "double": _double,
    "single": _single,
    "kitty and foot": lambda path: shlex.quote(str(path)),
    "address": lambda path: f"file://{quote(str(path))}",
    "address with a host": lambda path: f"file://localhost{quote(str(path))}",
    "short address": lambda path: f"file:{quote(str(path))}",
}
# Letters of several scripts, all that ASCII shows, and two blanks.
NAMES = st.text([*map(chr, range(32, 127)), *"äéй日\u00a0🐈"], min_size=1, max_size=12)
SENTENCES = ["{}", "what is {}?", "({}) it's, isn't it", "read {} and 'that', too"]


@given(name=NAMES, way=st.sampled_from(sorted(WAYS)), sentence=st.sampled_from(SENTENCES))
@settings(max_examples=100, deadline=None)
def test_every_legal_name_reaches_the_reader_quoted_in_any_usual_way(
    tmp_path_factory: pytest.TempPathFactory, name: str, way: str, sentence: str
) -> None:
    name = name.replace("/", "_")
    place = tmp_path_factory.mktemp("place")
    notes, picture = place / f"{name}.txt", place / f"{name}.png"
    notes.write_text("the notes")
    picture.write_bytes(PNG)
    found, missing = mentioned(sentence.format("@" + WAYS[way](notes)), place)
    assert ([each.path for each in found], missing) == ([notes], [])
    pictures, missing = find_in(sentence.format(WAYS[way](picture)), place)
    assert ([path for _, path in pictures], missing) == ([picture], [])


@given(name=NAMES, quoted=st.sampled_from(["", "'", '"']))
@settings(max_examples=50, deadline=None)
def test_what_completion_writes_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, quoted: str
) -> None:
    place = tmp_path_factory.mktemp("place")
    file = place / name.replace("/", "_")
    if file.name in {".", ".."}:
        return
    file.write_text("x")
    (offered,) = paths(f"{quoted}{place}/{'.' if file.name.startswith('.') else ''}")
    assert mentioned(f"see @{offered.text} now") == ([Found(str(file), file)], [])


def test_a_dropped_address_is_a_file_by_command_too(place: Path) -> None:
    assert [each.name for each in read_files(f"file://{place}/my%20notes.txt")] == [f"{place}/my notes.txt"]
