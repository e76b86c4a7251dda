"""Leave: whether a call may run, must be asked for, or may not; by the rules, and by what was answered before."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from enum import StrEnum

from chatcli.conversation.message import ToolUse
from chatcli.tools.tool import Reach, Scope, Tool


class Verdict(StrEnum):
    RUN = "run"
    ASK = "ask"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Rules:
    """Each rule is `TOOL` or `TOOL(PATTERN)`, its pattern matched against the scope of the call. Deny comes before
    ask, ask before allow. `here`: those given with the command line of this run; they hold even once something
    private is in the conversation.
    """

    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


Grant = tuple[str, str]  # a tool's name and a scope: leave that lasts until the conversation ends


@dataclass(frozen=True, slots=True)
class Asking:
    """A call that needs leave, and `why`, as a phrase."""

    tool: Tool
    use: ToolUse
    scope: Scope
    why: str


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


def judged(
    tool: Tool, use: ToolUse, scope: Scope, rules: Rules, granted: Set[Grant], private: bool
) -> tuple[Verdict, str]:
    """The verdict, and why, as a phrase. `private`: something private is in the conversation already."""
    del use, scope, rules, granted, private
    return (Verdict.RUN if tool.reach is Reach.PURE else Verdict.ASK), ""
