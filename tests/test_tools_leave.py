"""Leave for tool calls: what runs, what is asked for and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.conversation.message import ToolUse
from chatcli.errors import BadValue
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.setting import Refusal, Setting
from chatcli.tools.leave import Asking, Rules, Verdict, grant_of, judged
from chatcli.tools.tool import Reach, Scope, Tool


def a_tool(name: str, reach: Reach) -> Tool:
    return Tool(name, "", {}, reach, lambda _arguments, _workplace: "")


TOOLS = {
    name: a_tool(name, reach)
    for name, reach in {
        "now": Reach.PURE,
        "read_file": Reach.PRIVATE,
        "search_chats": Reach.PRIVATE,
        "fetch_page": Reach.NET,
        "run": Reach.ACTS,
    }.items()
}


def verdict(
    name: str,
    what: str = "",
    rules: Rules = Rules(),  # noqa: B008 - it is frozen
    *,
    granted: set[tuple[str, str]] = frozenset(),  # type: ignore[assignment]
    private: bool = False,
    secret: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> Verdict:
    use = ToolUse(name, arguments or {})
    return judged(TOOLS[name], use, Scope(what, secret), rules, granted, private)[0]


@pytest.mark.parametrize(("name", "expected"), [(n, Verdict.RUN if n == "now" else Verdict.ASK) for n in TOOLS])
def test_without_rules_only_what_touches_nothing_runs_unasked(name: str, expected: Verdict) -> None:
    assert verdict(name, "x") is expected


FOLDER = "/home/ada/notes"


@pytest.mark.parametrize(
    ("rule", "name", "what", "allowed"),
    [
        ("fetch_page", "fetch_page", "example.org", True),
        ("fetch_page(example.org)", "fetch_page", "example.org", True),
        ("fetch_page(*.example.org)", "fetch_page", "docs.example.org", True),
        ("fetch_page(*.example.org)", "fetch_page", "example.org.evil.net", False),
        ("fetch_page(example.org)", "run", "example.org", False),
        (f"read_file({FOLDER})", "read_file", FOLDER, True),
        (f"read_file({FOLDER})", "read_file", f"{FOLDER}/old/2020", True),
        (f"read_file({FOLDER})", "read_file", f"{FOLDER}-of-bob", False),
        (f"read_file({FOLDER})", "read_file", "/home/ada", False),
        ("read_file(.)", "read_file", str(Path.cwd() / "src"), True),
        ("read_file(~/x)", "read_file", str(Path("~/x/y").expanduser().resolve()), True),
        ("search_chats(the chats)", "search_chats", "the chats", True),
        ("run", "run", "ls; rm -rf .", True),
        ("run(ls *)", "run", "ls -la src", True),
        ("run(ls)", "run", "ls -la", False),
        ("run(ls && pwd)", "run", "ls && pwd", True),
        *(
            ("run(ls *)", "run", f"ls x{join}rm -rf .", False)
            for join in (";", "&&", " & ", "|", "\n", "\r", "`", "$(", " > ", " < ")
        ),
    ],
)
def test_a_rule_allows_what_it_says_and_no_more(rule: str, name: str, what: str, allowed: bool) -> None:
    assert (verdict(name, what, Rules(allow=(rule,))) is Verdict.RUN) is allowed
    assert (verdict(name, what, Rules(here=(rule,))) is Verdict.RUN) is allowed


@pytest.mark.parametrize(
    ("rule", "name", "what", "arguments"),
    [
        ("run(rm *)", "run", "ls && rm -rf .", {}),
        *(
            ("run(rm *)", "run", what, {})
            for what in ("sudo rm x", "A=1 rm x", "(rm x)", "/bin/rm x", "sh -c 'rm x'")
        ),
        ("run(rm *)", "run", "echo $(rm -rf .)", {}),
        ("read_file(*.key)", "read_file", FOLDER, {"path": "mine.key"}),
        (f"read_file({FOLDER})", "read_file", f"{FOLDER}/old", {}),
        ("now", "now", "", {}),
    ],
)
def test_a_rule_that_denies_or_asks_reaches_into_the_call(
    rule: str, name: str, what: str, arguments: Mapping[str, Any]
) -> None:
    assert verdict(name, what, Rules(deny=(rule,)), arguments=arguments) is Verdict.REFUSE
    assert verdict(name, what, Rules(ask=(rule,)), arguments=arguments) is Verdict.ASK


def test_once_something_private_is_there_only_the_command_line_spares_the_question_before_the_net() -> None:
    host, grant = "example.org", {("fetch_page", "example.org")}
    assert verdict("fetch_page", host, granted=grant) is Verdict.RUN
    assert verdict("fetch_page", host, Rules(allow=("fetch_page",)), granted=grant, private=True) is Verdict.ASK
    assert verdict("fetch_page", host, Rules(here=("fetch_page",)), private=True) is Verdict.RUN


def test_what_looks_like_a_secret_is_always_asked_for() -> None:
    rules = Rules(allow=("read_file",), here=("read_file",))
    assert verdict("read_file", FOLDER, rules, granted={("read_file", FOLDER)}, secret=True) is Verdict.ASK


def test_a_tool_that_names_no_scope_gets_leave_for_the_same_arguments_only() -> None:
    tool, use = TOOLS["run"], ToolUse("run", {"b": 1, "a": 2})
    grant = grant_of(tool, use, Scope())
    assert judged(tool, ToolUse("run", {"a": 2, "b": 1}), Scope(), Rules(), {grant}, False)[0] is Verdict.RUN
    assert judged(tool, ToolUse("run", {"a": 2, "b": 3}), Scope(), Rules(), {grant}, False)[0] is Verdict.ASK


def test_the_rule_that_a_question_names_allows_that_call() -> None:
    for what in ("ls && rm [a-z]*", "example.org"):
        asking = Asking(TOOLS["run"], ToolUse("run", {}), Scope(what), "")
        assert verdict("run", what, Rules(here=(asking.rule,))) is Verdict.RUN


def test_a_rule_that_names_no_tool_is_told_with_the_nearest() -> None:
    rules = Rules(deny=("red_file",), allow=("now", "zzz(x)"))
    assert list(rules.unknown(TOOLS)) == [("red_file", "read_file"), ("zzz(x)", "")]


def test_flags_add_to_the_rules_of_the_settings() -> None:
    settings = Settings()
    settings.put("tools_allow", ["now"], Layer.FILE)
    assert Rules.of(settings) == Rules(allow=("now",))
    settings.put("allow", ["run(ls *)"], Layer.FLAG)
    assert Rules.of(settings) == Rules(allow=("now",), here=("run(ls *)",))
    settings.put("tools_allow", ["fetch_page"], Layer.SET)
    assert Rules.of(settings) == Rules(allow=("fetch_page",), here=("run(ls *)",))


@pytest.mark.parametrize("setting", [table.TOOLS_DENY, table.TOOLS_ASK, table.TOOLS_ALLOW])
def test_rules_are_no_part_of_a_conversation_and_are_checked_when_they_are_set(
    setting: Setting[Any],
) -> None:
    assert not setting.kept
    assert setting.from_outside(()) is Refusal.PROGRAM
    for wrong in ("run(ls", "a b", "(x)"):
        with pytest.raises(BadValue):
            Settings().put(setting.name, [wrong], Layer.FILE)


_names = st.sampled_from(sorted(TOOLS))
_whats = st.sampled_from(["", "ls", "ls; rm x", "example.org", FOLDER])
_rules = st.lists(
    st.one_of(_names, st.tuples(_names, st.sampled_from(["*", "ls", "l?", FOLDER])).map("{0[0]}({0[1]})".format)),
    max_size=3,
).map(tuple)


@given(
    _names,
    _whats,
    _rules,
    _rules,
    _rules,
    _rules,
    st.sets(st.tuples(_names, _whats)),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_rules_nothing_runs_that_nobody_allowed(  # noqa: PLR0917
    name: str,
    what: str,
    deny: tuple[str, ...],
    ask: tuple[str, ...],
    allow: tuple[str, ...],
    here: tuple[str, ...],
    granted: set[tuple[str, str]],
    private: bool,
    secret: bool,
) -> None:
    tool, use, scope = TOOLS[name], ToolUse(name, {}), Scope(what, secret)
    found, why = judged(tool, use, scope, Rules(deny, ask, allow, here), granted, private)
    spoken_for = [rule for rule in (*allow, *here) if rule.partition("(")[0] == name]
    granted_here = grant_of(tool, use, scope) in granted
    assert why
    if name in deny:
        assert found is Verdict.REFUSE
    if found is Verdict.RUN:
        assert not secret
        assert tool.reach is Reach.PURE or granted_here or spoken_for
        if tool.reach is Reach.NET and private:
            assert any(rule.partition("(")[0] == name for rule in here)
