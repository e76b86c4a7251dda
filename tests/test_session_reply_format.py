"""The format of replies: schemas read, refused and kept to; replies judged, in the loop and in a pipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from chatcli.commands.spelling import at_prompt
from chatcli.conversation.events import Text
from chatcli.errors import BadFile
from chatcli.hints import spelled
from chatcli.repl.notes import about_format
from chatcli.session.reply_format import judged, shape
from chatcli.session.session import Session
from chatcli.settings import table
from tests.commanding import do, say
from tests.faults import Engine
from tests.growing import looks, pieces, rendered, streamed
from tests.test_cli_oneshot import chatcli
from tests.test_terminal import terminal

AGE: dict[str, Any] = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
SCHEMA = json.dumps(AGE)
LIST = json.dumps({"type": "object", "properties": {"list": {"type": "array", "items": AGE}}})


@pytest.mark.parametrize(
    ("reply", "form", "wrong"),
    [
        ('{"age": 7}', SCHEMA, ""),
        ("anything", "", ""),
        ("[1, 2]", "json", ""),
        ('{"age": ', "json", "is not JSON"),
        ("Here it is: {}", SCHEMA, "is not JSON"),
        ('{"age": "seven"}', SCHEMA, "at $.age: 'seven' is not of type 'integer'"),
        ("{}", SCHEMA, "at $: 'age' is a required property"),
        ('{"list": [{"age": 1}, {"age": null}]}', LIST, "at $.list[1].age: None is not of type 'integer'"),
        ('{"list": [{"age": "' + "x" * 5000 + '"}]}', LIST, "…"),
        ("[" * 100_000, SCHEMA, "is not JSON"),
    ],
)
def test_a_reply_is_held_against_its_format_and_what_is_wrong_is_said_with_its_place(
    reply: str, form: str, wrong: str
) -> None:
    verdict = judged(reply, form)
    assert not verdict.remark
    assert (verdict.error is not None) is bool(wrong)
    if verdict.error is not None:
        assert wrong in verdict.error.message
        assert len(verdict.error.message) < 400


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "strin"}, "$.type"),
        ({"properties": []}, "$.properties"),
        ({"properties": {"a": {"minimum": "one"}}}, "$.properties.a.minimum"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_the_place_before_anything_is_sent(
    session: Session, engine: Engine, schema: dict[str, Any], fault: str
) -> None:
    with pytest.raises(BadFile, match="is not a JSON Schema") as caught:
        do(session, f"set format {json.dumps(schema)}")
    assert fault in caught.value.message
    assert not session.settings[table.FORMAT]
    done = chatcli("-m", "demo", "--format", json.dumps(schema), "hi", url=engine.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert not engine.chats


def test_a_flag_with_a_schema_that_is_none_is_refused_before_there_is_a_prompt(engine: Engine) -> None:
    with terminal("-m", "demo", "--format", '{"type": "strin"}', url=engine.url) as person:
        assert person.ends() == 2
        assert "is not a JSON Schema: at $.type" in person.text
        assert ">>>" not in person.text


@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:9/a.json"}, {"$ref": "#"}, {"pattern": "("}])
def test_a_schema_that_cannot_be_followed_is_told_of_and_asks_no_address(schema: dict[str, Any]) -> None:
    verdict = judged('"text"', json.dumps(schema))
    assert verdict.error is None
    assert "was not checked" in verdict.remark


def test_without_the_validator_json_is_still_checked_and_it_is_said_that_the_schema_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert shape(SCHEMA) == AGE
    verdict = judged('{"age": "seven"}', SCHEMA)
    assert verdict.error is None
    assert "chatcli[schema]" in verdict.remark
    assert judged("seven", SCHEMA).error is not None


def test_a_pipe_exits_with_1_when_the_reply_does_not_fit_and_still_prints_it(tmp_path: Path) -> None:
    (tmp_path / "age.json").write_text(SCHEMA)
    with Engine() as engine:
        engine.say('{"age": 7}', '{"age": "seven"}', '{"age": "seven"}')
        fits = chatcli("-m", "demo", "--format", "age.json", "hi", url=engine.url, cwd=tmp_path)
        assert (fits.returncode, fits.stdout, fits.stderr) == (0, '{"age": 7}\n', "")
        other = chatcli("-m", "demo", "--format", SCHEMA, "hi", url=engine.url)
        assert (other.returncode, other.stdout) == (1, '{"age": "seven"}\n')
        assert "at $.age" in other.stderr
        told = chatcli("-m", "demo", "--json", "--format", SCHEMA, "hi", url=engine.url)
        assert told.returncode == 1
        found = json.loads(told.stdout)
        assert (found["kind"], found["content"]) == ("WrongFormat", '{"age": "seven"}')
        assert engine.chats[1]["format"] == AGE


def test_the_loop_notes_a_reply_that_does_not_fit_with_the_remedy(session: Session, engine: Engine) -> None:
    do(session, f"set format {SCHEMA}")
    engine.say('{"age": "seven"}', '{"age": 7}')
    for expected in (["/retry"], []):
        say(session, "how old?")
        reply = session.conversation.last
        assert reply is not None
        notes = [spelled(note.text, at_prompt) for note in about_format(reply, session.settings[table.FORMAT])]
        assert ["/retry" for note in notes if "at $.age" in note and "/retry" in note] == expected


def test_a_reply_in_json_is_drawn_as_it_is_and_in_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    text = '{\n  "*a*": "_b_ `c`",\n  "n": [1, 2,\n    {"x": null}]\n}'
    seen = streamed([Text(piece) for piece in pieces(text, 1)], language="json")
    assert seen.text == text.split("\n")
    assert looks(seen) == looks(rendered(text)) == looks(rendered(f"```json\n{text}\n```"))
    assert len({cell[1] for row in seen.cells for cell in row}) > 2
