"""The table of tools: those built in, each a decorated function, and one's own from entry points of the group
`chatcli.tools`; and which of them a setting chooses.

What the functions work with is handed in as a Workplace; a tool that needs what is not there is not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.hints import Do, Hint, Words
from chatcli.tools.printing import printed_apart
from chatcli.tools.schema import ScopeOf, tool_of
from chatcli.tools.tool import Reach, Tool, Workplace, reach_of

ON = "on"  # in a setting: every built-in tool that need not be named
GROUP = "chatcli.tools"
READER = "read_result"


@dataclass(frozen=True, slots=True)
class Builtin:
    """`needs`: the field of the workplace without which it cannot work; "" is nothing. `named`: it is offered only
    where a setting names it.
    """

    tool: Tool
    needs: str = ""
    named: bool = False

    def works_in(self, workplace: Workplace) -> bool:
        return not self.needs or getattr(workplace, self.needs) is not None


def builtin(
    reach: Reach, scope: ScopeOf | None = None, *, needs: str = "", named: bool = False
) -> Callable[[Callable[..., Any]], Builtin]:
    """Make a function a built-in tool."""
    return lambda function: Builtin(tool_of(function, reach, scope), needs, named)


@cache
def builtins() -> Mapping[str, Builtin]:
    """The built-in ones by name, sorted."""
    from chatcli.tools import arithmetic, date_time, files, looking_up, shell_command

    modules = (arithmetic, date_time, files, looking_up, shell_command)
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Builtin)]
    return {each.tool.name: each for each in sorted(found, key=lambda each: each.tool.name)}


@dataclass(frozen=True, slots=True)
class Own:
    """One's own tools by name, and what is wrong with those that cannot be used."""

    tools: Mapping[str, Tool]
    problems: tuple[Words, ...] = ()


@cache
def own_tools() -> Own:
    """Those of installed packages. Each is imported, so this is called only where one is named or listed."""
    from importlib.metadata import entry_points

    tools: dict[str, Tool] = {}
    problems: list[Words] = []
    for point in sorted(entry_points(group=GROUP)):
        try:
            with printed_apart():
                found = point.load()
            tool = found if isinstance(found, Tool) else tool_of(found, reach_of(found), name=point.name)
        except (Exception, SystemExit) as error:  # whatever a package does when it is imported
            problems.append(
                f"The tool {point.name} of {point.value} cannot be used: {error or type(error).__name__}."
            )
            continue
        if tool.name in builtins() or tool.name in tools:
            problems.append(f"The tool {tool.name} of {point.value} is left out: there is one of that name.")
        else:
            tools[tool.name] = tool
    return Own(tools, tuple(problems))


def known(workplace: Workplace) -> dict[str, Tool]:
    """All that could be named in the setting, by name: the built-in ones that can work here, then one's own."""
    here = {name: each.tool for name, each in builtins().items() if each.works_in(workplace)}
    return {**here, **own_tools().tools}


def chosen(names: Sequence[str], workplace: Workplace) -> tuple[tuple[Tool, ...], list[Words]]:
    """The tools of a setting, sorted by name, and what is wrong with it. ON stands for every built-in one that
    need not be named.
    """
    found: dict[str, Tool] = {}
    problems: list[Words] = []
    for name in dict.fromkeys(names):
        row = builtins().get(name)
        if name == ON:
            usual = (each for each in builtins().values() if not each.named and each.works_in(workplace))
            found.update({each.tool.name: each.tool for each in usual})
        elif row is None and name in own_tools().tools:
            found[name] = own_tools().tools[name]
        elif row is None:
            problems += _of_that(name) or [_unknown(name, workplace)]
        elif row.works_in(workplace):
            found[name] = row.tool
        else:
            problems.append(f"The tool {name} cannot work here.")
    return tuple(tool for _, tool in sorted(found.items())), problems


def with_reader(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """With `read_result`, where a result may be longer than its share: the rest can be read then."""
    long = any(tool.reach is not Reach.PURE for tool in tools.values())
    return {**tools, **({READER: builtins()[READER].tool} if long else {})}


def _of_that(name: str) -> list[Words]:
    return [each for each in own_tools().problems if str(each).startswith(f"The tool {name} ")]


def _unknown(name: str, workplace: Workplace) -> Words:
    import difflib

    near = difflib.get_close_matches(name, [*known(workplace), ON], n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return Hint(f"There is no tool {name}.{meant} ", Hint(Do("tools"), " lists them."))
