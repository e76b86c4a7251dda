"""The command line: flags from the settings table, subcommands from the registry, errors as exit codes.

Typer parses it; a bare `chatcli` in a terminal starts the loop without importing Typer.
"""

from __future__ import annotations

import errno
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import chatcli
from chatcli.errors import BadData, BadFile, ChatcliError, UserError
from chatcli.paths import find_paths, path_of, readable, shown
from chatcli.repl.crash_report import told
from chatcli.repl.streams import OutputFailed, open_streams, silence
from chatcli.session.wishes import Wishes
from chatcli.settings import table
from chatcli.settings.table import TABLE, Setting

if TYPE_CHECKING:
    from chatcli.commands.arguments import Parameter
    from chatcli.commands.registry import Command

# What to do once the command line is parsed; it returns the exit code.
Work = Callable[[], int]
SHORT = {"model": "-m", "system": "-s"}


def main() -> None:
    """The entry point. Exit codes: 0 ok, 1 error, 2 usage, 3 too long for the context, 4 model missing,
    5 server unreachable, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run with these arguments and return the exit code. Every error that a person can meet is shown on stderr."""
    open_streams()
    try:
        code = _worked(list(arguments))
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except OutputFailed as error:
        return _without_output(error)


def _worked(arguments: list[str]) -> int:
    try:
        return chat(Wishes()) if not arguments and _in_terminal() else _with_typer(arguments)
    except ChatcliError as error:
        return _say(error)
    except OutputFailed:
        raise
    except Exception as error:  # the last resort
        return _say(told(error, find_paths().faults))


def _say(error: ChatcliError) -> int:
    from chatcli.render.screen import Screen
    from chatcli.repl.hints import error_in_the_shell

    Screen().error(error_in_the_shell(error))
    return error.exit_code


def _without_output(error: OutputFailed) -> int:
    """Report that output failed; say nothing when its reader has gone (`chatcli ... | head`)."""
    silence(sys.stdout)
    if error.errno == errno.EPIPE:
        silence(sys.stderr)
        return 0
    try:
        sys.stderr.write(f"The output cannot be written: {error.strerror}.\n")
        sys.stderr.flush()
    except OutputFailed:
        silence(sys.stderr)
    return 1


def chat(
    wishes: Wishes,
    prompt: Sequence[str] = (),
    images: Sequence[str] = (),
    files: Sequence[str] = (),
    as_json: bool = False,
) -> int:
    """Ask once when there is a prompt, a file or piped input; else run the loop."""
    if prompt or images or files or not sys.stdin.isatty():
        from chatcli.cli import oneshot

        return oneshot.run(wishes, " ".join(prompt), images, files, as_json)
    if as_json or not sys.stdout.isatty():
        raise UserError(
            "The output is not a terminal, so a prompt is needed.", "chatcli [--json] PROMPT, or pipe it in."
        )
    from chatcli.repl import startup

    return startup.run(wishes)


def _with_typer(arguments: list[str]) -> int:
    import typer

    from chatcli.commands import everything

    registry = everything()
    shell = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, context_settings=_HELP
    )
    chosen = registry.subcommand(arguments)
    first = tuple(chosen.subcommand.split()) if chosen is not None else ()
    longer = [" ".join(words) for words in registry.subcommands if words[: len(first)] == first != words]
    epilog = f"Subcommands: {', '.join(longer)}. Each has its --help." if longer else None
    if chosen is not None:
        described = f"{chosen.summary}\n\n{chosen.details}"
        shell.command(name=chosen.subcommand, help=described, epilog=epilog)(_subcommand(chosen))
        arguments = arguments[len(first) :]
    else:
        shell.command(name="chatcli", epilog=epilog)(_chat_command())
    name = f"chatcli {chosen.subcommand}" if chosen is not None else "chatcli"
    try:
        work = typer.main.get_command(shell).main(arguments, prog_name=name, standalone_mode=False)
    except typer.TyperException as error:
        raise UserError(error.format_message(), f"See {name} --help.") from None
    # Run it outside of Typer, which handles Ctrl-C and closed pipes in its own way.
    return work() if callable(work) else 0


_HELP = {"help_option_names": ["-h", "--help"]}


def _chat_command() -> Callable[..., Work]:
    """The function behind a plain `chatcli`; its signature has the fixed flags and one flag for each setting."""
    import typer

    def command(**given: Any) -> Work:
        if given.pop("version"):
            return _print_version
        prompt, as_json = given.pop("prompt") or [], given.pop("json")
        images, files = given.pop("image") or [], given.pop("file") or []
        named = None
        if given.pop("resume"):
            named, prompt = " ".join(prompt), []
        wishes = Wishes(demo=given.pop("demo"), resume=given.pop("continue_"), named=named)
        return lambda: chat(replace(wishes, values=_values(given)), prompt, images, files, as_json)

    command.__doc__ = "Chat with an Ollama model: in the terminal, with one prompt, or in a pipe."
    fixed = [
        _parameter(
            "prompt", list[str] | None, typer.Argument(help="The question. Without it, a conversation starts.")
        ),
        _parameter(
            "continue_", bool, typer.Option("--continue", "-c", help="Continue the last conversation."), False
        ),
        _parameter(
            "resume",
            bool,
            typer.Option(
                "--resume", "-r", help="Open the conversation of that name or number; without one, choose."
            ),
            False,
        ),
        _parameter("demo", bool, typer.Option("--demo", help="Use the demo engine: no Ollama needed."), False),
        _parameter(
            "image", list[str] | None, typer.Option("--image", "-i", help="A picture to send with the prompt.")
        ),
        _parameter(
            "file",
            list[str] | None,
            typer.Option("--file", "-f", help="A file to send with it: a path or address."),
        ),
        _parameter("json", bool, typer.Option("--json", help="Print one JSON object instead of text."), False),
        _parameter("version", bool, typer.Option("--version", "-V", help="Print the version."), False),
    ]
    return _signed(command, fixed + [_flag(setting) for setting in TABLE])


def _subcommand(chosen: Command) -> Callable[..., Work]:
    """The function behind a subcommand: the command's own parameters, and flags for server and model."""

    def command(**given: Any) -> Work:
        from chatcli.cli.subcommand import run_command

        own = {name: given.pop(name) for name in mine}
        wishes = Wishes(demo=given.pop("demo"), values=_values(given), chats=False, tolerant=chosen.tolerant)
        return lambda: run_command(wishes, chosen, own)

    mine = {each.name: _own_parameter(each) for each in chosen.parameters}
    about = [_flag(setting) for setting in (table.HOST, table.MODEL) if setting.name not in mine]
    return _signed(command, [*mine.values(), _demo_flag(), *about])


def _own_parameter(each: Parameter) -> inspect.Parameter:
    import typer

    if each.flag and each.kind is bool:
        return _parameter(each.name, bool, typer.Option(f"--{each.name}", help=each.meaning), False)
    option = typer.Option(f"--{each.name}", help=each.meaning) if each.flag else typer.Argument(help=each.meaning)
    kind: Any = list[each.kind] if each.many else each.kind  # type: ignore[name-defined]
    return _parameter(each.name, kind if each.required else kind | None, option, ... if each.required else None)


def _demo_flag() -> inspect.Parameter:
    import typer

    option = typer.Option("--demo", help="Use the demo engine: no Ollama needed.")
    return _parameter("demo", bool, option, False)


def _flag(setting: Setting[Any]) -> inspect.Parameter:
    import typer

    names = [setting.flag, *(f"--{alias}" for alias in setting.aliases)]
    if setting.kind.words == ("on", "off"):
        switch = typer.Option(f"{setting.flag}/--no-{setting.flag[2:]}", help=setting.help)
        return _parameter(setting.name, bool | None, switch)
    short = [SHORT[setting.name]] if setting.name in SHORT else []
    shown = "|".join(setting.kind.words) if 0 < len(setting.kind.words) < 7 else "VALUE"
    return _parameter(setting.name, str | None, typer.Option(*names, *short, metavar=shown, help=setting.help))


def _parameter(name: str, kind: Any, option: Any, default: Any = None) -> inspect.Parameter:
    given = inspect.Parameter.empty if default is ... else default
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=given, annotation=Annotated[kind, option])


def _signed(command: Callable[..., Work], parameters: list[inspect.Parameter]) -> Callable[..., Work]:
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _values(given: dict[str, Any]) -> dict[str, str]:
    """The settings given, by name and as text; `--system @FILE` is replaced by the text of the file."""
    values = {name: _as_text(value) for name, value in given.items() if value is not None}
    system = values.get("system", "")
    if system.startswith("@"):
        values["system"] = _written_in(system[1:])
    return values


def _written_in(named: str) -> str:
    from chatcli.reading.files import read_bytes
    from chatcli.reading.json_toml import text_of

    with readable(named, "Name a text file."):
        data = read_bytes(path_of(named))
    try:
        return text_of(data).strip()
    except BadData as error:
        raise BadFile(f"{shown(named)} cannot be read: {error.why}.", "Name a text file.") from None


def _as_text(value: Any) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _print_version() -> int:
    sys.stdout.write(f"chatcli {chatcli.__version__}\n")
    return 0


def _in_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
