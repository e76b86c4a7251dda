"""The command line: words mean what they look like, wherever the flags are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from chatcli.cli.flags import parsed, parser
from chatcli.cli.help_pages import EXAMPLES
from chatcli.commands import everything
from chatcli.commands.spelling import in_shell
from chatcli.errors import BadArgument, BadValue, ChatcliError, UnknownCommand
from chatcli.hints import spelled
from chatcli.session.wishes import Output, Wishes
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.setting import Setting
from chatcli.settings.table import SHORTHANDS, STOP, TABLE

SUBCOMMANDS = sorted(everything().subcommands)
BARE = [setting for setting in TABLE if setting.kind.bare]


@dataclass
class Asked:
    """What was asked of a plain `chatcli`."""

    values: dict[str, object] = field(default_factory=dict)
    prompt: list[str] = field(default_factory=list)
    named: str | None = None
    output: Output = field(default_factory=Output)

    def __call__(
        self, wishes: Wishes, prompt: Sequence[str], images: Sequence[str], files: Sequence[str], output: Output
    ) -> int:
        self.values, self.prompt = dict(wishes.values), list(prompt)
        self.named, self.output = wishes.named, output
        return 0


def asked(*arguments: str) -> Asked:
    chat = Asked()
    assert parsed(arguments, chat)() == 0
    return chat


def chosen(*arguments: str) -> tuple[str, list[str]]:
    """The subcommand ("" for none), and what is left to parse."""
    _, name, rest = parser(arguments, Asked())
    return name, rest


def advised(error: ChatcliError) -> str:
    return spelled(error.advice, in_shell)


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "flags",
    [["--demo"], ["--host", "models"], ["-m", "chats"], ["--host=gpu"], ["-mps"], ["--model", "--"]],
    ids=" ".join,
)
def test_a_subcommand_after_flags_is_the_subcommand(words: tuple[str, ...], flags: list[str]) -> None:
    assert chosen(*flags, *words, "x") == (" ".join(words), [*flags, "x"])
    assert chosen(words[0], *flags, *words[1:], "x") == (" ".join(words), [*flags, "x"])
    assert chosen(*words, *flags, "x") == (" ".join(words), [*flags, "x"])


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_after_two_dashes_it_is_a_prompt(words: tuple[str, ...]) -> None:
    assert asked("--", *words).prompt == list(words)
    assert asked("-m", "demo", "--", *words).prompt == list(words)
    assert asked(" ".join([*words, "of", "the", "world"])).prompt == [" ".join([*words, "of", "the", "world"])]
    assert asked("--resume", *words).named == " ".join(words)
    assert asked("-cr", *words).named == " ".join(words)


@pytest.mark.parametrize("flag", ["--resume=two whales", "-rtwo whales"])
def test_a_conversation_named_with_its_flag_leaves_the_words_to_the_prompt(flag: str) -> None:
    chat = asked(flag, "chats", "and now?", "-m", "demo")
    assert (chat.named, chat.prompt) == ("two whales", ["chats", "and now?"])
    assert chat.values["model"] == "demo"
    assert (asked(flag).named, asked(flag).prompt) == ("two whales", [])


@pytest.mark.parametrize("setting", [row for row in TABLE if not row.kind.bare], ids=lambda row: row.name)
def test_the_value_of_a_flag_is_no_subcommand(setting: Setting[object]) -> None:
    chat = asked(setting.flag, "models", "hi")
    assert chat.prompt == ["hi"]
    assert chat.values[setting.name] in ("models", ["models"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--temperature", "0", "models"],
        ["--json", "chats", "purge"],
        ["--file", "a.csv", "tokens"],
        ["models", "of", "cars"],
    ],
    ids=" ".join,
)
def test_a_subcommand_refuses_what_is_not_its_own_and_says_how_a_prompt_is_sent(arguments: list[str]) -> None:
    with pytest.raises(BadArgument) as caught:
        parsed(arguments, Asked())
    assert "chatcli -- " in advised(caught.value)


def test_a_prompt_that_begins_with_a_dash_is_refused_with_the_way_to_send_it() -> None:
    with pytest.raises(BadArgument) as caught:
        parsed(["-5 degrees in F?"], Asked())
    assert "chatcli -- '-5 degrees in F?'" in advised(caught.value)
    assert asked("--", "-5 degrees in F?").prompt == ["-5 degrees in F?"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("chast list", "chatcli chats list"),
        ("chats-list", "chatcli chats list"),
        ("list", "chatcli chats list"),
        ("modles", "chatcli models"),
        ("Models", "chatcli models"),
        ("model", "chatcli models"),
        ("pul llama3", "chatcli pull llama3"),
        ("docter", "chatcli doctor"),
        ("chast delete 3", "chatcli chats delete 3"),
    ],
)
def test_bare_words_close_to_a_subcommand_are_refused_with_a_proposal(typed: str, meant: str) -> None:
    with pytest.raises(UnknownCommand) as caught:
        parsed(["--demo", *typed.split()], Asked())
    assert f"Did you mean {meant}?" in advised(caught.value)
    assert f"chatcli -- {typed}" in advised(caught.value)
    assert asked("--demo", "--", *typed.split()).prompt == typed.split()
    if " " in typed:
        assert asked("--demo", typed).prompt == [typed]


@pytest.mark.parametrize("name", SUBCOMMANDS, ids=" ".join)
def test_every_subcommand_is_proposed_for_its_name_with_a_letter_too_many(name: tuple[str, ...]) -> None:
    with pytest.raises(UnknownCommand) as caught:
        parsed([f"{name[0]}x", *name[1:]], Asked())
    assert f"chatcli {' '.join(name)}?" in advised(caught.value)


@pytest.mark.parametrize(
    "typed",
    ["hello", "hi there", "explain this", "summarize", "what are modles", "helpful", "show me", "cats rule"],
)
def test_other_words_are_a_prompt(typed: str) -> None:
    assert asked(*typed.split()).prompt == typed.split()


def test_a_stop_text_in_the_shell_is_one_text_and_the_flag_may_come_again() -> None:
    settings = Settings()
    settings.put("stop", asked("--stop", "END OF", "hi", "--stop", '"x"').values["stop"], Layer.FLAG)
    assert settings[STOP] == ("END OF", '"x"')


@pytest.mark.parametrize("setting", BARE, ids=lambda setting: setting.name)
def test_a_flag_without_its_value_means_on_and_leaves_the_prompt(setting: Setting[object]) -> None:
    def value(*arguments: str, prompt: Sequence[str] = ("what is rain",)) -> object:
        chat = asked(*arguments)
        assert chat.prompt == list(prompt)
        return setting.kind.take(chat.values[setting.name])

    on, off = setting.kind.read("on"), setting.kind.read("off")
    for question in ("what is rain", "on and off", ""):
        assert value(setting.flag, question, prompt=[question]) == on
    assert value("what is rain", setting.flag) == on
    assert value(setting.flag, "--json", "what is rain") == on
    assert value(setting.flag, "--", "off", prompt=["off"]) == on
    assert value(setting.negation, "what is rain") == off
    for word in setting.kind.words:
        assert value(f"{setting.flag}={word}", "what is rain") == setting.kind.read(word)
        assert value(setting.flag, word, "what is rain") == setting.kind.read(word)
    with pytest.raises(BadValue, match=f"^{setting.name}: "):
        Settings().put(setting.name, asked(f"{setting.flag}=?", "x").values[setting.name], Layer.FLAG)


def test_tools_are_named_after_the_flag_and_other_words_are_the_prompt() -> None:
    assert asked("--tools=now,mine", "hi").values["tools"] == "now,mine"
    assert asked("--no-tools", "hi").values["tools"] == "off"
    for names in ("read_file", "now,calculate", "on,run"):
        chat = asked("--tools", names, "hi")
        assert (chat.values["tools"], chat.prompt) == (names, ["hi"])
    assert asked("--tools", "hello").prompt == ["hello"]


@pytest.mark.parametrize("word", SHORTHANDS)
def test_a_shorthand_is_a_flag_that_sets_another_one_and_that_one_comes_before_it(word: str) -> None:
    setting, value = SHORTHANDS[word]
    found = asked(f"--{word}", "what is rain")
    assert (found.values, found.prompt) == ({setting.name: value}, ["what is rain"])
    other = next(each for each in setting.kind.words if each != value)
    flag = [setting.negation if other == "off" else setting.flag] if setting.is_switch else [setting.flag, other]
    taken = asked(f"--{word}", *flag, "what is rain").values[setting.name]
    assert setting.kind.take(taken) == setting.kind.read(other)


def test_flags_that_may_be_left_bare_are_those_that_can_be_on() -> None:
    assert {"think", "recall", "verbose", "plain"} <= {setting.name for setting in BARE}
    assert {setting.name for setting in TABLE if setting.is_switch} <= {setting.name for setting in BARE}


# Help in the shell


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert parsed(arguments, Asked())() == 0
    return capsys.readouterr().out


def test_the_help_of_chatcli_fits_a_screen_and_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    page = printed(capsys, "--help")
    rows = page.splitlines()
    assert len(rows) <= 40
    assert max(map(len, rows)) <= 80
    assert all(example in page for example, _ in EXAMPLES)
    assert all(words[0] in rows[-1] or words[0] in rows[-2] for words in SUBCOMMANDS)
    assert printed(capsys, "help") == page


def test_help_settings_lists_the_flag_of_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    page = printed(capsys, "help", "settings")
    assert all(setting.flag in page for setting in TABLE)


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=" ".join)
def test_help_of_a_subcommand_is_its_own_help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    if words != ("help",):
        assert printed(capsys, "help", *words) == printed(capsys, *words, "--help")


def test_help_on_what_is_no_topic_says_how_to_send_it_as_a_prompt() -> None:
    with pytest.raises(UnknownCommand) as caught:
        parsed(["help", "me", "write"], Asked())()
    assert "chatcli -- help me write" in advised(caught.value)


def test_help_is_no_subcommand_where_it_is_a_name_or_a_prompt() -> None:
    assert asked("--resume", "help").named == "help"
    assert asked("--", "help", "settings").prompt == ["help", "settings"]
    assert asked("help settings").prompt == ["help settings"]


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_typer_gets_only_the_flags_that_are_given(setting: Setting[object]) -> None:
    given = [setting.flag] if setting.is_switch else [f"{setting.flag}=1"]
    command, _, _ = parser(["-c", *given, "a prompt"], Asked(), few=True)
    assert [each.name for each in command.params] == ["prompt", "continue_", setting.name]


def test_a_mistyped_flag_is_refused_with_those_that_may_be_meant() -> None:
    with pytest.raises(BadArgument, match="--temperature"):
        parsed(["--temperatur=1", "a prompt"], Asked())


def test_beside_help_typer_gets_every_flag() -> None:
    for line in (["-h"], ["-ch"], ["--help", "-m", "demo"]):
        command, _, _ = parser(line, Asked(), few=True)
        assert len(command.params) > len(TABLE)
