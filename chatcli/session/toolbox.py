"""Toolbox: the tools of a session, what they work with, and the leave that was given in the open conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from chatcli.conversation.message import Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.paths import working_directory
from chatcli.settings import table
from chatcli.store import nodes
from chatcli.tools.leave import Asking, Grant, Rules, Verdict, judged
from chatcli.tools.tool import Reach, Scope, Tool, Workplace

if TYPE_CHECKING:
    from chatcli.session.session import Session


class Toolbox:
    """`own`: tools that a program has added. `granted`: what was answered with "always" in this conversation."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._own: dict[str, Tool] = {}
        self._granted: set[Grant] = set()
        self._folder = working_directory()
        with suppress(OSError):  # it may be gone
            self._folder = self._folder.resolve()
        self._searches_web = False
        self._offered: tuple[object, tuple[Tool, ...]] = (None, ())
        self._said = ""

    def add(self, tools: Iterable[Tool]) -> None:
        """Offer these, too, whatever the settings say."""
        self._own |= {tool.name: tool for tool in tools}

    def conversation_changed(self) -> None:
        self._granted.clear()

    def offered(self) -> tuple[Tool, ...]:
        """The tools that requests offer now, by name. What settings name and nobody knows is warned of, once."""
        session = self._session
        names = session.settings[table.TOOLS]
        if not (names or self._own) or session.settings[table.COMPLETE] or not session.model.get().knows_tools:
            return ()
        rules = self.rules()
        made_from = (session.server, names, rules, *self._own)
        if self._offered[0] != made_from:
            from chatcli.tools.table import with_reader

            every = with_reader({tool.name: tool for tool in self._chosen(names)} | self._own)
            self._warn_of(rules)
            self._offered = made_from, tuple(every[name] for name in sorted(every) if not rules.denies(name))
        return self._offered[1]

    def _warn_of(self, rules: Rules) -> None:
        """Tell which rules name no tool: they hold for nothing."""
        if rules == Rules():
            return
        from chatcli.tools.table import builtins, own_tools

        for rule, near in rules.unknown([*builtins(), *own_tools().tools, *self._own]):
            meant = f" Did you mean {near}?" if near else ""
            self._session.warn(f"The rule {rule} names no tool.{meant}")

    def _chosen(self, names: tuple[str, ...]) -> tuple[Tool, ...]:
        if not names:
            return ()
        from chatcli.session.tool_functions import can_search_the_web
        from chatcli.tools.table import ON, chosen

        self._searches_web = bool({ON, "web_search"} & set(names)) and can_search_the_web(self._session)
        tools, problems = chosen(names, self.workplace())
        self._session.warn(*problems)
        return tools

    def known(self) -> dict[str, Tool]:
        """All that could be offered here, by name."""
        from chatcli.tools.table import known

        return known(self.workplace()) | self._own

    def wanted(self) -> set[str]:
        """The names of those that the settings or a program want to be offered, whatever the model knows."""
        from chatcli.tools.table import chosen, with_reader

        names = self._session.settings[table.TOOLS]
        tools, _ = chosen(names, self.workplace())
        every = with_reader({tool.name: tool for tool in tools} | self._own)
        return {name for name in every if not self.rules().denies(name)}

    @property
    def granted(self) -> frozenset[Grant]:
        """What was answered with "always" in this conversation."""
        return frozenset(self._granted)

    def withheld(self) -> str:
        """Why the tools that the settings name are not offered, as a sentence; "" where they are, or none is."""
        session = self._session
        if not session.settings[table.TOOLS]:
            return ""
        if session.settings[table.COMPLETE]:
            return "The model is asked without tools: with complete, it gets nothing but text."
        name = session.model.get().name
        return "" if session.model.get().knows_tools else f"{name} knows no tools: it is asked without them."

    def notice(self) -> str:
        """`withheld`, once: where it is new."""
        said, self._said = self._said, self.withheld()
        return self._said if self._said != said else ""

    def definitions(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(tool.definition for tool in self.offered())

    def called(self) -> tuple[ToolUse, ...]:
        """The calls of the last message, if tools are offered; or the one that it has written as text, unless it
        was just told not to.
        """
        conversation = self._session.conversation
        last = conversation.last
        if last is None or last.message.role is not Role.ASSISTANT or not self.offered():
            return ()
        if last.message.calls:
            return last.message.calls
        if last.parent is None or conversation.node(last.parent).ended is Ended.REFUSED:
            return ()
        from chatcli.tools.written_calls import written_call

        written = written_call(last.message, {tool.name for tool in self.offered()})
        return (written,) if written is not None else ()

    def named(self, name: str) -> Tool | None:
        """The offered tool of that name."""
        return next((tool for tool in self.offered() if tool.name == name), None)

    def workplace(self, stopped: Callable[[], bool] = lambda: False) -> Workplace:
        """What the tools work with here. The web is searched where that was found to be possible."""
        from chatcli.session.tool_functions import fetch_page, search_chats, web_search, whole_result

        return Workplace(
            self._folder,
            search=partial(search_chats, self._session),
            fetch=fetch_page,
            web_search=partial(web_search, self._session) if self._searches_web else None,
            result=partial(whole_result, self._session),
            stopped=stopped,
        )

    def judged(self, tool: Tool, use: ToolUse, scope: Scope) -> tuple[Verdict, Asking]:
        """Whether this call may run now, and the question to a person, with the reason."""
        rules, private = self.rules(), tool.reach is Reach.NET and self._has_private()
        verdict, why = judged(tool, use, scope, rules, self._granted, private)
        asking = Asking(tool, use, scope, why)
        then, _ = judged(tool, use, scope, rules, {asking.grant}, private)
        return verdict, replace(asking, lasting=then is Verdict.RUN)

    def rules(self) -> Rules:
        """The user's own."""
        return Rules.of(self._session.settings)

    def grant(self, asking: Asking) -> None:
        """Leave for such calls until the conversation ends."""
        self._granted.add(asking.grant)

    def _has_private(self) -> bool:
        """Whether something private is in the conversation: a file, what a tool has read, or other chats. A tool
        that is no longer offered may have read anything, unless it is built in and reads nothing private.
        """
        session = self._session
        conversation = session.conversation
        if session.settings[table.RECALL] == "always":
            return True
        from chatcli.tools.table import builtins

        tools = [*(row.tool for row in builtins().values()), *self.offered()]
        harmless = [tool.name for tool in tools if tool.reach in {Reach.PURE, Reach.NET}]
        return conversation.tip is not None and session.store.read(
            nodes.has_private, conversation.id, conversation.tip, harmless
        )
