"""The flags and the subcommands of the shell: flags from the settings table, subcommands from the registry. Typer
parses them.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Protocol, get_args

import typer
from typer.core import TyperCommand
from typer.models import OptionInfo

import chatcli
from chatcli.cli.command_line import CommandLine, read_line
from chatcli.cli.help_pages import Page, SettingsPage
from chatcli.commands import everything, may_be_subcommand
from chatcli.errors import BadArgument, BadValue, UnknownCommand
from chatcli.hints import Do, Hint, Words
from chatcli.paths import shown
from chatcli.session.wishes import Output, Wishes
from chatcli.settings import table
from chatcli.settings.layers import find_setting
from chatcli.settings.setting import Setting
from chatcli.settings.table import SHORTHANDS, TABLE

if TYPE_CHECKING:
    from chatcli.commands.arguments import Parameter
    from chatcli.commands.registry import Command

# What to do once the command line is parsed; it returns the exit code.
Work = Callable[[], int]
# The settings that have a flag in every subcommand.
OF_SERVER = (table.HOST, table.INSECURE, table.MODEL)
SHORT = {"model": "-m", "system": "-s"}
HELP, SETTINGS = "help", "settings"
NAMING = {"--resume", "-r"}  # beside one of these no word is a subcommand


class Chat(Protocol):
    """Asks once, or starts the loop; returns the exit code."""

    def __call__(
        self, wishes: Wishes, prompt: Sequence[str], images: Sequence[str], files: Sequence[str], output: Output
    ) -> int: ...


def parsed(arguments: Sequence[str], chat: Chat) -> Work:
    """What the command line asks for. `chat` asks once or starts the loop. Raises UserError."""
    arguments, page = _help_on(arguments) if HELP in arguments else (arguments, _AsTyped)
    try:
        work = _read(*parser(arguments, chat, page, few=True))
    except typer.TyperException:  # said again by one that knows all flags, and which of them may have been meant
        command, name, rest = parser(arguments, chat, page)
        try:
            work = _read(command, name, rest)
        except typer.TyperException as error:
            raise BadArgument(error.format_message(), _usage(name, arguments)) from None
    # It is done outside of Typer, which handles Ctrl-C and closed pipes in its own way.
    return _prompt_named(work, arguments) if callable(work) else lambda: 0


def _read(command: TyperCommand, name: str, rest: list[str]) -> Any:
    return command.main(rest, prog_name=f"chatcli {name}".rstrip(), standalone_mode=False)


def _prompt_named(work: Work, arguments: Sequence[str]) -> Work:
    """The same work; where `chatcli help me` asks for help on nothing that there is, the error tells how to send
    it as a prompt.
    """

    def named() -> int:
        try:
            return work()
        except UnknownCommand as error:
            error.advice = Hint(error.advice, _to_send(line_of(arguments).words))
            raise

    return named


def _help_on(arguments: Sequence[str]) -> tuple[Sequence[str], type[TyperCommand]]:
    """For `chatcli help ...`, the command line whose --help says it, and the page of a plain `chatcli`; what only
    the prompt has is left to the command itself.
    """
    line = line_of(arguments)
    first, *topic = line.words or [""]
    if first == HELP and not line.flags & {*NAMING, *_HELP["help_option_names"]}:
        if topic == [SETTINGS]:
            return ["--help"], SettingsPage
        if not topic or tuple(topic) in everything().subcommands:
            return [*topic, "--help"], _AsTyped
    return arguments, _AsTyped


def parser(
    arguments: Sequence[str], chat: Chat, page: type[TyperCommand] | None = None, *, few: bool = False
) -> tuple[TyperCommand, str, list[str]]:
    """What parses the command line, the words of its subcommand ("": none), and what is left to parse. `page`:
    what a plain `chatcli` shows as its help. `few`: it may know only the flags that are given, since Typer takes
    longer to make them all than to read them.

    Raises UnknownCommand where the words look like a mistyped subcommand.
    """
    line = line_of(arguments)
    chosen = _chosen(line)
    shell = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=_HELP
    )
    if chosen is not None:
        described = f"{chosen.summary}\n\n{chosen.details}"
        dashed = {"ignore_unknown_options": True} if any(each.dashed for each in chosen.parameters) else {}
        context = {**_HELP, **dashed}
        shell.command(name=chosen.subcommand, cls=Page, help=described, context_settings=context)(
            _subcommand(chosen)
        )
    else:
        given = line.flags if few and not line.flags & {*_HELP["help_option_names"]} else None
        shell.command(name="chatcli", cls=page or _AsTyped)(_chat_command(chat, given))
    name = chosen.subcommand if chosen is not None else ""
    command = typer.main.get_command(shell)
    assert isinstance(command, TyperCommand)
    return command, name, line.without(len(name.split()))


def line_of(arguments: Sequence[str]) -> CommandLine:
    """The command line, read with the flags of a plain `chatcli`: those before a subcommand's name are among them.
    Raises BadValue.
    """
    valued = {name for each in _of_chat() if bool not in {each.kind, *get_args(each.kind)} for name in each.names}
    optional = {setting.flag: setting for setting in TABLE if setting.kind.bare}
    return read_line(arguments, valued, optional, dict.fromkeys(NAMING, "--resume="))


def asks(flag: str, arguments: Sequence[str]) -> bool:
    """Whether the flag is given, also in a command line that cannot be parsed."""
    if flag not in arguments:
        return False
    try:
        return flag in line_of(arguments).flags
    except BadValue:
        return True


def _chosen(line: CommandLine) -> Command | None:
    """The subcommand that the words of the line begin with. Beside --resume they are a name or a prompt."""
    words = line.words
    if line.flags & NAMING or not may_be_subcommand(words):  # no command is imported where no word can be one
        return None
    chosen = everything().subcommand(words)
    meant = everything().meant(words) if chosen is None and not line.forced else None
    if meant is not None:
        raise UnknownCommand(
            f'"{" ".join(words)}" is not a subcommand of chatcli.',
            Hint("Did you mean ", meant, "?", _to_send(words)),
        )
    return chosen


def _usage(name: str, arguments: Sequence[str]) -> Hint:
    """What helps after a usage error: the help, and how to send a prompt that looks like a subcommand or flag."""
    quoted = [word for word in arguments if word[:1] == "-" and len(word.split()) > 1]
    prompt = line_of(arguments).words if name else quoted[:1]
    meant = _word_meant(name, prompt) if name else ""
    return Hint(meant, " " if meant else "", "See ", Do(name or "chatcli", help=True), ".", _to_send(prompt))


def _word_meant(name: str, words: Sequence[str]) -> Words:
    """What is said of a word after a subcommand that takes only words of its own; "" where it takes others."""
    chosen = everything().subcommands[tuple(name.split())]
    more = words[len(name.split()) :]
    return everything().word_meant(chosen, more[0]) if more and not chosen.parameters else ""


def _to_send(prompt: Sequence[str]) -> Hint:
    """Nothing where there is no prompt."""
    if not prompt:
        return Hint()
    return Hint(" To send it as a prompt: ", Do("chatcli", *prompt), ".")


class _AsTyped(Page):
    """Its values stay as they were typed, since the settings read them. (Typer imports pydantic to make text of
    text, and that takes longer than everything else before the prompt.)
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        if "help" in given:
            return super().parse_args(ctx, args)
        ctx.params.update((each.name, given.get(each.name, each.default)) for each in self.params)
        return []


_HELP = {"help_option_names": ["-h", "--help"]}


class _Parameter(NamedTuple):
    """What Typer is told about a flag, or about words; `default` is `...` where there has to be one."""

    name: str
    kind: Any
    option: Any
    default: Any = None

    @property
    def names(self) -> set[str]:
        """As they are typed, with the one that sets it off; none for words."""
        if not isinstance(self.option, OptionInfo):
            return set()
        named = (self.option.default, *(self.option.param_decls or ()))  # Typer takes the first for a default
        return {name for names in named for name in str(names).split("/")}


def _chat_command(chat: Chat, given_flags: frozenset[str] | None) -> Callable[..., Work]:
    """The function behind a plain `chatcli`; its signature has the prompt, and these flags or all."""
    every = _of_chat()

    def command(**given: Any) -> Work:
        given = {each.name: each.default for each in every} | given
        if given.pop("version"):
            return _print_version
        prompt, output = given.pop("prompt") or [], _output(given)
        images, files = given.pop("image") or [], given.pop("file") or []
        named, own = given.pop("resume"), given.pop("template")
        if named == "":
            named, prompt = " ".join(prompt), []
        wishes = Wishes(
            demo=given.pop("demo"),
            resume=given.pop("continue_"),
            named=named,
            profile=given.pop("profile") or "",
        )
        values: dict[str, Any] = {}
        if own:
            template = everything().own().get(own)
            prompt, values = [template.expanded(" ".join(prompt))], dict(template.values)
        return lambda: chat(replace(wishes, values=values | _values(given)), prompt, images, files, output)

    command.__doc__ = "Chat with an Ollama model: in the terminal, with one prompt, or in a pipe."
    return _signed(
        command,
        [
            each
            for each in every
            if given_flags is None or not each.names or not given_flags.isdisjoint(each.names)
        ],
    )


@cache
def _of_chat() -> tuple[_Parameter, ...]:
    """The prompt, the flags that are no settings, and one for each setting: those that --help does not list are
    listed by `chatcli help settings`.
    """
    return (*_fixed(), *(_flag(each, hidden=each.name not in SHORT) for each in TABLE), *_shorthands())


def _output(given: dict[str, Any]) -> Output:
    as_json, as_lines = given.pop("json"), given.pop("jsonl")
    if as_json and as_lines:
        raise BadArgument("--json and --jsonl are two forms of one reply.", "Give one of them.")
    form: Literal["text", "json", "jsonl"] = "json" if as_json else "jsonl" if as_lines else "text"
    output = Output(form, given.pop("extract"), given.pop("then_chat"))
    if output.then_chat and replace(output, then_chat=False) != Output():
        raise BadArgument("--then-chat is for people: it has no JSON and no -x.", "Leave one of them out.")
    return output


def _fixed() -> list[_Parameter]:
    """The prompt, and the flags that are no settings."""
    return [
        _Parameter(
            "prompt", list[str] | None, typer.Argument(help="The question.", metavar="PROMPT", hidden=True)
        ),
        _Parameter(
            "continue_", bool, typer.Option("--continue", "-c", help="Continue the last conversation."), False
        ),
        _Parameter(
            "resume",
            str | None,
            typer.Option(
                "--resume",
                "-r",
                metavar="[NAME]",
                help="Open the conversation of that name or number; without one, choose.",
            ),
        ),
        _Parameter("demo", bool, typer.Option("--demo", help="Use the demo engine: no Ollama needed."), False),
        _Parameter(
            "profile",
            str | None,
            typer.Option("--profile", "-p", metavar="NAME", help="Use [profiles.NAME] of the settings file."),
        ),
        _Parameter(
            "image",
            list[str] | None,
            typer.Option("--image", "-i", metavar="PATH", help="A picture to send with the prompt."),
        ),
        _Parameter(
            "file",
            list[str] | None,
            typer.Option("--file", "-f", metavar="PATH", help="A file to send with it: a path or address."),
        ),
        _Parameter(
            "template",
            str | None,
            typer.Option("--template", "-t", metavar="NAME", help="Send the text of your own command NAME."),
        ),
        _Parameter(
            "option",
            list[str] | None,
            typer.Option("--option", "-o", metavar="NAME=VALUE", help="Any setting; may be given several times."),
        ),
        *_of_output(),
        _Parameter("version", bool, typer.Option("--version", "-V", help="Print the version."), False),
    ]


def _of_output() -> list[_Parameter]:
    return [
        _Parameter(
            "then_chat",
            bool,
            typer.Option("--then-chat", help="Chat on after the prompt or what is piped in."),
            False,
        ),
        _Parameter("json", bool, typer.Option("--json", help="Print one JSON object instead of text."), False),
        _Parameter("jsonl", bool, typer.Option("--jsonl", help="Print JSON lines while the reply comes."), False),
        _Parameter(
            "extract",
            bool,
            typer.Option("--extract", "-x", help="Print only the reply's first code block."),
            False,
        ),
    ]


def _shorthands() -> list[_Parameter]:
    """The flags that set another one's value. Those of `ollama run` are there for the fingers, and not listed."""
    listed = {"private": "Keep nothing of what is said: no store, no line history."}
    options = {
        word: typer.Option(f"--{word}", help=listed.get(word), hidden=word not in listed) for word in SHORTHANDS
    }
    return [_Parameter(word, bool, option, False) for word, option in options.items()]


def _subcommand(chosen: Command) -> Callable[..., Work]:
    """The function behind a subcommand: the command's own parameters, and flags for server and model."""

    def command(**given: Any) -> Work:
        from chatcli.cli.subcommand import run_command

        own, as_json = {name: given.pop(name) for name in mine}, given.pop("json", False)
        wishes = Wishes(demo=given.pop("demo"), values=_values(given), chats=False, tolerant=chosen.tolerant)
        return lambda: run_command(wishes, chosen, own, as_json)

    mine = {each.name: _own_parameter(each) for each in chosen.parameters}
    about = [_flag(setting) for setting in OF_SERVER if setting.name not in mine]
    if chosen.data:
        option = typer.Option("--json", help="Print JSON for programs instead of text.")
        about.append(_Parameter("json", bool, option, False))
    return _signed(command, [*mine.values(), _demo_flag(), *about])


def _own_parameter(each: Parameter) -> _Parameter:
    if each.flag and each.kind is bool:
        return _Parameter(each.name, bool, typer.Option(f"--{each.name}", help=each.meaning), False)
    option = typer.Option(f"--{each.name}", help=each.meaning) if each.flag else typer.Argument(help=each.meaning)
    kind: Any = list[each.kind] if each.many else each.kind  # type: ignore[name-defined]
    return _Parameter(each.name, kind if each.required else kind | None, option, ... if each.required else None)


def _demo_flag() -> _Parameter:
    option = typer.Option("--demo", help="Use the demo engine: no Ollama needed.")
    return _Parameter("demo", bool, option, False)


def _flag(setting: Setting[Any], *, hidden: bool = False) -> _Parameter:
    """`hidden`: the help does not list it."""
    names = [setting.flag, *(f"--{alias}" for alias in setting.aliases)]
    if setting.is_switch:
        switch = typer.Option(f"{setting.flag}/{setting.negation}", help=setting.help, hidden=hidden)
        return _Parameter(setting.name, bool | None, switch)
    short = [SHORT[setting.name]] if setting.name in SHORT else []
    shown = "|".join(setting.kind.words) if 0 < len(setting.kind.words) < 7 else "VALUE"
    metavar = f"[{shown}]" if setting.kind.bare else shown
    kind: Any = list[str] if setting.kind.many else str
    option = typer.Option(*names, *short, metavar=metavar, help=setting.help, hidden=hidden)
    return _Parameter(setting.name, kind | None, option)


def _signed(command: Callable[..., Work], parameters: list[_Parameter]) -> Callable[..., Work]:
    told = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is ... else each.default,
            annotation=Annotated[each.kind, each.option],
        )
        for each in parameters
    ]
    command.__signature__ = inspect.Signature(told)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in told}
    return command


def _values(given: dict[str, Any]) -> dict[str, Any]:
    """The settings given, by name; `--system @FILE` and `--format -` are replaced by the text they name. A flag of
    its own comes before a shorthand, and that before `--option`.
    """
    values = _options(given.pop("option", None) or ())
    values |= {setting.name: value for word, (setting, value) in SHORTHANDS.items() if given.pop(word, False)}
    values |= {name: value for name, value in given.items() if value is not None}
    encoding = values.get("encoding", "")
    if values.get("system", "").startswith("@"):
        from chatcli.reading.files import text_named

        values["system"] = text_named(values["system"][1:], encoding)
    if values.get("format") == "-":  # standard input: read now, and kept as the schema itself
        from chatcli.reading.files import text_named

        values["format"] = text_named("-", encoding)
    return values


def _options(given: Sequence[str]) -> dict[str, Any]:
    """The settings of `--option NAME=VALUE`; of one that has several values, all that are given."""
    values: dict[str, Any] = {}
    for each in given:
        name, is_given, value = each.partition("=")
        setting = find_setting(name.strip())
        if not is_given and not setting.kind.bare:
            raise BadArgument(f'"{shown(each)}" is not NAME=VALUE.', setting.help)
        value = value if is_given else setting.kind.bare
        values[setting.name] = [*values.get(setting.name, ()), value] if setting.kind.many else value
    return values


def _print_version() -> int:
    sys.stdout.write(f"chatcli {chatcli.__version__}\n")
    return 0
