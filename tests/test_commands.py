"""Commands: the registry's grammar, and each family against a real store and the demo engine."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest

from chatcli.commands import everything
from chatcli.commands.arguments import Arg, read_arguments, split_words
from chatcli.commands.outcomes import AskAgain, Choose, Confirm, Opened, Outcome, Prefill, Quit, Show
from chatcli.commands.registry import Registry, command
from chatcli.commands.spelling import at_prompt
from chatcli.errors import (
    BadArgument,
    BadFile,
    BadValue,
    CannotSee,
    Missing,
    NotFound,
    StreamBroken,
    UnknownCommand,
    UnknownSetting,
    UserError,
)
from chatcli.render.notices import draw
from chatcli.render.theme import Palette
from chatcli.render.views import History, Listing, WindowView
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.layers import find_setting
from chatcli.settings.setting import Setting
from chatcli.settings.strategies import AUTO, STRATEGIES
from chatcli.settings.table import by_group
from chatcli.store.store import Store
from chatcli.text import first_clause
from chatcli.turn import answer
from tests.commanding import advised, do, followed, said, say, shown
from tests.faults import Cut, Engine, Slow, Status, nobody_there

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000100"
    "05fe02fea7569f0000000049454e44ae426082"
)


# The grammar


def test_a_near_miss_is_suggested_and_never_taken(session: Session) -> None:
    with pytest.raises(UnknownCommand) as caught:
        do(session, "clera")
    assert "/clear" in advised(caught.value)
    with pytest.raises(UnknownCommand):
        do(session, "byes")
    with pytest.raises(UnknownCommand):
        do(session, "clearfoo")


def test_too_many_or_missing_arguments_are_answered_with_the_usage(session: Session) -> None:
    with pytest.raises(BadArgument) as caught:
        do(session, "unset")
    assert "/unset NAME" in advised(caught.value)
    with pytest.raises(BadArgument, match="/clear takes no arguments"):
        do(session, "clear everything")
    with pytest.raises(BadArgument, match="whole number"):
        do(session, "history many")


@pytest.mark.parametrize("number", ["9" * 20, "9" * 5000, "-1", "-" + "9" * 20], ids=len)
@pytest.mark.parametrize(
    "line",
    ["undo", "history", "chats", "edit", "diff", "diff 1", "context why", "pin", "forget", "drop", "raw", "copy"],
)
def test_a_number_that_nothing_has_is_refused(session: Session, line: str, number: str) -> None:
    with pytest.raises(BadArgument, match=r"below 0|too large") as caught:
        do(session, f"{line} {number}")
    assert len(caught.value.message) < 150


def test_every_command_says_what_it_does_and_what_its_arguments_are() -> None:
    for each in everything().commands:
        assert each.summary.endswith(".")
        assert all(parameter.meaning for parameter in each.parameters)


def test_two_commands_of_one_name_are_refused() -> None:
    @command("twice")
    def one(session: Session) -> Outcome:
        """One."""
        return Quit()

    @command("other", "twice")
    def two(session: Session) -> Outcome:
        """Two."""
        return Quit()

    module = ModuleType("family")
    vars(module).update(one=one, two=two)
    with pytest.raises(TypeError, match="twice"):
        Registry({"group": [module]})


def test_a_command_without_a_docstring_is_refused() -> None:
    with pytest.raises(TypeError, match="docstring"):

        @command("mute")
        def mute(session: Session) -> Outcome:
            return Quit()


def test_flags_may_stand_anywhere_and_unknown_ones_are_named() -> None:
    @command("probe")
    def probe(
        session: Session,
        *files: Annotated[str, Arg("files")],
        dry: Annotated[bool, Arg("only look")] = False,
        model: Annotated[str | None, Arg("a model")] = None,
    ) -> Outcome:
        """Probe."""
        return Quit()

    assert read_arguments(probe.parameters, "a --dry 'b c' --model m") == (
        ["a", "b c"],
        {"dry": True, "model": "m"},
    )
    assert probe.usage == "/probe [FILES...] [--dry] [--model VALUE]"
    with pytest.raises(BadArgument, match="--wet"):
        read_arguments(probe.parameters, "--wet")
    with pytest.raises(BadArgument, match="needs a value"):
        read_arguments(probe.parameters, "--model")


def test_an_apostrophe_is_no_quote() -> None:
    assert split_words("don't panic") == ["don't", "panic"]


def test_completion_knows_commands_settings_and_values(session: Session) -> None:
    def offered(line: str) -> list[str]:
        return [word.text for word, _ in everything().suggest(session, line)]

    assert offered("/mo")[:2] == ["/model", "/models"]
    assert "num_ctx" in offered("/set num")
    assert offered("/set strategy a") == ["auto"]
    assert offered("/set str")[0] == "strategy"
    assert offered("/set prdct") == ["num_predict", "draft_num_predict"]
    assert "8k" in offered("/set num_ctx ")
    assert offered("/clear ") == []
    assert offered("/nothing ") == []


def test_completion_and_help_say_what_each_strategy_sends(session: Session) -> None:
    offered = [(word.text, word.meaning) for word, _ in everything().suggest(session, "/set strategy ")]
    assert offered == [(each.name, each.help) for each in STRATEGIES]
    explained = shown(do(session, "help strategy"))
    assert all(f"`{each.name}`: {each.help}" in explained for each in STRATEGIES)
    assert f"{AUTO}: {AUTO.help}." in shown(do(session, "set strategy"))


# Settings


def test_set_reads_a_size_and_says_that_the_model_reloads(session: Session) -> None:
    text = shown(do(session, "set num_ctx 8k"))
    assert "8192" in text
    assert "reloads the model" in text
    assert session.settings[table.NUM_CTX] == 8192
    assert "8192" in shown(do(session, "set num_ctx"))


def test_the_forms_of_ollama_run_work(session: Session) -> None:
    do(session, "set parameter temperature 0.5")
    do(session, "set verbose")
    do(session, "set nothink")
    do(session, 'set system """Be brief."""')
    assert session.settings[table.TEMPERATURE] == 0.5
    assert session.settings[table.VERBOSE] is True
    assert session.settings[table.THINK] == "off"
    assert session.settings[table.SYSTEM] == "Be brief."
    do(session, "set quiet")
    assert session.settings[table.VERBOSE] is False
    do(session, "set nowordwrap")
    assert session.settings[table.WORDWRAP] == 0
    do(session, "set wordwrap")
    assert session.settings[table.WORDWRAP] == 100


@pytest.mark.parametrize("setting", [row for row in table.TABLE if row.kind.bare], ids=lambda row: row.name)
def test_the_name_of_a_setting_that_can_be_on_switches_it_on(setting: Setting[object], session: Session) -> None:
    do(session, f"set {setting.name} off")
    assert session.settings[setting] == setting.kind.read("off")
    do(session, f"set {setting.name}")
    assert session.settings[setting] == setting.kind.read("on")


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("stop", '"END OF" \'x "y"\''),
        ("stop", '"\\\\n"'),
        ("stop", '""'),
        ("system", "'  spaces  '"),
        ("system", '"unset"'),
        ("system", 'It\'s "so".'),
        ("temperature", "0.1234567"),
        ("recall_share", "0.125"),
        ("num_ctx", "8k"),
        ("num_ctx", "unset"),
        ("seed", "-1"),
        ("format", '{"type": "object"}'),
        ("keep_alive", "1h30m"),
    ],
)
def test_what_set_shows_typed_again_gives_the_same_value(name: str, typed: str, session: Session) -> None:
    first = shown(do(session, f"set {name} {typed}")).splitlines()[0]
    value = session.settings[find_setting(name)]
    do(session, f"unset {name}")
    again = first.removeprefix(f"{name} = ").removesuffix("  (set here)")
    assert shown(do(session, f"set {name} {again}")).splitlines()[0] == first
    assert session.settings[find_setting(name)] == value
    assert any(row[0] == name and again.startswith(row[1].removesuffix("…")) for row in listed(session))


def listed(session: Session) -> list[tuple[str, ...]]:
    view = do(session, "set")
    assert isinstance(view, Show)
    assert isinstance(view.views[0], Listing)
    return [tuple(map(str, row)) for row in view.views[0].rows]


def test_a_stop_text_in_quotes_is_one_text(session: Session, engine: Engine) -> None:
    do(session, 'set stop "END OF"')
    say(session, "hi")
    assert engine.chats[-1]["options"]["stop"] == ["END OF"]


def test_bad_settings_and_values_are_refused_with_a_word(session: Session) -> None:
    with pytest.raises(UnknownSetting):
        do(session, "set nonsense 1")
    with pytest.raises(BadValue, match="num_ctx"):
        do(session, "set num_ctx lots")
    assert session.settings[table.NUM_CTX] is None


def test_set_alone_lists_every_setting_and_where_its_value_came_from(session: Session) -> None:
    do(session, "set seed 7")
    text = shown(do(session, "set"))
    for setting in table.TABLE:
        assert setting.name in text
    assert "seed 7 set here" in text


def test_unset_goes_back_to_what_was_before(session: Session) -> None:
    do(session, "set seed 7")
    assert "unset" in shown(do(session, "unset seed"))
    assert session.settings.options().get("seed") is None


def test_the_system_prompt_is_shown_replaced_and_edited(session: Session) -> None:
    assert "No system prompt" in shown(do(session, "system"))
    do(session, "system You are a pirate.")
    assert shown(do(session, "system")) == "You are a pirate."
    assert do(session, "system edit") == Prefill("/system You are a pirate.")


def test_a_setting_may_be_made_for_always(session: Session) -> None:
    file = session.paths.settings_file
    assert str(file) in shown(do(session, "set --always temperature 0.5"))
    assert file.read_text(encoding="utf-8") == 'temperature = "0.5"\n'
    assert session.settings[table.TEMPERATURE] == 0.5
    later = build(Wishes({"host": session.settings[table.HOST]}))
    assert later.settings[table.TEMPERATURE] == 0.5
    later.close()
    do(session, "unset --always temperature")
    assert session.settings[table.TEMPERATURE] is None
    assert file.read_text(encoding="utf-8") == ""
    assert "tempera" in str(everything().suggest(session, "/set --always temp"))


def stored_titles(session: Session) -> list[str]:
    with Store.open(session.paths.store) as store:
        return [entry.title for entry in store.entries()]


@pytest.mark.parametrize("line", ["set save on", "set --always save on", "unset save"])
def test_what_was_said_while_nothing_was_kept_is_stored_only_if_that_is_wanted(
    session: Session, line: str
) -> None:
    do(session, "set save off")
    say(session, "a secret")
    asked = do(session, line)
    assert isinstance(asked, Confirm)
    assert session.settings[table.SAVE] is False
    assert stored_titles(session) == []
    assert "stored from its beginning" in shown(asked.then())
    assert session.settings[table.SAVE] is True
    assert stored_titles(session) == ["a secret"]
    assert said(session)[0] == "a secret"


def test_saving_begins_unasked_with_a_new_conversation(session: Session) -> None:
    do(session, "set save off")
    say(session, "a secret")
    do(session, "clear")
    assert "save = on" in shown(do(session, "set save on"))
    say(session, "no secret")
    assert stored_titles(session) == ["no secret"]


def test_saving_what_is_saved_makes_no_second_conversation(session: Session) -> None:
    say(session, "hello")
    do(session, "set save on")
    do(session, "unset save")
    assert stored_titles(session) == ["hello"]
    assert session.store.entries()[0].id == session.conversation.id


def test_settings_made_in_a_conversation_come_back_with_it(session: Session) -> None:
    say(session, "hi")
    do(session, "system Be brief.")
    do(session, "set temperature 0")
    number = session.conversation.id
    do(session, "clear")
    do(session, "system Be verbose.")
    assert isinstance(do(session, f"load {number}"), Opened)
    assert session.settings[table.SYSTEM] == "Be brief."
    assert session.settings[table.TEMPERATURE] == 0


# Models


def test_models_are_listed_and_switched_and_the_conversation_stays(session: Session) -> None:
    say(session, "hi")
    assert "demo-vision" in shown(do(session, "models"))
    do(session, "model demo-vision")
    assert session.settings[table.MODEL] == "demo-vision"
    assert len(session.conversation.path()) == 2
    with pytest.raises(Missing, match="demo"):
        do(session, "model nope")
    assert session.settings[table.MODEL] == "demo-vision"


def test_model_alone_asks_which(session: Session) -> None:
    outcome = do(session, "model")
    assert isinstance(outcome, Choose)
    outcome.then(list(outcome.choices).index("demo-vision"))
    assert session.settings[table.MODEL] == "demo-vision"


def test_show_tells_what_the_server_knows(session: Session) -> None:
    assert "trained window" in shown(do(session, "show"))
    assert "{{" in shown(do(session, "show template"))
    with pytest.raises(Missing) as caught:
        do(session, "show templte")
    assert "template" in advised(caught.value)


# Pictures


def test_a_picture_goes_with_the_next_message(session: Session, engine: Engine, tmp_path: Path) -> None:
    picture = tmp_path / "a dot.png"
    picture.write_bytes(PNG)
    with pytest.raises(CannotSee, match="demo"):
        do(session, f"image '{picture}'")
    assert list(session.pending) == []
    do(session, "model demo-vision")
    assert "a dot.png" in shown(do(session, f"image '{picture}'"))
    assert [each.name for each in session.pending] == ["a dot.png"]
    do(session, "image none")
    assert list(session.pending) == []


@pytest.mark.parametrize("content", [None, b"", b"not a picture"], ids=["missing", "empty", "text"])
def test_a_file_that_is_no_picture_is_refused(session: Session, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "cat.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadFile, match=r"cat\.png"):
        do(session, f"image {file}")
    assert list(session.pending) == []


# Conversations


def test_clear_begins_anew_and_the_old_one_can_be_loaded(session: Session) -> None:
    say(session, "tell me of whales")
    do(session, "save whales")
    assert "whales" in shown(do(session, "clear"))
    assert session.conversation.tip is None
    say(session, "something else")
    assert isinstance(do(session, "load whales"), Opened)
    assert session.conversation.path()[0].message.text == "tell me of whales"


def test_load_of_something_unknown_says_so(session: Session) -> None:
    with pytest.raises(NotFound):
        do(session, "load nothing like it")


def test_load_of_a_models_exact_name_switches_the_model_and_keeps_the_conversation(session: Session) -> None:
    say(session, "hi")
    do(session, "load demo-vision")
    assert session.settings[table.MODEL] == "demo-vision"
    assert len(session.conversation.path()) == 2


def test_load_asks_when_a_name_is_a_model_and_a_conversation(session: Session) -> None:
    say(session, "hi")
    do(session, "save demo-vision")
    outcome = do(session, "load demo-vision")
    assert isinstance(outcome, Choose)
    assert outcome.choices[0] == "the model demo-vision"


def test_save_to_a_file_exports_and_asks_before_it_replaces(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        do(session, "save nothing.md")
    say(session, "hi there")
    file = tmp_path / "chat.md"
    do(session, f"save {file}")
    assert "hi there" in file.read_text()
    file.write_text("mine")
    outcome = do(session, f"save {file}")
    assert isinstance(outcome, Confirm)
    assert file.read_text() == "mine"
    outcome.then()
    assert "hi there" in file.read_text()


def test_history_shows_the_last_messages(session: Session) -> None:
    assert "Nothing" in shown(do(session, "history"))
    say(session, "one")
    say(session, "two")
    outcome = do(session, "history 2")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, History)
    assert [node.number for node in view.nodes] == [3, 4]


# The window


def test_context_accounts_for_every_message_and_never_overflows(session: Session) -> None:
    do(session, "set num_ctx 1k")
    for number in range(12):
        say(session, f"question {number}")
    outcome = do(session, "context")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, WindowView)
    numbers = [number for part in view.plan.parts if part.first for number in range(part.first, part.last + 1)]
    assert numbers == list(range(1, 25))
    assert all(part.count.tokens for part in view.plan.parts if part.first)
    assert view.plan.left_out > 0
    assert view.allocated == 1024
    assert view.plan.planned.tokens <= 1024
    assert view.measured is not None


# Help, and leaving


def test_help_lists_every_command_and_explains_each(session: Session) -> None:
    text = shown(do(session, "help"))
    registry = everything()
    for each in registry.commands:
        head, _, word = each.name.partition(" ")
        assert f"/{head}" in text
        assert word in registry.usage(registry.find(head))
        assert each.summary.rstrip(".") in shown(do(session, f"help {each.name}"))
    assert shown(do(session, "?")) == text
    assert "num_ctx" in shown(do(session, "? num_ctx"))
    assert "Ctrl" in shown(do(session, "? shortcuts"))
    assert shown(do(session, "? keys")) == shown(do(session, "? shortcuts"))
    with pytest.raises(UnknownCommand):
        do(session, "help nonsense")
    with pytest.raises(UnknownCommand) as caught:
        do(session, "help replys")
    assert "/help replies" in advised(caught.value)


def test_every_command_is_in_one_group_and_help_of_a_group_explains_its_commands(session: Session) -> None:
    groups = everything().groups
    assert [each for group in groups.values() for each in group] == everything().commands
    assert not {name for name in groups if name in everything()}  # /help NAME means one thing
    for group, commands in groups.items():
        text = shown(do(session, f"help {group}"))
        assert all(f"/{each.name} {first_clause(each.summary)}" in text for each in commands)


def test_help_settings_names_every_setting_and_each_group_of_them_is_explained(session: Session) -> None:
    text = shown(do(session, "help settings"))
    for group, settings in by_group().items():
        explained = shown(do(session, f"help settings {group}"))
        for each in settings:
            assert each.name in text
            assert f"{each.name} {first_clause(each.help)}" in explained


TOPICS = ["", "keys", *everything().groups, *(f"settings {group}" for group in by_group())]


@pytest.mark.parametrize("topic", TOPICS)
def test_help_fits_a_screen_of_80_columns_and_24_rows(session: Session, topic: str) -> None:
    outcome = do(session, f"help {topic}")
    assert isinstance(outcome, Show)
    lines = [line for view in outcome.views for line in draw(view, Palette("mono"), 80, True, speller=at_prompt)]
    assert len(lines) <= 24, (
        "shorten a help text on this page, up to its first colon, semicolon or period, to one line"
    )


@pytest.mark.parametrize("word", ["bye", "exit", "quit"])
def test_these_words_leave(session: Session, word: str) -> None:
    assert do(session, word) == Quit()


def test_without_a_server_commands_that_need_none_still_work() -> None:
    with nobody_there() as url:
        session = build(Wishes({"host": url}))
        try:
            assert "strategy" in shown(do(session, "set"))
            assert "Nothing" in shown(do(session, "history"))
            assert "/set" in shown(do(session, "help"))
        finally:
            session.close()


# Branches


def test_retry_asks_again_and_keeps_the_earlier_reply(session: Session, engine: Engine) -> None:
    with pytest.raises(UserError):
        do(session, "retry")
    engine.say("one", "two")
    say(session, "a number")
    outcome = do(session, "retry")
    assert isinstance(outcome, AskAgain)
    answer(session, outcome.question, lambda event: None)
    assert [node.message.text for node in session.conversation.path()] == ["a number", "two"]
    replies = session.store.children(session.conversation, outcome.question.id)
    assert [node.message.text for node in replies] == ["one", "two"]


def test_retry_after_an_error_asks_the_question_that_got_no_reply(session: Session, engine: Engine) -> None:
    say(session, "first")
    engine.script(*[Cut(after=0)] * 5)  # retries included
    with pytest.raises(StreamBroken):
        say(session, "second")
    outcome = do(session, "retry")
    assert isinstance(outcome, AskAgain)
    assert outcome.question.message.text == "second"


# Counts


def test_tokens_counts_files_with_the_models_own_vocabulary(session: Session, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello world")
    (tmp_path / "b.txt").write_text("def f(): pass\n" * 10)
    text = shown(followed(session, do(session, f"tokens {tmp_path}/a.txt {tmp_path}/b.txt")))
    counts = [int(line.split()[0].removeprefix("=")) for line in text.splitlines()[:3]]
    assert counts[2] == counts[0] + counts[1]
    with pytest.raises(BadFile):
        followed(session, do(session, f"tokens {tmp_path}/none.txt"))


def test_stats_tells_how_the_replies_came(session: Session) -> None:
    assert "No reply" in shown(do(session, "stats"))
    say(session, "hi")
    say(session, "and again")
    assert len(shown(do(session, "stats")).splitlines()) == 2


@pytest.mark.parametrize(
    ("summarised", "why"), [(False, "not sent: older than the window keeps"), (True, "is summarized")]
)
def test_context_why_explains_one_message(session: Session, engine: Engine, summarised: bool, why: str) -> None:
    do(session, "set num_ctx 1k")
    for number in range(8):
        engine.forget()
        # The first request is for the reply, the one after it for a summary, where one is due.
        engine.script(Slow(), Slow() if summarised else Status(400, "no summary today"))
        say(session, f"question {number}")
        assert session.background.wait("summary", 30)
    assert why in shown(do(session, "context why 1"))
    assert "sent word for word" in shown(do(session, "context why 15"))
    with pytest.raises(NotFound):
        do(session, "context why 99")
    with pytest.raises(BadArgument):
        do(session, "context what 1")
