"""/doctor: checks everything that chatcli depends on, and says what to do about each problem."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import chatcli
from chatcli.commands import everything
from chatcli.commands.arguments import Arg
from chatcli.commands.outcomes import Outcome, Print, Show, watched
from chatcli.commands.registry import command
from chatcli.commands.spelling import in_shell
from chatcli.commands.statistics import counted_by
from chatcli.conversation.clock import local_time
from chatcli.conversation.events import Progress
from chatcli.conversation.usage import counted
from chatcli.dataclass import dataclass
from chatcli.errors import ChatcliError, Damaged, NotFound, StoreError, UserError
from chatcli.hints import Do, Hint, Words, lines, spelled
from chatcli.paths import shared, size_of, why
from chatcli.render.views import Listing, Note
from chatcli.session.context_window import as_allocated, gigabytes, loaded, on_gpu
from chatcli.session.embeddings import embedder
from chatcli.session.fallback import mend, restoring
from chatcli.session.model_in_use import FIRST_MODEL
from chatcli.session.named_hosts import remarks
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.settings.file import read_file
from chatcli.settings.layers import Layer, Settings
from chatcli.settings.table import TABLE

# A store that is read so long that it is said before, in bytes.
LARGE = 50_000_000
# Terminals with fewer columns cut off tables and the toolbar.
NARROW = 40


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the report. `todo`: what to do about a problem; "" when all is well."""

    what: str
    found: Words
    todo: Words = ""


@command("doctor", subcommand="doctor", tolerant=True, data=True)
def doctor(
    session: Session,
    *,
    restore: Annotated[int | None, Arg("a backup to restore; 1 is the newest")] = None,
    report: Annotated[bool, Arg("write it for an issue, without names and addresses of yours")] = False,
) -> Outcome:
    """Check settings file, store, backups, server, the model's window, terminal and cache; restore a backup.

    Each problem comes with what to do about it; in the shell the exit code is then 1. `--restore 1` restores the
    newest backup: what the store has besides stays, and the store as it was is kept in a file of its own.
    `--report` writes the same to be pasted into an issue, with the versions of libraries and the names of the
    settings that are set: your name and those of your folder, machine and server are taken out.
    """
    if restore is not None:
        return _restored(session, restore)
    is_large = size_of(session.paths.store) > LARGE
    told = partial(_told, session, report)
    return watched(_checking(session), told, soon=0 if is_large else None)


def _checking(session: Session) -> Generator[Progress, None, list[Finding]]:
    findings: list[Finding] = []
    for done, (name, check) in enumerate(CHECKS):
        yield Progress("Checking", done, len(CHECKS), "parts")
        findings += _checked(session, name, check)
    return findings


def _told(session: Session, report: bool, findings: Sequence[Finding]) -> Outcome:
    if report:
        return Print(_report(session, findings))
    rows = tuple((_mark(each), each.what, _text(each)) for each in findings)
    wrong = sum(bool(each.todo) for each in findings)
    note = f"{counted(wrong, 'problem')}." if wrong else "All is well."
    return Show(
        (Listing(("", "what", "found"), rows, note=note),),
        exit_code=1 if wrong else 0,
        data=lambda: [
            {"what": each.what, "ok": not each.todo, "found": each.found, "todo": each.todo} for each in findings
        ],
    )


def _report(session: Session, findings: Sequence[Finding]) -> str:
    """The findings as Markdown, without what is the user's own."""
    from importlib.metadata import PackageNotFoundError, version

    told = [f"{_mark(each)}: {each.what}: {spelled(_text(each), in_shell)}" for each in findings]
    for name in LIBRARIES:
        try:
            told.append(f"library: {name} {version(name)}")
        except PackageNotFoundError:
            told.append(f"library: {name} is not installed")
    changed = [each.name for each in TABLE if session.settings.origin(each) is not Layer.DEFAULT]
    told.append(f"settings that are set: {', '.join(changed) or 'none'}")
    lines_of_it = "\n".join(line for each in told for line in _anonymous(session, each).splitlines())
    return f"```text\n{lines_of_it}\n```\n"


# What decides how chatcli behaves besides itself.
LIBRARIES = ("ollama", "httpx", "prompt-toolkit", "rich", "tiktoken", "typer", "tomlkit")


def _anonymous(session: Session, text: str) -> str:
    """The text without the paths, the names and the addresses that are the user's own."""
    home, url = str(Path.home()), session.server.url
    own = {
        str(session.paths.store.parent): "DATA",
        str(session.paths.settings_file.parent): "CONFIG",
        str(session.paths.vocabularies.parent): "CACHE",
        home: "~",
        url: "SERVER",
        session.server.shown: "SERVER",
        session.server.name: "HOST",
        platform.node(): "MACHINE",
        Path.home().name: "USER",
    }
    for word in sorted(filter(None, own), key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(word)}(?![\w])", own[word], text)
    return text


def _restored(session: Session, number: int) -> Outcome:
    from chatcli.store.backups import backups

    if not session.settings[table.SAVE]:
        raise UserError(
            "Conversations are kept in memory only (save off).", Hint(Do("set", "save", "on"), " stores them.")
        )
    there = backups(session.paths.store)
    if not 0 < number <= len(there):
        raise NotFound(
            f"There is no backup {number}: there {_there_are(len(there))}.", Hint(Do("doctor"), " lists them.")
        )
    job = restoring(session, there[number - 1])
    return watched(job, lambda done: Show.of(Note(done, "good")), "Nothing was restored.")


def _there_are(count: int) -> str:
    return "is none" if not count else f"{'is' if count == 1 else 'are'} {count}"


def _checked(session: Session, name: str, check: Callable[[Session], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one check; an error that ends the check is a finding, too."""
    try:
        yield from check(session)
    except ChatcliError as error:
        yield Finding(name, error.message, error.advice or "See docs/how-to/troubleshooting.md.")
    except OSError as error:  # of a file that is looked at
        yield Finding(name, f"It cannot be read: {why(error)}.", "Check what is there, and its permissions.")


def _program(_session: Session) -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield Finding("chatcli", f"{chatcli.__version__}, Python {platform.python_version()}, {system}")


def _settings(session: Session) -> Iterator[Finding]:
    path = session.paths.settings_file
    read = Settings()
    faults = read_file(read, path)
    count = sum(read.origin(setting) is Layer.FILE for setting in TABLE)
    yield Finding(
        "settings file", f"{path}: {counted(count, 'setting')}" if path.exists() else f"none (it would be {path})"
    )
    for fault in faults:
        yield Finding("settings file", fault.message, fault.advice)
    for wrong in everything().own().faults.values():
        yield Finding("own commands", wrong.message, wrong.advice)


def _store(session: Session) -> Iterator[Finding]:
    # A store that could not be opened at all has turned saving off; else it was damaged, and there is a new one.
    was_damaged = session.settings[table.SAVE]
    todo = (
        "This line says what was recovered; the damaged file named in it is kept." if was_damaged else _NOT_OPENED
    )
    for warning in session.take_warnings():
        yield Finding("store", warning, todo)
    from chatcli.store.recovery import set_aside

    path = session.paths.store
    if not session.settings[table.SAVE]:
        yield Finding("store", "conversations are kept in memory only (save off)")
        return
    if session.store.read_only is not None:
        yield Finding("store", session.store.read_only.message, session.store.read_only.advice)
    damage = _damage(session)
    if damage is not None:
        mend(session, damage)
        for warning in session.take_warnings():
            yield Finding("store", warning, "Nothing more: chatcli uses the new one.")
    trash = len(session.store.trash())
    size = path.stat().st_size if path.exists() else 0
    in_trash = f", {trash} in the trash" if trash else ""
    yield Finding(
        "store", f"{path}: {counted(len(session.store.entries()), 'conversation')}{in_trash}, {gigabytes(size)}"
    )
    for kept in set_aside(path):
        yield Finding(
            "store", f"{kept}: an earlier store, kept when it was recovered; delete it when you miss nothing"
        )
    yield from _privacy(path)


def _backups(session: Session) -> Iterator[Finding]:
    from chatcli.store.backups import backups

    if not session.settings[table.SAVE]:
        return
    there = backups(session.paths.store)
    if not there:
        yield Finding("backups", "none yet: one is made a day, while a reply is written")
    for number, each in enumerate(there, start=1):
        name = f"{number}, of {local_time(each.made):%Y-%m-%d %H:%M}"
        try:
            found = f"{name}: {counted(each.messages(), 'message')}, {gigabytes(each.size)}; "
            yield Finding("backup", Hint(found, Do("doctor", restore=str(number)), " restores it"))
        except StoreError as error:
            yield Finding(
                "backup", f"{name}: {error.message}", "Delete this file; the others are good for themselves."
            )


_NOT_OPENED = "Nothing is lost by this. Once it is fixed, chatcli opens the store again."


def _damage(session: Session) -> Damaged | None:
    try:
        problems = session.store.check()
    except Damaged as error:
        return error
    return Damaged(f"{'; '.join(problems)}.") if problems else None


def _privacy(path: Path) -> Iterator[Finding]:
    """Are files 0600 and their directory 0700? Only where the system has such permissions."""
    if sys.platform == "win32":
        return
    if path.parent.exists() and (reason := shared(path.parent)):
        yield Finding("privacy", reason, "Set CHATCLI_HOME to a directory of your own.")
        return
    for each, mode in ((path.parent, "700"), (path, "600")):
        if each.exists() and each.stat().st_mode & 0o077:
            yield Finding("privacy", f"other users can read {each}", f"chmod {mode} {each}")


def _server(session: Session) -> Iterator[Finding]:
    for remark in remarks(session.server, session.settings, session.paths):
        yield Finding("server", remark)
    version = session.client.get().version()
    what = "the demo engine" if session.server.demo else f"Ollama {version}"
    named = f", the host {session.server.name}" if session.server.name else ""
    yield Finding("server", f"{what} at {session.server.shown}{named}")
    names = [row.name.removesuffix(":latest") for row in session.client.get().models()]
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    yield Finding("models", shown or "none", "" if names else Hint("Get one: ", Do("pull", FIRST_MODEL)))


def _proxies(session: Session) -> Iterator[Finding]:
    """Which requests go through which proxy, and the variables that no request could be sent with."""
    from chatcli.client.connection import NoWay, authorities, set_authorities, transport
    from chatcli.client.proxies import route

    asked = {
        "the server": session.server.url,
        "http:// pages": "http://any.page",
        "https:// pages": "https://any.page",
    }
    routes = {what: route(url) for what, url in asked.items()}
    for proxy in dict.fromkeys(each.proxy for each in routes.values() if each.proxy is not None):
        through = [what for what, each in routes.items() if each.proxy == proxy]
        todo: Words = ""
        try:
            transport(asked[through[0]], proxy)
        except NoWay as error:
            todo = error.remedy
        yield Finding("proxy", f"{' and '.join(through)}: through {proxy}", todo)
    for unread in {each.proxy.not_read for each in routes.values() if each.proxy} - {""}:
        yield Finding("proxy", unread, "Write host, .domain, host:port, 10.0.0.0/8 or *, with commas between.")
    for what, each in routes.items():
        if each.why:
            yield Finding("proxy", f"{what}: through none, because {each.why}")
    for variable in set_authorities():
        try:
            authorities(variable)
        except NoWay as error:
            yield Finding("certificates", f"{error.cause[0].upper()}{error.cause[1:]}.", error.remedy)


def _window(session: Session) -> Iterator[Finding]:
    """The window asked for, and the one that the server allocated for the loaded model."""
    name = session.settings[table.MODEL]
    if not name:
        yield Finding("window", "no model is set; you will be asked")
        return
    model = session.model.get()
    asked = session.settings[table.NUM_CTX] or model.num_ctx
    wanted = f"num_ctx {asked}" if asked else "num_ctx is unset: the server decides"
    trained = f", trained for {model.trained}" if model.trained else ""
    row = loaded(session, model)
    if row is None or row.context_length is None:
        yield Finding("window", f"{name}: {wanted}{trained}; it is not loaded now")
        return
    has = f"{name}: {row.context_length} tokens allocated ({wanted}{trained}, {on_gpu(row)} on the GPU)"
    short = asked is not None and row.context_length < as_allocated(asked, model)
    remedy = "The next message reloads it as asked; if not, another program keeps it loaded: ollama stop " + name
    yield Finding("window", has, remedy if short else "")


def _counting(session: Session) -> Iterator[Finding]:
    """How tokens are counted, once this session knows; estimates are no problem."""
    if session.counting.ready is not None:
        yield Finding("counts", f"{counted_by(session)} {session.counter.why()}".strip())


def _embedding(session: Session) -> Iterator[Finding]:
    name = session.settings[table.EMBEDDING_MODEL]
    if name:
        embedder(session, name)
        yield Finding("embedding", f"{name} is installed; recall also searches by meaning")


def _terminal(_session: Session) -> Iterator[Finding]:
    from chatcli.render.terminal import abilities

    can = abilities(sys.stdout)
    if not can.is_terminal:
        yield Finding("terminal", "the output is not a terminal: plain text, no colors")
        return
    found = f"{can.kind}, {can.columns}x{can.rows}, colors: {can.colours}, {can.encoding}"
    narrow = "Make the window wider." if can.columns < NARROW else ""
    unicode = "utf" in can.encoding.lower().replace("-", "")
    locale = (
        "" if unicode else "Set a UTF-8 locale (LANG=C.UTF-8), or letters other than English ones may be garbled."
    )
    dumb = "Set TERM to what the terminal is, such as xterm-256color." if can.kind in {"dumb", "unknown"} else ""
    yield Finding("terminal", found, " ".join(filter(None, [narrow, locale, dumb])))
    if not sys.stdin.isatty():
        yield Finding("keyboard", "standard input is not a terminal")


def _cache(session: Session) -> Iterator[Finding]:
    place = session.paths.vocabularies
    files = [each for each in place.iterdir() if each.is_file()] if place.is_dir() else []
    size = sum(each.stat().st_size for each in files)
    nearest = next(each for each in (place, *place.parents) if each.exists())
    writable = os.access(nearest, os.W_OK)
    yield Finding(
        "cache",
        f"{place}: {counted(len(files), 'file')}, {gigabytes(size)}",
        "" if writable else f"Make {nearest} writable, or every start reads the vocabulary from the server again.",
    )


CHECKS: tuple[tuple[str, Callable[[Session], Iterator[Finding]]], ...] = (
    ("chatcli", _program),
    ("settings file", _settings),
    ("store", _store),
    ("backups", _backups),
    ("proxy", _proxies),
    ("server", _server),
    ("window", _window),
    ("counts", _counting),
    ("embedding", _embedding),
    ("terminal", _terminal),
    ("cache", _cache),
)


def _mark(finding: Finding) -> str:
    return "to do" if finding.todo else "ok"


def _text(finding: Finding) -> Words:
    return lines([finding.found, finding.todo]) if finding.todo else finding.found
