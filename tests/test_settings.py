"""Settings: kinds of values, layers, and the origin of a value."""

from __future__ import annotations

import re
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.errors import BadValue, ConfigError, UnknownSetting
from chatcli.settings import table, values
from chatcli.settings.file import read_environment, read_file, write_setting
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.setting import Setting
from chatcli.settings.strategies import STRATEGIES, Strategy


class Text(str):
    """A text of a type of its own, as enumerations have them: what it is and what it prints may differ."""

    def __str__(self) -> str:
        return "Text"


@pytest.mark.parametrize(
    ("typed", "tokens"), [("8k", 8192), ("8192", 8192), ("1.5K", 1536), ("1m", 1048576), ("4_096", 4096)]
)
def test_a_size_may_be_typed_with_its_unit(typed: str, tokens: int) -> None:
    assert values.size().read(typed) == tokens


@pytest.mark.parametrize("typed", ["", "k", "-8k", "0", "8 apples", "99999999999k", "nan"])
def test_a_size_that_makes_no_sense_is_refused_with_what_is_expected(typed: str) -> None:
    with pytest.raises(BadValue, match="size in tokens"):
        values.size().read(typed)


def test_numbers_outside_their_range_are_refused() -> None:
    with pytest.raises(BadValue, match="from 0 to 1"):
        values.number(0, 1).read("1.5")
    with pytest.raises(BadValue):
        values.number().read("inf")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5))
def test_stop_texts_come_back_as_they_were_written(texts: list[str]) -> None:
    kind = values.texts()
    assert kind.read(kind.write(tuple(texts))) == tuple(texts)


@pytest.mark.parametrize("blank", [" ", "\n\n"])
def test_a_stop_text_of_blanks_alone_is_one_text(blank: str) -> None:
    assert values.texts().read(blank) == (blank,)


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ('"END OF"', ("END OF",)),
        ("'END OF' \"x y\"", ("END OF", "x y")),
        ("END OF", ("END", "OF")),
        ("END\\ OF", ("END OF",)),
        ('a"b c"d', ("ab cd",)),
        ("don't can't", ("don't", "can't")),
        (r'"\n" \n', ("\n", "\\n")),
        ("'it'\"'\"'s'", ("it's",)),
        ("'say \"no\"'", ('say "no"',)),
        ('""', ()),
    ],
)
def test_stop_texts_are_quoted_as_in_a_shell(typed: str, texts: tuple[str, ...]) -> None:
    assert table.STOP.typed(typed) == texts


@pytest.mark.parametrize("typed", ['"END OF', "'END OF", 'a "'])
def test_a_quote_that_is_not_closed_is_refused(typed: str) -> None:
    with pytest.raises(BadValue, match="not closed"):
        table.STOP.typed(typed)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("'You are brief.'", "You are brief."),
        ('"Say \\"no\\"."', 'Say "no".'),
        ('"Yes" or "no"?', '"Yes" or "no"?'),
        ('"say "hi" now"', '"say "hi" now"'),
        ("It's 'tis", "It's 'tis"),
        ('"""a "b" c"""', 'a "b" c'),
        ('"unset"', "unset"),
        ("unset", None),
    ],
)
def test_a_text_in_quotes_is_the_text_between_them(typed: str, text: str | None) -> None:
    assert table.SYSTEM.typed(typed) == text


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_what_is_shown_of_a_setting_can_be_typed_again(setting: Setting[object]) -> None:
    texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t'\"\\"), max_size=12)
    numbers = st.one_of(st.integers(-2, 2**31), st.floats(0, 1), st.floats(-10, 10))
    words = st.sampled_from((*setting.kind.words, "unset", ""))

    @settings(max_examples=30)
    @given(st.one_of(texts, words, numbers, st.lists(texts, max_size=3)))
    def check(value: object) -> None:
        before, again = Settings(), Settings()
        try:
            before.put(setting.name, value, Layer.SET)
        except BadValue:
            return
        if before.shown(setting) != before.written(setting):  # a password is not shown
            return
        typed = setting.typed(setting.as_typed(before.shown(setting)).strip())
        if typed is None:
            again.put_value(setting, setting.default, Layer.SET)
        else:
            again.put(setting.name, typed, Layer.SET)
        assert again[setting] == before[setting]

    check()


SOURCES = {path: path.read_text(encoding="utf-8") for path in Path(table.__file__).parents[1].rglob("*.py")}


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_every_setting_is_read_somewhere(setting: Setting[object]) -> None:
    if not setting.option:  # those go to Ollama all together
        read = re.compile(rf"\btable\.{setting.name.upper()}\b")
        assert any(map(read.search, SOURCES.values())), f"{setting.name} has a row, but nothing reads it"


def test_no_setting_is_read_that_has_no_row() -> None:
    read = {name for text in SOURCES.values() for name in re.findall(r"\btable\.([A-Z][A-Z_]+)\b", text)}
    assert {name for name in read if not hasattr(table, name)} == set(), "no row in settings/table.py for these"


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_a_strategy_names_settings_that_there_are(strategy: Strategy) -> None:
    assert all(find_setting(name).name == name for name in strategy.settings)


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_every_default_can_be_written_and_read_back(setting: Setting[object]) -> None:
    written = setting.kind.write(setting.default)
    if written:
        assert setting.kind.read(written) == setting.default


def test_names_and_aliases_are_never_shared() -> None:
    words = [word for setting in table.TABLE for word in (setting.name, *setting.aliases)]
    assert len(words) == len(set(words))


def test_later_layers_win_and_the_origin_is_told() -> None:
    settings = Settings()
    assert settings[table.NUM_CTX] is None
    for layer, text in [(Layer.FILE, "2k"), (Layer.FLAG, "8k"), (Layer.ENVIRONMENT, "4k")]:
        settings.put("num_ctx", text, layer)
    assert settings[table.NUM_CTX] == 8192
    assert settings.origin(table.NUM_CTX) is Layer.FLAG
    settings.put("num-ctx", "16k", Layer.SET)
    assert settings[table.NUM_CTX] == 16384
    settings.unset("num_ctx")
    assert settings[table.NUM_CTX] == 8192


def test_an_unknown_setting_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownSetting) as caught:
        find_setting("temprature")
    assert "temperature" in caught.value.hint


def test_only_options_that_are_set_go_with_a_request() -> None:
    settings = Settings()
    settings.put("temperature", "0", Layer.SET)
    settings.put("stop", '"END OF" x', Layer.SET)
    assert settings.options() == {"temperature": 0.0, "stop": ["END OF", "x"]}


def test_what_a_conversation_kept_is_taken_up_again_and_strangers_are_named() -> None:
    before = Settings()
    before.put("system", "Be brief.", Layer.SET)
    before.put("verbose", "on", Layer.SET)
    after = Settings()
    refused = after.take_up({**before.kept(), "from_the_future": "1"})
    assert after[table.SYSTEM] == "Be brief."
    assert after[table.VERBOSE] is False
    assert refused == ["from_the_future"]


def test_a_conversation_sets_only_what_is_kept_with_one() -> None:
    settings = Settings()
    refused = settings.take_up({"save": "off", "host": "http://evil.example", "seed": "7"})
    assert refused == ["save", "host"]
    assert settings[table.SEED] == 7
    assert all(settings.origin(setting) is Layer.DEFAULT for setting in table.TABLE if not setting.kept)


def test_the_settings_file_is_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('model = "qwen3"\nnum_ctx = "8k"\ntemperature = 0.5\nverbose = true\nstop = ["a b", "c"]\n')
    settings = Settings()
    read_file(settings, file)
    assert settings[table.MODEL] == "qwen3"
    assert settings[table.NUM_CTX] == 8192
    assert settings[table.VERBOSE] is True
    assert settings[table.STOP] == ("a b", "c")
    file.write_text('model = "qwen3"\ntemperature = "hot"\n')
    with pytest.raises(ConfigError) as caught:
        read_file(Settings(), file)
    assert caught.value.line == 2
    file.write_text("model = \n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_file(Settings(), file)


def test_the_environment_sets_and_its_bad_values_are_named() -> None:
    settings = Settings()
    read_environment(settings, {"CHATCLI_NUM_CTX": "4k", "OLLAMA_NOHISTORY": "1"})
    assert settings[table.NUM_CTX] == 4096
    assert settings[table.HISTORY] is False
    with pytest.raises(BadValue, match="CHATCLI_SEED"):
        read_environment(settings, {"CHATCLI_SEED": "x"})


def test_a_setting_is_written_without_disturbing_the_rest_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\nseed = 7  # lucky\n")
    write_setting(file, table.NUM_CTX, "8k")
    assert file.read_text() == '# mine\nseed = 7  # lucky\nnum_ctx = "8k"\n'
    write_setting(file, table.NUM_CTX, None)
    assert "num_ctx" not in file.read_text()


def test_a_setting_that_stands_there_under_its_other_name_is_not_written_twice(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('keepalive = "5m"\n')
    write_setting(file, table.KEEP_ALIVE, "10m")
    assert file.read_text() == 'keep_alive = "10m"\n'


def test_a_settings_file_that_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("num_ctx = = 8\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        write_setting(file, table.SEED, "7")
    assert file.read_text() == "num_ctx = = 8\n"


# What a program may give for a setting besides text, and what it is then.
NATIVE: dict[str, list[tuple[object, object]]] = {
    "a whole number": [(40, 40), (40.0, 40)],
    "a number": [(0, 0.0), (0.5, 0.5), (Fraction(1, 2), 0.5)],
    "a size": [(8192, 8192), (8192.0, 8192)],
    "on or off": [(True, True), (False, False)],
    "on, off, or a number": [(True, 100), (False, 0), (72, 72)],
    "one of on, off": [(True, "on"), (False, "off")],
    "a share": [(0.25, 0.25), (1, 1.0)],
    "a duration": [(300, "300"), (-1, "-1"), (1.5, "1.500s"), (timedelta(minutes=5), "300")],
    "one or more texts": [(["END OF", 'a"b\n'], ("END OF", 'a"b\n')), (("x",), ("x",)), ([], ())],
    "json, a path": [(Path("a.json"), "a.json"), ({"type": "object"}, '{"type": "object"}')],
}
WRONG = [
    True,
    1.5,
    10**30,
    10**5000,
    float("nan"),
    float("inf"),
    b"x",
    [1],
    {"a": {1, 2}},
    {1, 2},
    object(),
    date(2026, 1, 1),
]


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_every_setting_takes_values_of_pythons_own_kinds(setting: Setting[object]) -> None:
    pairs = [pair for begin, pairs in NATIVE.items() if setting.kind.expects.startswith(begin) for pair in pairs]
    typed = setting.kind.write(setting.default) or (setting.kind.words or ("1",))[0]
    settings = Settings()
    for value, taken in [*pairs, (typed, setting.kind.read(typed)), (Text(typed), setting.kind.read(typed))]:
        settings.put(setting.name, value, Layer.FLAG)
        assert settings[setting] == taken
        assert type(settings[setting]) is type(taken)
        assert setting.kind.read(setting.kind.write(settings[setting])) == taken


@pytest.mark.parametrize("setting", table.TABLE, ids=lambda setting: setting.name)
def test_every_setting_refuses_a_wrong_value_and_says_what_it_takes(setting: Setting[object]) -> None:
    refused = list(filter(None, (refusal(setting, value) for value in WRONG)))
    assert len(refused) >= len(WRONG) - 2, "at most a number and a switch among them are of its kind"
    for error in refused:
        assert error.message.startswith(f"{setting.name}: ")
        assert setting.kind.expects in error.message
        assert len(error.message) < 250
        assert error.hint == setting.help


def refusal(setting: Setting[object], value: object) -> BadValue | None:
    try:
        Settings().put(setting.name, value, Layer.FLAG)
    except BadValue as error:
        return error
    return None


@pytest.mark.parametrize(
    ("line", "setting", "value"),
    [
        ("num_ctx = 8192", table.NUM_CTX, 8192),
        ("temperature = 0", table.TEMPERATURE, 0.0),
        ("top_p = 5e-1", table.TOP_P, 0.5),
        ("keep_alive = -1", table.KEEP_ALIVE, "-1"),
        ("think = true", table.THINK, "on"),
        ('stop = ["END OF", "\\n"]', table.STOP, ("END OF", "\n")),
        ('format = {type = "object"}', table.FORMAT, '{"type": "object"}'),
        ("recall = false", table.RECALL, "off"),
    ],
)
def test_a_settings_file_has_values_of_tomls_own_kinds(
    line: str, setting: Setting[object], value: object, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(line)
    settings = Settings()
    read_file(settings, tmp_path / "config.toml")
    assert settings[setting] == value


@pytest.mark.parametrize(
    "line", ["model = 5", "num_ctx = true", "stop = [1]", "seed = 2026-01-01", "verbose = {a = 1}"]
)
def test_a_settings_file_with_a_value_of_another_kind_is_refused_by_its_line(line: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"# mine\n{line}\n")
    with pytest.raises(ConfigError, match=r"config\.toml, line 2: \w+: .* is not ") as caught:
        read_file(Settings(), tmp_path / "config.toml")
    assert caught.value.line == 2
