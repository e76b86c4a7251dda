"""Exports conversations as Markdown, JSON, JSONL or HTML; imports them from JSON, JSONL, databases and YAML."""

from __future__ import annotations

import errno
import json
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from chatcli.conversation.tree import Conversation
from chatcli.errors import BadData, BadFile, UserError
from chatcli.paths import is_file, readable
from chatcli.reading.files import STDIN, read_bytes, read_stdin
from chatcli.reading.json_toml import json_text, read_json
from chatcli.reading.raw import LARGEST
from chatcli.reading.zips import Zip, is_zip, opened
from chatcli.store import aichat
from chatcli.store.chatgpt import Files
from chatcli.store.export import html_page, markdown_page
from chatcli.store.import_chat import ImportedChat
from chatcli.store.import_forms import FORMS, Found
from chatcli.store.other_databases import conversations_in, is_database
from chatcli.store.own_json import to_plain
from chatcli.text import escaped

LARGEST_CONVERSATIONS = 256_000_000  # bytes of one unpacked file: parsed, it takes five times as much
LARGEST_FILES = 1_000_000_000  # bytes of all pictures of one import: in memory until they are stored

# The files with conversations, by name, to read one after the other; and a function that reads the file whose name
# begins so (None: no such file).
Unpacked = tuple[Iterable[tuple[str, Callable[[], bytes]]], Callable[[str], bytes | None]]

_CONVERSATIONS = re.compile(r"(.*/)?conversations(-\d+)?\.json")
# The folders beside the conversations that hold files in an unpacked export.
_PLACES = ("", "dalle-generations/", "user-*/", "files/")


@contextmanager
def unpacked(path: Path) -> Iterator[Unpacked]:
    """Opens the export at `path` ("-": on standard input). Raises BadFile."""
    with ExitStack() as stack:
        with readable(path, "Name a file with a conversation in it."):
            is_piped = path == Path(STDIN)
            data = read_stdin(LARGEST_CONVERSATIONS) if is_piped else b""
            is_regular = not is_piped and stat.S_ISREG(path.stat().st_mode)
            archive = stack.enter_context(opened(path, str(path))) if is_regular and is_zip(path) else None
            if is_piped and is_zip(data):
                archive = stack.enter_context(opened(data, "standard input"))
            elif archive is None and not is_piped:
                data = read_bytes(path, LARGEST_CONVERSATIONS)
        if archive is not None:
            yield _conversations(archive), _Files(_in_archive(archive)).read
        elif is_regular:
            yield [("", lambda: data)], _Files(_in_directory(path.parent)).read
        else:
            yield [("", lambda: data)], lambda _: None


class _Files:
    """Returns each file once, however often it is named, and no more in total than there is room for."""

    def __init__(self, find: Callable[[str], bytes | None]) -> None:
        self._find = find
        self._known: dict[str, bytes | None] = {}
        self._size = 0

    def read(self, begin: str) -> bytes | None:
        if begin not in self._known:
            if self._size > LARGEST_FILES:
                raise BadFile(f"The pictures before it have more than {LARGEST_FILES / 1e6:g} MB.")
            self._known[begin] = data = self._find(begin)
            self._size += len(data or b"")
        return self._known[begin]


def _conversations(archive: Zip) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields ChatGPT's and Claude's conversations.json (or -001.json ...); without one, all JSON that is in it."""
    members = sorted(archive.members(), key=lambda member: member.filename)
    found = [each for each in members if _CONVERSATIONS.fullmatch(each.filename)]
    found = found or [each for each in members if each.filename.lower().endswith((".json", ".jsonl"))]
    if not found:
        nested = any(each.filename.lower().endswith(".zip") for each in members)
        raise BadFile(
            f"There is no conversations.json in {archive.what}, and no other JSON.",
            "There is a ZIP in it: unpack it, and name that." if nested else FORMS,
        )
    for member in found:
        yield member.filename, partial(archive.read, member, LARGEST_CONVERSATIONS)


def _in_archive(archive: Zip) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        for member in archive.members():
            if _is_called(member.filename.rpartition("/")[2], begin):
                return archive.read(member, LARGEST)
        return None

    return read


def _in_directory(place: Path) -> Callable[[str], bytes | None]:
    def read(begin: str) -> bytes | None:
        for inside in _PLACES:
            for file in sorted(place.glob(f"{inside}{begin}*")):
                if _is_called(file.name, begin):
                    return _read_inside(place, file)
        return None

    return read


def _read_inside(place: Path, file: Path) -> bytes:
    """Refuses a link, wherever it points: an export has none."""
    within = file.relative_to(place)
    links = any((place / each).is_symlink() for each in (within, *within.parents) if each.name)
    try:
        if links:
            raise OSError(errno.ELOOP, "it is a link")
        return read_bytes(file, LARGEST)
    except OSError as error:
        raise BadFile(f"{file.name} cannot be read: {error.strerror}.") from None


def _is_called(name: str, begin: str) -> bool:
    """Whether `begin` names this file, and is not just the beginning of another file's name."""
    rest = name.removeprefix(begin)
    return name.startswith(begin) and not rest[:1].isalnum()


def export(
    conversation: Conversation,
    format: str,  # noqa: A002
    *,
    rendered: Callable[[str], str] | None = None,
    style: str = "",
) -> str:
    """Returns the conversation as text that is valid UTF-8, with nothing in it that a terminal would obey.

    JSON and JSONL hold all of it (other branches as far as they are loaded: see Store.whole), and read_chat reads
    them back. Markdown and HTML show the path. For HTML, `rendered` may turn a reply's Markdown into safe HTML,
    styled by the CSS rules in `style`; without it replies are shown as plain text.
    """
    match format:
        case "md":
            return markdown_page(conversation)
        case "html":
            return html_page(conversation, rendered, style)
        case "json":
            return _json(to_plain(conversation), indent=1) + "\n"
        case "jsonl":
            return _json_lines(conversation)
    raise UserError(f"There is no export format {format!r}.", "There are md, json, jsonl and html.")


def read_chat(source: str | Path) -> ImportedChat:
    """Returns the one conversation in `source` (text, or a file). Raises BadFile and UserError; see read_chats."""
    found = find_chats(source)
    if len(found.chats) > 1:
        raise UserError(
            f"There are {len(found.chats)} conversations in it, not one.", "chatcli chats import takes them all."
        )
    found.chats[0].repairs[:0] = found.unread
    return found.chats[0]


def read_chats(source: str | Path) -> list[ImportedChat]:
    """Returns every conversation in `source` that can be read, at least one; see find_chats."""
    return find_chats(source).chats


def find_chats(source: str | Path) -> Found:
    """Returns the conversations in `source`, at least one, and what could not be read. FORMS says what is read.
    Raises BadFile and UserError when nothing can be read.
    """
    found = Found()
    if isinstance(source, str):
        _add(found, source, lambda _: None, "")
    else:
        with unpacked(source) as (contents, files):
            problems: list[UserError] = []
            for name, data in contents:
                try:
                    _add(found, data(), files, name, _log_beside(source))
                except UserError as error:
                    problems.append(error)
                    found.unread.append(f"{name}: {error.message.rstrip('.')}")
            if len(problems) == len(found.unread) == 1 and not found.chats:
                raise problems[0]
    if not found.chats:
        raise UserError(f"No conversation in it can be read: {found.unread[0]}.", FORMS)
    return found


def _add(found: Found, given: bytes | str, files: Files, name: str, log: bytes = b"") -> None:
    """Reads JSON, JSON lines, or another program's own file: of the conversations in it each is read, of one
    conversation all is.
    """
    if isinstance(given, bytes) and is_database(given):
        found.add(conversations_in(given, log), files)
        return
    text = given if isinstance(given, str) else json_text(given)
    try:
        value = read_json(text)
    except BadData as error:
        if aichat.is_log(text):
            value = aichat.read_log(text)
        elif aichat.is_session(text):
            value = aichat.read_session(text)
        else:
            value = _lines(text, error, found.unread, f"{name}: " if name else "")
    found.add(value, files)


def _log_beside(path: Path) -> bytes:
    """Returns SQLite's log of a database that another program has open: what was said last is in it."""
    log = Path(f"{path}-wal")
    return read_bytes(log, LARGEST_CONVERSATIONS) if is_file(log) else b""


def _lines(text: str, problem: BadData, unread: list[str], name: str) -> Any:
    """Returns one value made of all lines that can be read; the others are named."""
    if problem.line is None:
        raise UserError(f"That is no list of messages: {problem.why}.", "Check the file.")
    lines = [(place, line) for place, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise UserError("There is nothing in it.", "Check the file.")
    values: list[Any] = []
    bad: list[str] = []
    for place, line in lines:
        try:
            values.append(read_json(line))
        except BadData as error:
            bad.append(f"{name}line {place} is left out: {error.why}")
    if len(bad) > len(values) or not all(isinstance(value, dict | list) for value in values):
        raise UserError(f"That is neither JSON nor JSON lines: {problem.why}.", FORMS)
    unread += bad
    head = values[0]
    if isinstance(head, dict) and "chatcli" in head and "role" not in head and "messages" not in head:
        return {**head, "messages": values[1:]}
    return values


def _json_lines(conversation: Conversation) -> str:
    """Writes a line about the conversation, then a line for each message, in the order they were created."""
    plain = to_plain(conversation)
    messages = [*plain.pop("messages"), *plain.pop("elsewhere", [])]
    messages.sort(key=lambda message: int(message["id"]))
    return "".join(_json(line) + "\n" for line in (plain, *messages))


def _json(value: object, indent: int | None = None) -> str:
    return escaped(json.dumps(value, ensure_ascii=False, indent=indent, default=str))
