"""/profile: what it changes in mid-conversation, and what it says of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatcli.commands import everything
from chatcli.errors import ConfigError, Missing, NotFound
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import Layer
from tests.commanding import do, followed, say, shown
from tests.faults import Engine

PROFILES = """\
model = "demo"
seed = 1

[profiles.code]
description = "for programs"
model = "demo-vision"
system = "You write code."
temperature = 0.5

[profiles.prose]
temperature = 1.5

[profiles.small]
num_ctx = 256

[profiles.typo]
sytem = "x"

[profiles.elsewhere]
model = "nowhere"

[profiles.secret]
save = false
"""


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(PROFILES)
    return home / "config.toml"


@pytest.fixture
def chat(file: Path, engine: Engine) -> Iterator[Session]:
    opened = build(Wishes({"host": engine.url}))
    yield opened
    opened.close()


def test_profiles_are_listed_with_what_they_set_and_the_fault_of_one_with_its_line(chat: Session) -> None:
    told = shown(do(chat, "profile"))
    assert "code for programs" in told
    assert "prose temperature = 1.5" in told
    assert 'line 17: profiles.typo.sytem: a profile has no such key. Did you mean "system"?' in told


def test_a_profile_in_mid_conversation_says_what_changes_and_answers_from_then_on(
    chat: Session, engine: Engine
) -> None:
    say(chat, "hi")
    told = shown(do(chat, "profile code"))
    assert "Profile: code (from the next message)." in told
    assert "model = demo-vision" in told
    assert "system = You write code." in told
    assert "temperature = 0.5" in told
    assert "seed" not in told
    say(chat, "again")
    request = engine.chats[-1]
    assert request["model"] == "demo-vision"
    assert request["options"]["temperature"] == 0.5
    assert request["messages"][0]["content"] == "You write code."
    assert "* code" in shown(do(chat, "profile"))
    assert "temperature = 0.5  (profile code)" in shown(do(chat, "set temperature"))


def test_the_next_profile_takes_back_what_the_first_one_set_and_none_takes_back_all(chat: Session) -> None:
    do(chat, "profile code")
    told = shown(do(chat, "profile prose"))
    assert "model = demo\n" in told
    assert "system = unset" in told
    assert chat.settings[table.TEMPERATURE] == 1.5
    assert "temperature = unset" in shown(do(chat, "profile none"))
    assert chat.settings.profile is None


def test_what_will_no_longer_fit_is_said_first(chat: Session, engine: Engine) -> None:
    for number in range(3):
        engine.say("word " * 60)
        say(chat, f"question {number} " + "words and more words " * 10)
    lines = shown(do(chat, "profile small")).splitlines()
    assert "will not be sent" in lines[0] or "only be" in lines[0]
    assert lines.index("Profile: small (from the next message).") > 0


@pytest.mark.parametrize(
    ("name", "error"),
    [("typo", ConfigError), ("elsewhere", Missing), ("cod", NotFound), ("none at all", NotFound)],
)
def test_a_profile_that_cannot_be_used_changes_nothing(chat: Session, name: str, error: type[Exception]) -> None:
    before = chat.settings.values()
    with pytest.raises(error):
        do(chat, f"profile {name}")
    assert chat.settings.values() == before
    assert chat.settings.profile is None


def test_an_edited_profile_is_used_as_it_is_now(chat: Session, file: Path) -> None:
    do(chat, "profile prose")
    file.write_text(PROFILES.replace("1.5", "0.25"))
    do(chat, "profile prose")
    assert chat.settings[table.TEMPERATURE] == 0.25


def test_the_files_of_a_profile_go_with_the_next_message(chat: Session, file: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("the notes")
    file.write_text(f"[profiles.a]\nfiles = ['{tmp_path / 'notes.txt'}']\n[profiles.b]\nfiles = ['/no/such']\n")
    assert "notes.txt" in shown(followed(chat, do(chat, "profile a")))
    assert [each.name for each in chat.pending] == [str(tmp_path / "notes.txt")]
    with pytest.raises(Exception, match="no file"):
        followed(chat, do(chat, "profile b"))
    assert chat.settings.profile is not None
    assert chat.settings.profile.name == "a"


def test_what_was_said_in_private_is_not_stored_because_a_profile_ends(chat: Session) -> None:
    do(chat, "profile secret")
    say(chat, "between us")
    do(chat, "profile prose")
    assert chat.settings[table.SAVE] is False


def test_another_conversation_comes_with_its_own_settings(chat: Session) -> None:
    say(chat, "hi")
    first = chat.conversation.id
    chat.begin()
    do(chat, "profile code")
    say(chat, "hello")
    second = chat.conversation.id
    chat.open(first)
    assert (chat.settings[table.MODEL], chat.settings[table.SYSTEM]) == ("demo", "")
    chat.open(second)
    assert (chat.settings[table.MODEL], chat.settings[table.SYSTEM]) == ("demo-vision", "You write code.")
    assert chat.settings.origin(table.SYSTEM) is Layer.CONVERSATION


def test_names_of_profiles_are_completed_with_what_they_are(chat: Session) -> None:
    def words(line: str) -> dict[str, str]:
        return {word.text: word.meaning for word, _ in everything().suggest(chat, line)}

    assert words("/profile co") == {"code": "for programs"}
    assert "typo" not in words("/profile ")
    assert "none" not in words("/profile ")
    do(chat, "profile prose")
    assert "none" in words("/profile ")
