"""What `--help` and `chatcli help` print: the pages of chatcli, of its settings, and of the subcommands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

from chatcli.commands import everything
from chatcli.settings.table import by_group

# Command lines of the page, with what each is for.
EXAMPLES = (
    ("chatcli", "a conversation in the terminal"),
    ('chatcli "why is the sky blue?"', "one question and its reply"),
    ('git diff | chatcli "review this"', "with what is piped in"),
    ('chatcli -m gemma3 -i cat.png "what is this?"', "with a picture"),
    ('chatcli -f report.pdf "sum this up"', "with a file or a page"),
    ("chatcli --continue", "the last conversation goes on"),
)


class Page(TyperCommand):
    """Its help ends with the subcommands that begin like this one, or with all where it is chatcli itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        first = tuple((self.name or "").split())
        if self.name == "chatcli":
            self._own_page(ctx, formatter)
            return
        longer = [" ".join(words) for words in everything().subcommands if words[: len(first)] == first != words]
        self.epilog = f"Subcommands: {', '.join(longer)}. Each has its --help." if longer else None
        super().format_help(ctx, formatter)

    def _own_page(self, ctx: Any, formatter: Any) -> None:
        """On one screen: the settings and the subcommands have pages of their own."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Examples"):
            formatter.write_dl(EXAMPLES, col_max=46)
        with formatter.section("Options"):
            formatter.write_dl([*_records(ctx, self.get_params(ctx)), ("--SETTING VALUE", _SETTINGS)])
        names = dict.fromkeys(words[0] for words in everything().subcommands)
        with formatter.section("Subcommands (chatcli help NAME explains one)"):
            formatter.write_text(", ".join(names))


_SETTINGS = "Any setting; `chatcli help settings` lists them."


class SettingsPage(TyperCommand):
    """Its help lists the flags of all settings, by their groups."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        flags: dict[str | None, Any] = {each.name: each for each in self.get_params(ctx)}
        formatter.write_text("Every setting is a flag, a variable (CHATCLI_NAME) and a line of the settings file.")
        for group, settings in by_group().items():
            of_group = [flags[each.name] for each in settings]
            for each in of_group:
                each.hidden = False
            with formatter.section(group.capitalize()):
                formatter.write_dl(list(_records(ctx, of_group)))


def _records(ctx: Any, parameters: Iterable[Any]) -> Iterable[tuple[str, str]]:
    return filter(None, (each.get_help_record(ctx) for each in parameters))
