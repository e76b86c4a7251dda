from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.attachments.compose import compose
from chatcli.attachments.images import LARGEST, find_in, read_image
from chatcli.attachments.mentions import Sure, mentions
from chatcli.client.fetch import fetch
from chatcli.errors import BadFile

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
JPEG = b"\xff\xd8\xff\xe0" + b"rest"
GIF = b"GIF89a" + b"rest"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
HEIC = b"\x00\x00\x00\x18ftypheic" + b"rest"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, and the home folder, with pictures in it."""
    for folder in ("images", "my pictures", "it's"):
        (tmp_path / folder).mkdir()
    for name in ("cat.png", "my cat.png", "images/cat.png", "my pictures/a cat.png", "it's/cat.png", "CAT2.PNG"):
        (tmp_path / name).write_bytes(PNG)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestPathsInALine:
    @pytest.mark.parametrize(
        "path",
        [
            "cat.png",
            "./cat.png",
            "images/cat.png",
            "~/cat.png",
            "~/my pictures/a cat.png",
            "{place}/cat.png",
            "{place}/my pictures/a cat.png",
            r"{place}/my\ pictures/a\ cat.png",
            "'{place}/my pictures/a cat.png'",
            '"{place}/my pictures/a cat.png"',
            '"my cat.png"',
            r"my\ cat.png",
            r"'{place}/it'\''s/cat.png'",
            "file://{place}/cat.png",
            "file://localhost{place}/my%20pictures/a%20cat.png",
            "CAT2.PNG",
            "images/../cat.png",
        ],
    )
    @pytest.mark.parametrize("line", ["{}", "what is {}?", "{} what is it", "see ({}) here", "it's {}, isn't it"])
    def test_are_attached_and_stay_in_the_text(self, place: Path, path: str, line: str) -> None:
        text = line.format(path.format(place=place))
        composed = compose(text, fetch)
        assert composed.text == text
        assert [each.data for each in composed.attachments] == [PNG]
        assert composed.attachments[0].media_type == "image/png"
        assert "/" not in composed.attachments[0].name

    def test_are_taken_from_the_given_folder(self, place: Path) -> None:
        found, missing = find_in("cat.png", place / "images")
        assert ([path for _, path in found], missing) == ([place / "images" / "cat.png"], [])

    def test_several_each_once_in_their_order(self, place: Path) -> None:
        (place / "dog.jpg").write_bytes(JPEG)
        found, _ = find_in("compare ./dog.jpg with cat.png and ./cat.png, please", place)
        assert [path.name for _, path in found] == ["dog.jpg", "cat.png"]

    @pytest.mark.parametrize(
        "path", ["./dog.png", "images/dog.png", "~/dog.png", "/no/dog.png", "'/no such/dog.png'", r"my\ dog.png"]
    )
    def test_that_lead_nowhere_are_an_error(self, place: Path, path: str) -> None:
        with pytest.raises(BadFile, match=r"dog\.png"):
            compose(f"what is {path}?", fetch)

    @pytest.mark.parametrize(
        "text",
        [
            "see https://example.com/cat.png",
            "use `images/nothing.png` in the page",
            "```\ncp images/nothing.png out/\n```",
            "![a cat](images/nothing.png)",
            '<img src="images/nothing.png">',
            "url(images/nothing.png)",
            "src=images/nothing.png",
            "and/or",
            "images/nothing.png.bak",
            "/bin/sh or .png",
            "",
        ],
    )
    def test_that_are_not_meant_are_just_text(self, place: Path, text: str) -> None:
        assert find_in(text, place) == ([], [])

    @pytest.mark.parametrize(
        ("text", "sure"),
        [
            ("what is dog.png?", Sure.FILE),
            ("and 'my dog.png'", Sure.FILE),
            ('he said "it\'s in dog.png"', Sure.FILE),
            ('rename it to "dog.png"', Sure.WORD),
            ("save it as plot.png", Sure.WORD),
        ],
    )
    def test_that_may_be_words_are_told_of_and_sent(self, place: Path, text: str, sure: Sure) -> None:
        composed = compose(text, fetch)
        assert (composed.text, [each.sure for each in composed.missing]) == (text, [sure])

    def test_in_long_material_stay_text_but_count_around_it(self, place: Path) -> None:
        material = "\n".join(["cp images/nothing.png out/"] * 10)
        found, missing = find_in(f"{material}\nand what is on cat.png", place)
        assert (len(found), missing) == (1, [])

    def test_that_are_of_windows_are_named_as_they_stand(self, place: Path) -> None:
        with pytest.raises(BadFile, match=r"C:\\Users\\me\\cat\.png"):
            compose(r"what is C:\Users\me\cat.png", fetch)

    def test_that_lead_to_something_else_are_an_error(self, place: Path) -> None:
        (place / "fake.png").write_text("not a picture")
        with pytest.raises(BadFile, match="not a picture"):
            compose("what is fake.png", fetch)

    @given(st.text(st.sampled_from("ab ./\\~'\"`\n:png()?"), max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_never_break_the_search(self, text: str) -> None:
        found = list(mentions(text))
        assert all(text[each.start : each.end] == each.text for each in found)


class TestReading:
    @pytest.mark.parametrize(
        ("data", "media_type"),
        [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")],
    )
    def test_the_kind_is_in_the_content_not_in_the_name(self, place: Path, data: bytes, media_type: str) -> None:
        (place / "picture.dat").write_bytes(data)
        picture = read_image("picture.dat")
        assert (picture.kind, picture.name, picture.media_type, picture.data) == (
            "image",
            "picture.dat",
            media_type,
            data,
        )

    @pytest.mark.parametrize("path", ["~/cat.png", "my cat.png", r"my\ cat.png", "'my cat.png'"])
    def test_a_path_may_be_written_in_every_way(self, place: Path, path: str) -> None:
        assert read_image(path).data == PNG

    @pytest.mark.parametrize(
        ("name", "content", "complaint"),
        [
            ("empty.png", b"", "is empty"),
            ("text.png", b"hello", "is not a picture"),
            ("photo.png", HEIC, "is a HEIC picture"),
            ("scan.png", b"%PDF-1.7", "is a PDF document"),
            ("short.webp", b"RIFF", "is not a picture"),
        ],
    )
    def test_what_is_no_picture_is_refused_by_name(
        self, place: Path, name: str, content: bytes, complaint: str
    ) -> None:
        (place / name).write_bytes(content)
        with pytest.raises(BadFile, match=f"{name} {complaint}") as caught:
            read_image(name)
        assert caught.value.hint

    @pytest.mark.parametrize(
        ("path", "complaint"),
        [("gone.png", "no file"), ("images", "is a folder"), ("", "no file"), ("a\0b.png", "no file")],
    )
    def test_what_is_no_file_is_refused(self, place: Path, path: str, complaint: str) -> None:
        with pytest.raises(BadFile, match=complaint):
            read_image(path)

    def test_too_large_a_file_is_refused_unread(self, place: Path) -> None:
        with (place / "huge.png").open("wb") as file:
            file.write(PNG)
            file.truncate(LARGEST + 1)
        with pytest.raises(BadFile, match="at most 20 MB"):
            read_image("huge.png")

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file_is_refused(self, place: Path) -> None:
        (place / "cat.png").chmod(0)
        with pytest.raises(BadFile, match="cannot be read"):
            read_image("cat.png")

    @pytest.mark.skipif(os.name != "posix", reason="named pipes are POSIX")
    def test_a_pipe_is_not_waited_for(self, place: Path) -> None:
        os.mkfifo(place / "pipe.png")
        with pytest.raises(BadFile, match="it is a named pipe"):
            read_image("pipe.png")
