"""The server that the settings name: an address, or a [hosts.NAME] of the settings file, with headers, a token and
certificates.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from chatcli.client import address
from chatcli.client import server as servers
from chatcli.client.server import Access, Server, Trust
from chatcli.errors import BadValue, ConfigError, NotFound
from chatcli.hints import Hint, Words
from chatcli.paths import Paths, path_of, why
from chatcli.pattern import pattern
from chatcli.settings import table
from chatcli.settings.layers import Settings
from chatcli.settings.quoting import words_of

if TYPE_CHECKING:
    from chatcli.settings.named_tables import Row

PATIENCE = 5.0  # seconds within which a token_command must print the token
LONGEST = 16_384  # characters of a token
# What may be the name of a host; an address has a dot, a colon or a slash.
_NAME = pattern(r"[\w-]+")


def find_server(settings: Settings, paths: Paths, named: str | None = None) -> Server:
    """The server to use, by default the one that the settings name; nothing is asked of it, no token is read yet.

    Raises NotFound for a name that the file does not have, ConfigError for a table with a fault, BadValue for what
    is no address.
    """
    named, checked = (settings[table.HOST] if named is None else named).strip(), not settings[table.INSECURE]
    row = _row_of(named, paths)
    if row is None:
        return Server(servers.find(named or None), access=lambda: Access(trust=Trust(checked=checked)))
    url = servers.find(row.values["address"])
    return Server(url, name=named, access=partial(_access, row, paths, checked))


def host_names(paths: Paths) -> list[str]:
    """The names of the hosts in the settings file; none where it cannot be read."""
    from chatcli.settings.named_tables import HOSTS, read_rows

    try:
        return [*read_rows(HOSTS, paths.settings_file).sound]
    except ConfigError:
        return []


def remarks(server: Server, settings: Settings, paths: Paths) -> list[Words]:
    """What a person should know of how this server is reached; [] where all is as usual."""
    row = _row_of(server.name, paths)
    if settings[table.INSECURE]:
        return ["Any certificate of the server is accepted (insecure is on)."]
    if row is None:
        return []
    found: list[Words] = []
    if not row.values.get("verify", True):
        found.append(f"The certificate of {server.name} is not verified (verify = false in the settings file).")
    has_secret = {"token_env", "token_command", "headers"} & set(row.values)
    if has_secret and server.url.startswith("http:") and not address.is_loopback(server.url):
        found.append(
            f"What {server.name} is sent, its token too, is not encrypted: its address begins with http://."
        )
    return found


def _row_of(named: str, paths: Paths) -> Row | None:
    """The table of that name; None for what is an address."""
    if not _NAME.fullmatch(named) or named.isdecimal():
        return None
    from chatcli.settings.named_tables import HOSTS, read_rows

    rows = read_rows(HOSTS, paths.settings_file)
    names = [*rows.sound, *rows.faults]
    if not names or (named not in names and named == "localhost"):
        return None
    if named not in names:
        from difflib import get_close_matches

        near = get_close_matches(named, names, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise NotFound(
            f'There is no host "{named}" in the settings file.',
            f"{meant}There are: {', '.join(names)}. A machine of that name is written {named}:11434.",
        )
    row = rows.get(named)
    if "address" not in row.values:
        where = f"{paths.settings_file}, line {row.line}: hosts.{named}"
        hint = 'Add a line: address = "HOST:PORT".'
        raise ConfigError(f"{where}: it has no address.", hint, file=str(paths.settings_file), line=row.line)
    return row


def _access(row: Row, paths: Paths, checked: bool) -> Access:
    """Raises BadValue where there is no token."""
    headers = dict(row.values.get("headers", {}))
    token = _token(row)
    if token:
        headers["authorization"] = f"Bearer {token}"
    ca = row.values.get("ca", "")
    place = str(paths.settings_file.parent / path_of(ca)) if ca else ""
    source = f"ca of hosts.{row.name}" if ca else ""
    return Access(headers, Trust(place, source, checked and row.values.get("verify", True)))


def _token(row: Row) -> str:
    """ "" where the table names none. No error shows what was found in its place."""
    variable, command = row.values.get("token_env", ""), row.values.get("token_command", ())
    if variable:
        token, what = (
            os.environ.get(variable, "").strip(),
            f"{variable}, which hosts.{row.name} names for its token,",
        )
        if not token:
            raise BadValue(f"{what} is not set.", "Set it in the shell that chatcli is started from.")
    elif command:
        what = f"The token_command of hosts.{row.name}"
        token = _printed(words_of(command[0]) if len(command) == 1 else command, what)
    else:
        return ""
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise BadValue(f"{what} gives no token: it has characters that no token has.", _RUN_IT)
    return token


_RUN_IT = Hint("It must print the token, and nothing else, on its first line.")


def _printed(command: Sequence[str], what: str) -> str:
    """The first line that the command prints. It is ended after PATIENCE seconds, with all that it has started."""
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own command, from the user's own settings file
            [str(path_of(command[0])), *command[1:]] if command else [""],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        raise BadValue(f"{what} cannot be started: {why(error)}.", "Correct it in the settings file.") from None
    until, came = monotonic() + PATIENCE, list[bytes]()
    with child:
        reader = threading.Thread(target=_read_line, args=(child, came), daemon=True)
        reader.start()
        reader.join(PATIENCE)
        try:
            code = child.wait(max(0.0, until - monotonic())) if came else None
        except subprocess.TimeoutExpired:
            code = None
        if code is None:
            _end(child)
        reader.join()
    if code is None:
        raise BadValue(f"{what} did not end within {PATIENCE:.0f} seconds.", _RUN_IT)
    if code:
        raise BadValue(f"{what} failed (exit code {code}).", "Run it in a shell to see why.")
    token = came[0].decode("utf-8", "replace").strip()
    if not token:
        raise BadValue(f"{what} printed nothing.", _RUN_IT)
    return token


def _read_line(child: subprocess.Popen[bytes], came: list[bytes]) -> None:
    assert child.stdout is not None
    came.append(child.stdout.readline(LONGEST))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it and all that it has started."""
    try:
        if sys.platform != "win32":
            os.killpg(child.pid, signal.SIGKILL)
        elif child.poll() is None:
            child.kill()
    except (ProcessLookupError, PermissionError):
        pass
