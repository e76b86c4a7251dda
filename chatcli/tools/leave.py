"""Leave: whether a call may run, must be asked for, or may not; by the rules, and by what was answered before."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Set
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from chatcli.conversation.message import ToolUse
from chatcli.dataclass import dataclass
from chatcli.pattern import pattern
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.values import RULE
from chatcli.tools.tool import Reach, Scope, Tool


class Verdict(StrEnum):
    RUN = "run"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Rules:
    """Each rule is `TOOL` or `TOOL(PATTERN)`, its pattern matched against the scope of the call. Deny comes before
    ask, ask before allow. `here`: those given with the command line of this run; they hold even once something
    private is in the conversation, and where an ask rule would ask.
    """

    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    here: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        """The rules as they are set. A flag adds to what is allowed elsewhere."""
        above = settings.origin(table.TOOLS_ALLOW) > Layer.FLAG
        given = settings.up_to(table.TOOLS_ALLOW, Layer.FLAG)
        here = given if settings.origin(table.TOOLS_ALLOW, Layer.FLAG) is Layer.FLAG else ()
        allow = settings[table.TOOLS_ALLOW] if above else settings.up_to(table.TOOLS_ALLOW, Layer.PROFILE)
        return cls(settings[table.TOOLS_DENY], settings[table.TOOLS_ASK], allow, here)

    def denies(self, name: str) -> bool:
        """Whether no call of that tool may run: such a tool is not offered."""
        return name in self.deny

    def unknown(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The rules that name no tool of these, each with the nearest name ("": none)."""
        from difflib import get_close_matches

        known = list(names)
        for rule in dict.fromkeys((*self.deny, *self.ask, *self.allow, *self.here)):
            name, _ = parts_of(rule)
            if name not in known:
                yield rule, next(iter(get_close_matches(name, known, n=1)), "")


# A tool's name and a scope: leave that lasts until the conversation ends.
Grant = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Asking:
    """A call that needs leave, and `why`, as a phrase. `lasting`: an answer "always" would spare the next
    question.
    """

    tool: Tool
    use: ToolUse
    scope: Scope
    why: str
    lasting: bool = True

    @property
    def grant(self) -> Grant:
        """What the answer "always" grants."""
        return grant_of(self.tool, self.use, self.scope)

    @property
    def rule(self) -> str:
        """The rule that allows just this, or every call of a tool without a scope; "" where none does."""
        if self.scope.secret:
            return ""
        return f"{self.tool.name}({self.scope.what})" if self.scope.what else self.tool.name


class Leave(StrEnum):
    ONCE = "once"
    ALWAYS = "always"  # for this tool with the same scope, until the conversation ends
    NO = "no"
    QUIT = "quit"  # no, and the turn ends


@dataclass(frozen=True, slots=True)
class Answer:
    """`reason`: of a refusal, told to the model."""

    leave: Leave
    reason: str = ""


Allow = Callable[[Asking], Answer]

_SENSITIVE = "it looks like a secret"
_LEAKS = "something private is in the conversation, and this call could send it away"


def nobody(_asking: Asking) -> Answer:
    """For where nobody can be asked."""
    return Answer(Leave.NO, "Nobody can be asked here.")


def judged(
    tool: Tool, use: ToolUse, scope: Scope, rules: Rules, granted: Set[Grant], private: bool
) -> tuple[Verdict, str]:
    """The verdict, and why, as a phrase. `private`: something private is in the conversation already."""
    return next(_grounds(tool, use, scope, rules, granted, private))


def _grounds(
    tool: Tool, use: ToolUse, scope: Scope, rules: Rules, granted: Set[Grant], private: bool
) -> Iterator[tuple[Verdict, str]]:
    """All that speaks on the call, what weighs most first."""
    kept = grant_of(tool, use, scope)
    if rule := _first(rules.deny, tool, use, kept, widely=True):
        yield Verdict.REFUSE, f"the rule {rule} denies it"
    if scope.secret:
        yield Verdict.ASK, _SENSITIVE
    if rule := _first(rules.here, tool, use, kept):
        yield Verdict.RUN, f"--allow {rule}"
    if private and tool.reach is Reach.NET:
        yield Verdict.ASK, _LEAKS
    if kept in granted:
        yield Verdict.RUN, "allowed until the conversation ends"
    if rule := _first(rules.ask, tool, use, kept, widely=True):
        yield Verdict.ASK, f"the rule {rule} asks"
    if rule := _first(rules.allow, tool, use, kept):
        yield Verdict.RUN, f"the rule {rule} allows it"
    if tool.reach is Reach.PURE:
        yield Verdict.RUN, f"it {tool.reach.meaning}"
    yield Verdict.ASK, f"it {tool.reach.meaning}"


_USUALLY = {
    Reach.PURE: "runs",
    Reach.PRIVATE: "asks",
    Reach.NET: "asks for each host",
    Reach.ACTS: "asks each time",
}


def standing(tool: Tool, rules: Rules, granted: Set[Grant]) -> str:
    """In a few words whether calls of the tool run: the rules on it and what was granted, else what is usual."""
    told: list[str] = []
    for verb, several in (("never", rules.deny), ("runs", rules.here), ("asks", rules.ask), ("runs", rules.allow)):
        for name, wanted in map(parts_of, several):
            if name == tool.name and wanted is None:
                return ", ".join([*told, verb])
            told += [f"{verb} for {wanted}"] if name == tool.name else []
    told += [f"runs for {what} in this conversation" for name, what in sorted(granted) if name == tool.name]
    return ", ".join([*told, f"else {_USUALLY[tool.reach]}" if told else _USUALLY[tool.reach]])


def grant_of(tool: Tool, use: ToolUse, scope: Scope) -> Grant:
    """What leave for this call is about. A tool without a scope gets leave for the very same arguments only."""
    return tool.name, scope.what or json.dumps(dict(use.arguments), sort_keys=True, default=str)


def parts_of(rule: str) -> tuple[str, str | None]:
    """The tool's name, and the pattern (None: all calls). What is no rule names a tool that there is not."""
    found = RULE.fullmatch(rule)
    return (found[1], found[2]) if found else (rule, None)


def _first(rules: Iterable[str], tool: Tool, use: ToolUse, kept: Grant, *, widely: bool = False) -> str:
    """The first rule that matches; "" for none. `widely`: one command in another is enough, and of a call
    one of its texts: what denies or asks had better match once too often.
    """
    for rule in rules:
        name, wanted = parts_of(rule)
        if name == tool.name and (wanted is None or _matches(wanted, tool.reach, use, kept[1], widely)):
            return rule
    return ""


# What joins two commands, or sends one's output elsewhere.
_JOIN = r"[;&|<>\n\r`]|\$\("
_JOINS = pattern(_JOIN)
# What a command may stand between, in another one: (rm x), sh -c 'rm x'.
_ENCLOSES = pattern(rf"{_JOIN}|[(){{}}!'\"]")


def _matches(pattern: str, reach: Reach, use: ToolUse, what: str, widely: bool) -> bool:
    if what == pattern:
        return True
    if reach is Reach.ACTS and not widely:  # "ls *" must not allow "ls; rm -rf ."
        return not _JOINS.search(what) and fnmatchcase(what, pattern)
    patterns, wholes = {pattern}, [what]
    if reach is Reach.ACTS:  # "rm *" is in sudo rm x, X=1 rm x and /bin/rm x
        patterns.add(f"*[ \t/]{pattern}")
        wholes += [f" {part.strip()}" for part in _ENCLOSES.split(what)]
    if widely:
        wholes += [value for value in use.arguments.values() if isinstance(value, str)]
    if reach is Reach.PRIVATE and PurePath(what).is_absolute():
        patterns.add(_as_folder(pattern))
        wholes += map(str, PurePath(what).parents)
    return any(each == whole or fnmatchcase(whole, each) for each in patterns for whole in wholes)


def _as_folder(pattern: str) -> str:
    """The pattern of a folder as people write it, from home or from where they are, in full."""
    try:
        return str(Path(pattern).expanduser().resolve())
    except (OSError, RuntimeError, ValueError):  # no home, or no path
        return pattern
