"""Kinds of attacks: imports, pages, servers, names and stores that want more than they may."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
import stat
import time
import zipfile

from tests.bench.world import World, kind
from tests.faults import Status
from tests.raw_server import Script, sends, whole
from tests.test_cli_oneshot import PNG

SECRET = "the-secret-of-the-house"
PAIR = [{"role": "user", "content": "What is rain?"}, {"role": "assistant", "content": "Water."}]


@kind(
    51,
    {"format": "{here}/secret.json"},
    {"system": "@{here}/secret.json"},
    {"host": "http://127.0.0.1:9"},
    {"model": "{here}/secret.json"},
    {"format": "file://{here}/secret.json"},
    {"code_theme": "{here}/secret.json"},
    {"embedding_model": "http://127.0.0.1:9/x"},
    {"save": "off"},
    {"nosuch": "x"},
    {"recall": "always"},
    {"num_predict": "999999999"},
)
def an_import_sets_nothing_that_reaches_out(world: World, settings: dict[str, str]) -> None:
    world.file("secret.json", {"title": SECRET, "type": "object"})
    settings = {name: value.replace("{here}", str(world.here)) for name, value in settings.items()}
    world.file("x.json", {"chatcli": 1, "messages": PAIR, "settings": settings})
    told = world.pipe("chats", "import", "x.json").ended(0, 2).said
    done = world.pipe("--continue", "and?").ended(0)
    assert SECRET not in str(world.engine.chats)
    assert next(iter(settings)) in told + done.said or settings.keys() & {"system", "num_predict"}


@kind(52, "secretfile", "../secret.txt", "/etc/hostname", "fifo", "/dev/zero", "link", "large")
def an_import_reads_nothing_but_its_own_pictures(world: World, name: str) -> None:
    export = world.here / "export"
    export.mkdir()
    for path in (export / "secretfile.txt", export / "secretfile", world.here / "secret.txt"):
        path.write_text(SECRET)
    os.mkfifo(export / "fifo")
    (export / "link").symlink_to(world.here / "secret.txt")
    with (export / "large").open("wb") as large:
        large.write(PNG)
        large.truncate(3 << 30)
    pointer = {"content_type": "image_asset_pointer", "asset_pointer": f"file-service://{name}"}
    message = {
        "author": {"role": "user"},
        "content": {"content_type": "multimodal_text", "parts": [pointer, "Look."]},
    }
    reply = {"author": {"role": "assistant"}, "content": {"content_type": "text", "parts": ["I see."]}}
    nodes = {"a": {"parent": None, "message": message}, "b": {"parent": "a", "message": reply}}
    world.file("export/conversations.json", [{"title": "Pictures", "mapping": nodes, "current_node": "b"}])
    world.pipe("chats", "import", "export/conversations.json").ended(0)
    world.pipe("-m", "demo-vision", "--continue", "and?").ended(0)
    assert not any(message.get("images") for message in world.engine.chats[-1]["messages"])
    assert SECRET not in str(world.engine.chats)


@kind(
    53,
    "http://localhost./x",
    "http://127.1/x",
    "http://169.254.169.254./x",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://[::ffff:127.0.0.1]/",
    "http://router.lan/",
    "http://intranet/",
    "http://10.0.0.1.nip.io./",
    "http://metadata.google.internal/",
    "http://[fe80::1%25eth0]/",
    "http://127。0。0。1/",
    "//localhost/x",
    "http://0/",
)
def no_page_leads_a_proxy_into_the_own_network(world: World, target: str) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    with Script(sends(answer)) as proxy:
        done = world.pipe("see @http://example.com/page", http_proxy=proxy.url)
        assert done.ended(1, 2).err
        assert [head.split()[1] for head in proxy.heads] == ["http://example.com/page"]
    assert world.asked == []


ADDRESSES = [
    'see @"http://u:s3cr3t\'x@{}/page"',
    "see @http://u:s3cr3t@{}/page",
    "see @http://s3cr3t@{}/page",
    "see @http://u:s3cr3t%20x@{}/page.",
    "see (@http://u:s3cr3t)@{}/page)",
    "see @'http://u:s3cr3t y@{}/page'",
    "see @HTTP://u:s3cr3t@{}/page",
    "see @http://u:a@s3cr3t@{}/page",
]


@kind(54, *ADDRESSES)
def a_password_is_nowhere(world: World, text: str) -> None:
    with Script(whole(b"The whale sings.", "200 OK", "Content-Type: text/plain")) as page:
        line = text.format(page.address)
        done = world.pipe(line)
        assert "s3cr3t" not in done.said
        world.pipe("--json", line)
        with world.terminal() as person:
            person.ready().say(line)
            person.until(lambda: len(world.engine.chats) == 3 or "s3cr3t" in person.line)
            person.settle()
    assert "s3cr3t" not in str(world.engine.chats)
    assert "s3cr3t" not in world.pipe("chats").said
    assert world.anything_of("s3cr3t") == []


@kind(
    54,
    "/set host http://u:s3cr3t@127.0.0.1:9",
    "/import http://u:s3cr3t@127.0.0.1:9/x",
    "/file http://u:s3cr3t@127.0.0.1:9/x",
)
def a_password_in_a_command_is_nowhere(world: World, line: str) -> None:
    with world.terminal() as person:
        person.ready().say(line)
        after = person.settle(1.0)
        assert after.count("s3cr3t") <= line.count("s3cr3t")
        person.say("\x03/bye")
        person.ends()
    assert world.anything_of("s3cr3t") == []


@kind(
    55,
    a=("page", "<a " * 40_000),
    open=("page", "<" * 100_000),
    comment=("page", "<!--" * 50_000),
    table=("page", "<table><tr><td>" * 5_000),
    entity=("page", "&#" * 60_000),
    div=("page", "<div>" * 20_000),
    backslash=("pipe", "\\ " * 25_000),
    at=("pipe", "@" * 50_000),
    quotes=("pipe", "@'" * 25_000),
    stars=("reply", "*a _b " * 4_000),
    brackets=("reply", "[" * 10_000),
    ticks=("reply", "`" * 5_000 + " a " + "``` " * 2000),
    quote=("reply", "> " * 5_000),
    table_reply=("reply", "|" * 10_000 + "\n" + "|-" * 5_000 + "\n"),
    dollar=("reply", "$a " * 5_000),
    spaces=("reply", " " * 20_000 + "x"),
)
def nothing_takes_time_by_the_square(world: World, where: str, text: str) -> None:
    if where == "page":
        with Script(whole(text.encode(), "200 OK", "Content-Type: text/html")) as page:
            world.pipe("--num-ctx", "32k", f"see @{page.url}").sound()
    elif where == "pipe":
        world.pipe("--num-ctx", "32k", given=text.encode()).sound()
    else:
        world.engine.say(text)
        with world.terminal("--num-ctx", "32k") as person:
            person.ready().enter("go")
            person.until(lambda: len(world.engine.chats) == 1)
            person.see("Send a message", patience=60.0)
            assert person.running


BOMB = gzip.compress(bytes(1 << 20)) * 300


@kind(56, "models", "hi", "doctor", "ps")
def a_bomb_of_compression_does_not_go_off(world: World, line: str) -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
    with Script(sends(plain, BOMB)) as server:
        done = world.pipe(line, OLLAMA_HOST=server.url).sound()
        assert "MemoryError" not in done.said
        assert done.code or line == "doctor"


@kind(
    56,
    ("/api/tags", "models"),
    ("/api/show", "hi"),
    ("/api/chat", "hi"),
    ("/api/ps", "ps"),
    ("/api/version", "doctor"),
)
def an_answer_of_a_server_is_bounded(world: World, path: str, line: str) -> None:
    world.engine.script(Status(200, '{"models": [' + '{"name": "x"},' * 5_000_000 + "1]}", raw=True), path=path)
    assert "MemoryError" not in world.pipe(line).sound().said


@kind(57, bomb="conversations.json", other="chat.json", nested="a.zip", docx="word/document.xml")
def a_packed_file_is_bounded(world: World, name: str) -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w", force_zip64=True) as file,
    ):
        file.write(b'[{"title": "')
        for _ in range(400):
            file.write(b"a" * (1 << 20))
        file.write(b'"}]')
    world.file("x.zip", made.getvalue())
    assert world.pipe("chats", "import", "x.zip").ended(1, 2).err
    world.file("x.docx", made.getvalue())
    assert world.pipe("--file", "x.docx", "hi").ended(1, 2).err


LONG = "n" * 300


@kind(
    58,
    f"/file {LONG}",
    f"/save {LONG}.md",
    f"/import {LONG}",
    f"/image {LONG}.png",
    f"/load {LONG}",
    f"/tokens {LONG}",
    f"/set system @{LONG}",
    f"/set format {LONG}",
    "/import deep.json",
    "/import tools.json",
    "/file deep.json",
    "/load 99999999999999999999999",
    "/pin 99999999999999999999999",
    "/goto \ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "/file a\x00b",
    "/save ../" * 100,
    "/model " + "m" * 1000,
    f"look at @{LONG}.md",
    f"look at {LONG}.png",
    "/search " + '"' * 500,
    "/undo 999999999999999999999999",
    "/set num_ctx " + "9" * 1000,
    "/set seed 99999999999999999999",
    "/help " + LONG,
    "/rename " + "r" * 1000,
)
def no_command_ends_the_loop(world: World, line: str) -> None:
    world.file("deep.json", "[" * 200_000)
    call = {"function": {"name": "f", "arguments": "[" * 5_000}}
    world.file("tools.json", {"messages": [*PAIR, {"role": "assistant", "content": "", "tool_calls": [call]}]})
    with world.terminal() as person:
        person.ready().enter(line)
        person.settle(1.0)
        person.settle(1.0)
        person.press("\x03")
        person.settle(0.5)
        world.engine.forget()
        world.engine.say("Here we are.")
        person.say("still there?", "Here we are.")
        for word in ("Traceback", "output cannot be written", "inside chatcli"):
            assert word not in person.text


@kind(
    59,
    deep="a = " + "[" * 200_000,
    number="seed = " + "9" * 6001,
    binary=b"\x00\x01\x02",
    fifo="fifo",
    folder="folder",
    text="hello there",
    unknown="nosuch = 1",
    wrong="num_ctx = 'x'",
    table="[model]\nx = 1",
    date="seed = 2026-11-30",
    device="/dev/zero",
    twice="seed = 1\nseed = 2",
    float="num_ctx = 1e400",
)
def a_settings_file_that_is_none_is_told(world: World, written: str | bytes) -> None:
    path = world.home / "config.toml"
    world.home.mkdir(mode=0o700)
    if written == "fifo":
        os.mkfifo(path)
    elif written == "folder":
        path.mkdir()
    elif written == "/dev/zero":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
    done = world.pipe("hi").sound()
    assert "config.toml" in done.err, done.err
    assert done.code in {0, 1, 2}
    world.pipe("doctor").sound()


@kind(
    60,
    "\x1b]52;c;aGk=\x07",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\x07",
    "\x1bc",
    "\u202e",
    "\x1b]8;;file:///x\x1b\\",
)
def exports_have_no_codes(world: World, code: str) -> None:
    world.engine.say(f"The {code}whale sings.")
    world.pipe("hi").ended(0)
    for form in ("md", "html", "json", "jsonl"):
        out = world.pipe("chats", "export", "1", "--format", form).ended(0).out
        assert "whale sings" in out
        assert not any(sign in out for sign in code if ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0), form
        assert "\x1b" not in out
    with world.terminal() as person:
        world.engine.say(f"The {code}whale sings.")
        person.ready().say("go", "whale sings")
        assert code.encode() not in person.written


VIEWS = {
    "recursive": (
        "create view conversations as with recursive r(n) as (select 1 union all select n+1 from r) "
        "select n as id from r"
    ),
    "other": "create table conversations(x)",
    "empty": "select 1",
    "trigger": "create trigger t after insert on nodes begin delete from nodes; end",
}


@kind(61, "recursive", "other", "empty", "trigger", "text", "zeros", "header", "folder", "fifo")
def a_foreign_store_is_refused_or_told(world: World, what: str) -> None:
    world.pipe("hi").ended(0)
    path = world.home / "chatcli.db"
    for each in (world.home / "chatcli.db-wal", world.home / "chatcli.db-shm"):
        each.unlink(missing_ok=True)
    if what in VIEWS:
        with sqlite3.connect(path) as store:
            store.execute("pragma foreign_keys = off")
            if what in {"recursive", "other"}:
                store.execute("drop table conversations")
            store.execute(VIEWS[what])
    elif what in {"folder", "fifo"}:
        path.unlink()
        path.mkdir() if what == "folder" else os.mkfifo(path)
    else:
        path.write_bytes(
            {"text": b"hello", "zeros": bytes(8192), "header": b"SQLite format 3\x00" + bytes(4096)}[what]
        )
    for arguments in (["chats"], ["hi"], ["doctor"], ["chats", "search", "hi"]):
        begun = time.monotonic()
        done = world.pipe(*arguments).sound()
        assert time.monotonic() - begun < 30
        if arguments == ["hi"]:
            assert "language model" in done.out or done.code


@kind(62, 0o1777, 0o777, 0o775, 0o757)
def a_folder_of_others_is_left_as_it_is(world: World, mode: int) -> None:
    shared = world.root / "shared"
    shared.mkdir()
    shared.chmod(mode)
    done = world.pipe("hi", CHATCLI_HOME=str(shared)).sound()
    if stat.S_IMODE(shared.stat().st_mode) != mode:  # one's own, which only others could read
        assert mode & 0o002 == 0
        assert done.code == 0
        return
    assert done.err
    assert not any(path.suffix == ".db" for path in shared.iterdir())
