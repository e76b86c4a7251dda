"""Databases of other programs: the Ollama app's, oterm's, llm's logs; and aichat's sessions and log."""

from __future__ import annotations

import base64
import importlib.util
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.conversation.message import ToolUse
from chatcli.errors import BadFile, UserError
from chatcli.store import other_databases
from chatcli.store.import_forms import FORMS
from chatcli.store.reimport import Importer
from chatcli.store.store import Store
from chatcli.store.transfer import find_chats, read_chat

PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
SAID = [
    ("user", "Why does it rain?"),
    ("assistant", "Clouds."),
    ("user", "And snow?"),
    ("assistant", "Cold clouds."),
]
TIME = "2024-05-01 10:00:00.123456789+00:00"

OLLAMA = """
CREATE TABLE chats (id TEXT PRIMARY KEY, title TEXT NOT NULL DEFAULT '', created_at TIMESTAMP, browser_state TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, chat_id TEXT, role TEXT, content TEXT, thinking TEXT,
    stream BOOLEAN, model_name TEXT, created_at TIMESTAMP, tool_result TEXT);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, message_id INTEGER, type TEXT, function_name TEXT,
    function_arguments TEXT, function_result TEXT);
CREATE TABLE attachments (id INTEGER PRIMARY KEY, message_id INTEGER, filename TEXT, data BLOB);
"""
OTERM = """
CREATE TABLE chat (id INTEGER PRIMARY KEY, name TEXT, model TEXT NOT NULL, system TEXT, parameters TEXT);
CREATE TABLE message (id INTEGER PRIMARY KEY, chat_id INTEGER, author TEXT, text TEXT, images TEXT DEFAULT '[]');
"""
LLM = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, response TEXT,
    conversation_id TEXT, datetime_utc TEXT, reasoning TEXT);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE prompt_attachments (response_id TEXT, attachment_id TEXT, "order" INTEGER);
CREATE VIRTUAL TABLE responses_fts USING FTS5 (prompt, response, content=responses);
"""
LLM_THREADS = """
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT,
    text TEXT, payload TEXT);
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
CREATE TABLE attachments (id TEXT PRIMARY KEY, type TEXT, path TEXT, url TEXT, content BLOB);
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT);
CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, tip_message_hash TEXT, model TEXT, datetime_utc TEXT);
CREATE VIEW message_tree AS SELECT * FROM messages;
"""


def of_ollama(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO chats VALUES ('c', 'Rain', ?, NULL)", (TIME,))
    for place, (role, text) in enumerate(SAID, start=1):
        thinking, model = ("Hm.", "llama3.2") if role == "assistant" else ("", None)
        row = (place, "c", role, text, thinking, model, TIME)
        columns = "id, chat_id, role, content, thinking, model_name, created_at"
        connection.execute(f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO attachments VALUES (1, 1, 'sky.gif', ?)", (PICTURE,))
    connection.execute("INSERT INTO attachments VALUES (2, 1, 'notes.txt', ?)", (b"wet",))
    connection.execute("""INSERT INTO tool_calls VALUES (1, 2, 'function', 'look', '{"at": "sky"}', '')""")


def of_oterm(connection: sqlite3.Connection) -> None:
    connection.execute("""INSERT INTO chat VALUES (7, 'Rain', 'llama3.2', 'Be brief.', '{"temperature": 0.5}')""")
    for place, (role, text) in enumerate(SAID):
        images = json.dumps([base64.b64encode(PICTURE).decode()] if not place else [])
        connection.execute("INSERT INTO message VALUES (NULL, 7, ?, ?, ?)", (role, text, images))


def of_llm(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO conversations VALUES ('c', 'Rain', 'llama3.2')")
    connection.execute("INSERT INTO attachments VALUES ('a', 'image/gif', NULL, NULL, ?)", (PICTURE,))
    for place in range(2):
        row = (str(place), "llama3.2", SAID[2 * place][1], SAID[2 * place + 1][1], "c", TIME, "Hm.")
        connection.execute("INSERT INTO responses VALUES (?, ?, ?, NULL, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO prompt_attachments VALUES ('0', 'a', 0)")


def of_llm_threads(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO threads VALUES ('t', 'Rain', '3', NULL, ?)", (TIME,))
    connection.execute("INSERT INTO attachments VALUES ('a', 'image/gif', NULL, NULL, ?)", (PICTURE,))
    connection.execute("INSERT INTO fragments VALUES (5, 'h', 'And')")
    parts = "INSERT INTO parts (message_hash, position, type, text, payload) VALUES (?, ?, ?, ?, ?)"
    for place, (role, text) in enumerate(SAID):
        above = str(place - 1) if place else None
        connection.execute("INSERT INTO messages VALUES (?, ?, ?, NULL)", (str(place), above, role))
        if place == 2:
            connection.execute(
                parts, ("2", 0, "text", None, '{"text_ref": [{"fragment": 5}, {"literal": " snow?"}]}')
            )
        else:
            connection.execute(parts, (str(place), 0, "text", text, None))
        if role == "assistant":
            connection.execute(parts, (str(place), 1, "reasoning", "Hm.", None))
            connection.execute(
                "INSERT INTO turns VALUES (?, 't', ?, 'llama3.2', ?)", (str(place), str(place), TIME)
            )
    connection.execute(parts, ("0", 1, "attachment", None, '{"attachment": {"id": "a"}}'))


DATABASES: dict[str, tuple[str, Callable[[sqlite3.Connection], None]]] = {
    "the Ollama app": (OLLAMA, of_ollama),
    "oterm": (OTERM, of_oterm),
    "llm": (LLM, of_llm),
    "llm since 0.3x": (LLM_THREADS, of_llm_threads),
}


def made(path: Path, program: str, *more: str) -> Path:
    schema, fill = DATABASES[program]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        fill(connection)
        for statement in more:
            connection.execute(statement)
        connection.commit()
    return path


@pytest.mark.parametrize("program", DATABASES)
def test_databases_of_other_programs_are_read_with_all_that_they_hold(program: str, tmp_path: Path) -> None:
    chat = read_chat(made(tmp_path / "db.sqlite", program))
    assert [(each.role.value, each.text) for each in chat.messages] == SAID
    assert chat.title == "Rain"
    assert chat.repairs == []
    assert chat.messages[0].attachments[0].data == PICTURE
    path = chat.conversation.path()
    assert path[1].turn is not None
    assert path[1].turn.model == "llama3.2"
    if program == "oterm":
        assert chat.conversation.settings == {"system": "Be brief.", "temperature": "0.5"}
        assert not chat.dated  # oterm keeps none of these
    else:
        assert path[1].message.thinking == "Hm."
        assert path[1].created.isoformat()[:16] == "2024-05-01T10:00"
    if program == "the Ollama app":
        assert [each.data for each in chat.messages[0].attachments] == [PICTURE, b"wet"]
        assert [(each.name, each.arguments) for each in chat.messages[1].tool_uses] == [("look", {"at": "sky"})]


# How llm keeps a call and its result: with the response that calls, and with the one after it.
LLM_CALLS = (
    "CREATE TABLE tool_calls (id INTEGER, response_id TEXT, name TEXT, arguments TEXT, tool_call_id TEXT)",
    "CREATE TABLE tool_results (id INTEGER, response_id TEXT, name TEXT, output TEXT, tool_call_id TEXT)",
    """INSERT INTO tool_calls VALUES (1, '0', 'look', '{"at": "sky"}', 'c1')""",
    "INSERT INTO tool_results VALUES (1, '1', 'look', 'grey', 'c1')",
    "UPDATE responses SET prompt = '' WHERE id = '1'",
)
LLM_PARTS = (
    """INSERT INTO parts VALUES (90, '1', 9, 'tool_call', 'look', NULL,
        '{"arguments": {"at": "sky"}, "tool_call_id": "c1"}')""",
    "DELETE FROM parts WHERE message_hash = '2'",
    "UPDATE messages SET role = 'tool' WHERE hash = '2'",
    """INSERT INTO parts VALUES (91, '2', 0, 'tool_result', 'look', NULL,
        '{"output": "grey", "tool_call_id": "c1"}')""",
)


@pytest.mark.parametrize(("program", "more"), [("llm", LLM_CALLS), ("llm since 0.3x", LLM_PARTS)])
def test_calls_that_llm_has_logged_come_with_their_results(
    program: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    chat = read_chat(made(tmp_path / "db.sqlite", program, *more))
    assert [(each.role.value, each.text) for each in chat.messages] == [*SAID[:2], ("tool", "grey"), SAID[3]]
    use = ToolUse("look", {"at": "sky"}, "c1")
    assert chat.messages[1].calls == (use,)
    assert chat.messages[2].answers == use


@pytest.mark.parametrize("program", DATABASES)
def test_the_same_database_twice_adds_nothing(program: str, tmp_path: Path) -> None:
    file = made(tmp_path / "db.sqlite", program)
    with Store.open(None) as store:
        for added in (len(SAID), 0):
            assert [Importer(store).take(chat).added for chat in find_chats(file).chats] == [added]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=st.sampled_from([*DATABASES]), data=st.data())
def test_whatever_is_in_its_rows_is_read_or_refused_with_a_word(
    program: str, data: st.DataObject, tmp_path: Path
) -> None:
    value = st.none() | st.integers(-9, 9) | st.floats() | st.text(max_size=9) | st.binary(max_size=9)
    file = tmp_path / "db.sqlite"
    file.unlink(missing_ok=True)
    made(file, program)
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
        )
        table = data.draw(st.sampled_from([name for (name,) in tables if "fts" not in name]))
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if not row[5]]
        column = data.draw(st.sampled_from([name for name in columns if name not in {"model", "chat_id"}]))
        change = data.draw(
            st.sampled_from([f'UPDATE {table} SET "{column}" = ?', f'ALTER TABLE {table} DROP "{column}"'])
        )
        with suppress(sqlite3.Error):
            connection.execute(change, (data.draw(value),) if "?" in change else ())
        connection.commit()
    with suppress(UserError):
        read_chat(file)


def test_what_the_other_program_has_not_moved_out_of_its_log_is_read_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "db.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLLAMA)
        of_ollama(connection)
        connection.commit()
        before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
        assert len(read_chat(file).messages) == len(SAID)
        assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_database_of_other_tables_is_refused_with_the_forms_that_are_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x")) as connection:
        connection.execute("CREATE TABLE recipes (id, text)")
    with pytest.raises(UserError) as caught:
        read_chat(tmp_path / "x")
    assert str(caught.value.hint) == FORMS
    (tmp_path / "x").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    with pytest.raises(BadFile, match="cannot be read"):
        read_chat(tmp_path / "x")


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE attachments", f"CREATE VIEW attachments AS {ENDLESS} message_id, 'f' AS filename FROM n"],
        ["ALTER TABLE messages ADD COLUMN bomb AS (zeroblob(900000000))"],
    ],
    ids=["view", "generated column"],
)
def test_what_a_stranger_put_in_place_of_a_table_is_not_run(statements: list[str], tmp_path: Path) -> None:
    chat = read_chat(made(tmp_path / "db.sqlite", "the Ollama app", *statements))
    assert [(each.role.value, each.text) for each in chat.messages] == SAID


@pytest.mark.parametrize("limit", ["_MOST_STEPS", "_MOST_BYTES"])
def test_a_database_that_is_endless_is_given_up_with_a_word(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_databases, limit, 1)
    monkeypatch.setattr(other_databases, "_STEPS", 10)
    with pytest.raises(BadFile, match=r"too long|more than"):
        read_chat(made(tmp_path / "db.sqlite", "the Ollama app"))


LOG = """# CHAT: Why does it [2024-05-01T10:00:00+00:00] (poet)
Why does it rain?
--------
Clouds.

# CHAT: not a new one [2024-05-01T10:00:00+00:00]
--------

# CHAT: And snow [2024-05-01T11:00:00+00:00]
And snow?
--------
Cold clouds.
--------

"""
SESSION = """model: ollama:llama3.2
temperature: 0.5
compressed_messages:
- role: user
  content: Why does it rain?
- role: assistant
  content: |-
    Clouds.
messages:
- role: user
  content:
  - type: text
    text: And snow?
  - type: image_url
    image_url:
      url: data:image/gif;base64,PICTURE
- role: assistant
  content: Cold clouds.
data_urls: {}
"""


def test_aichats_log_is_a_conversation_for_each_question() -> None:
    chats = find_chats(LOG).chats
    assert [chat.title for chat in chats] == ["Why does it", "And snow"]
    assert [[each.text for each in chat.messages] for chat in chats] == [
        ["Why does it rain?", "Clouds.\n\n# CHAT: not a new one [2024-05-01T10:00:00+00:00]"],
        ["And snow?", "Cold clouds."],
    ]
    assert chats[1].conversation.path()[0].created.isoformat() == "2024-05-01T11:00:00+00:00"


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML is not installed")
def test_aichats_sessions_are_read_with_what_was_summarized() -> None:
    chat = read_chat(SESSION.replace("PICTURE", base64.b64encode(PICTURE).decode()))
    assert [(each.role.value, each.text) for each in chat.messages] == SAID
    assert [each.data for each in chat.messages[2].attachments] == [PICTURE]
    assert chat.conversation.settings == {"temperature": "0.5"}
    assert chat.conversation.path()[1].turn.model == "ollama:llama3.2"  # type: ignore[union-attr]


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML is not installed")
def test_the_calls_of_aichats_sessions_come_with_their_results() -> None:
    chat = read_chat(
        "model: m\nmessages:\n- role: user\n  content: Look\n- role: tool\n  content:\n    text: I look.\n"
        "    tool_results:\n    - call: {name: look, arguments: {at: sky}, id: c1}\n      output: {color: grey}\n"
        "- role: assistant\n  content: Grey.\n"
    )
    use = ToolUse("look", {"at": "sky"}, "c1")
    assert [(each.role.value, each.text) for each in chat.messages[1:]] == [
        ("assistant", "I look."),
        ("tool", '{"color": "grey"}'),
        ("assistant", "Grey."),
    ]
    assert chat.messages[1].calls == (use,)
    assert chat.messages[2].answers == use


@pytest.mark.skipif(importlib.util.find_spec("yaml") is None, reason="PyYAML is not installed")
@pytest.mark.parametrize(
    "bad", ["a: &a [x]\nb: *a\n", "x: [" * 3000, "x: '\n", "x: !!python/name:os.system\n - {"]
)
def test_yaml_that_cannot_be_read_is_refused_with_a_word(bad: str) -> None:
    with pytest.raises(UserError, match="That is no YAML that can be read"):
        read_chat(SESSION + bad)


def test_without_pyyaml_a_word_says_what_reads_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UserError, match="read with PyYAML") as caught:
        read_chat(SESSION)
    assert "pip install" in str(caught.value.hint)
