"""/models and its words: what the list tells of a model, and what is done with one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatcli.cli.main import run
from chatcli.commands import everything
from chatcli.commands.outcomes import Choose, Confirm, Show
from chatcli.demo.protocol import Answer, HttpRequest, HttpResponse, whole
from chatcli.errors import BadArgument, Missing, ModelError
from chatcli.render.notices import draw
from chatcli.render.theme import Palette
from chatcli.render.views import Listing
from chatcli.session.session import Session
from chatcli.settings import table
from tests.commanding import advised, do, say, shown
from tests.faults import Engine, Slow, Status

WORDS = everything().words_of(everything().find("models"))
REMOTE = {
    "name": "giant:cloud",
    "size": 300,
    "digest": "f00",
    "remote_model": "giant",
    "remote_host": "https://ollama.com:443",
    "capabilities": ["completion", "tools"],
    "details": {"context_length": 262144},
}


def listed(session: Session) -> Listing:
    outcome = do(session, "models")
    assert isinstance(outcome, Show)
    view = outcome.views[-1]
    assert isinstance(view, Listing)
    return view


def row(listing: Listing, name: str) -> dict[str, Any]:
    cells = next(row for row in listing.rows if name in row)
    return dict(zip(listing.columns, cells, strict=True))


def answering(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[HttpRequest, Answer], HttpResponse]:
    """A fault that changes what the engine says."""
    return lambda request, answer: whole(change(json.loads(b"".join(answer(request).chunks))))


def test_the_list_says_what_a_model_can_and_whether_it_is_loaded_and_in_use(session: Session) -> None:
    say(session, "hi")
    listing = listed(session)
    used = row(listing, "demo")
    assert used[""] == "*"
    assert used["state"] == "loaded"
    assert used["trained"] == "32768"
    assert used["family"] == "llama"
    vision = row(listing, "demo-vision")
    assert vision[""] == vision["state"] == ""
    assert vision["can"] == "vision"
    assert row(listing, "demo-thinking")["can"] == "thinking"


def test_a_model_that_runs_elsewhere_is_marked_and_has_no_size(session: Session, engine: Engine) -> None:
    engine.script(answering(lambda said: {"models": [*said["models"], REMOTE]}), path="/api/tags")
    remote = row(listed(session), "giant:cloud")
    assert remote["state"] == "runs at ollama.com"
    assert remote["size"] == ""
    assert remote["trained"] == "262144"
    assert remote["can"] == "tools"


def test_details_are_asked_once_for_each_digest_and_not_where_the_list_has_them(
    session: Session, engine: Engine
) -> None:
    engine.script(answering(lambda said: {"models": [*said["models"], REMOTE]}), path="/api/tags")
    listed(session)
    asked = [each.body["model"] for each in engine.requests if each.path == "/api/show"]
    assert sorted(asked) == sorted(model.name for model in engine.inside.shelf)
    listed(session)
    assert [each.path for each in engine.requests].count("/api/show") == len(asked)


def test_the_list_comes_although_the_server_does_not_describe_a_model(session: Session, engine: Engine) -> None:
    engine.script(*[Status(400, "no")] * 6, path="/api/show")
    listing = listed(session)
    assert len(listing.rows) == 6
    assert "can" not in listing.columns  # no column of blanks


def test_the_list_does_not_wait_long_for_a_server_that_describes_nothing(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatcli.session.model_in_use.PATIENCE", 0.05)
    engine.script(*[Slow(first=60.0)] * 6, path="/api/show")
    assert len(listed(session).rows) == 6


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_list_fits_the_terminal_and_loses_columns_for_it(session: Session, width: int) -> None:
    listing = listed(session)
    lines = list(draw(listing, Palette("mono"), width, rendered=True))
    assert len(lines) == 1 + len(listing.rows)
    assert all(line.cells <= width for line in lines)
    assert all("demo" in line.text for line in lines[1:])
    if width >= 80:
        assert "thinking" in "".join(line.text for line in lines)


def test_rm_asks_and_deletes_also_what_is_loaded(session: Session, engine: Engine) -> None:
    say(session, "hi")
    outcome = do(session, "models rm demo demo-vision")
    assert isinstance(outcome, Confirm)
    assert "demo-vision (" in str(outcome.question)
    assert len(list(engine.inside.shelf)) == 6
    text = shown(outcome.then())
    assert "demo-vision is deleted" in text
    assert "It was the model in use" in text
    assert not {"demo:latest", "demo-vision:latest"} & {model.name for model in engine.inside.shelf}
    assert list(engine.inside.runners) == []


def test_rm_of_a_model_that_is_not_there_deletes_none_and_names_the_nearest(
    session: Session, engine: Engine
) -> None:
    with pytest.raises(Missing) as caught:
        do(session, "models rm demo demo-vison --yes")
    assert "demo-vision" in advised(caught.value)
    assert len(list(engine.inside.shelf)) == 6
    with pytest.raises(BadArgument):
        do(session, "models rm")


def test_a_switch_says_what_is_new_in_the_other_model(session: Session) -> None:
    say(session, "hi")
    assert "It thinks." in shown(do(session, "model demo-thinking"))
    assert "It sees pictures and does not think." in shown(do(session, "model demo-vision"))
    do(session, "unset num_ctx")
    text = shown(do(session, "model demo-brief"))
    assert "Its window has 2048 tokens" in text
    assert "It sees no pictures." in text
    assert shown(do(session, "model demo-brief")).endswith("(from the next message).")


def test_a_model_that_does_not_chat_is_neither_offered_nor_taken(session: Session) -> None:
    with pytest.raises(ModelError, match="demo-embed does not chat: it is for embedding"):
        do(session, "model demo-embed")
    assert session.settings[table.MODEL] == "demo"
    offered = do(session, "model")
    assert isinstance(offered, Choose)
    assert "demo-vision" in offered.choices
    assert "demo-embed" not in offered.choices


def test_cp_gives_a_model_another_name_and_replaces_none_unasked(session: Session) -> None:
    assert "mine" in shown(do(session, "models cp demo mine"))
    assert row(listed(session), "mine")
    assert isinstance(do(session, "models cp demo demo-vision"), Confirm)
    assert "demo is also demo-vision now" in shown(do(session, "models cp demo demo-vision --yes"))
    with pytest.raises(Missing):
        do(session, "models cp nope other")


@pytest.mark.parametrize("name", ["demo", "demo-embed"])
def test_unload_takes_a_model_out_of_memory(session: Session, engine: Engine, name: str) -> None:
    client = session.client.get()
    if name == "demo-embed":
        client.embed(name, ["a"])
    else:
        client.load(name, {})
    assert "no longer in memory" in shown(do(session, f"models unload {name}"))
    assert list(engine.inside.runners) == []
    assert "not loaded" in shown(do(session, f"models unload {name}"))
    with pytest.raises(Missing):
        do(session, "models unload nope")


def test_show_describes_another_model_too(session: Session) -> None:
    assert "demo-vision" in shown(do(session, "models show demo-vision"))
    for line in ("show template demo-vision", "models show demo-vision template"):
        assert "start_of_turn" in shown(do(session, line))
    with pytest.raises(BadArgument):
        do(session, "show demo demo-vision")


@pytest.mark.parametrize("word", WORDS, ids=lambda each: each.name)
def test_every_word_is_also_a_subcommand_of_the_shell_and_completed(session: Session, word: Any) -> None:
    assert word.name in {" ".join(words) for words in everything().subcommands}
    last = word.name.partition(" ")[2]
    assert last in [found.text for found, _ in everything().suggest(session, f"/models {last[:1]}")]


def test_after_a_word_its_own_argument_is_completed(session: Session) -> None:
    session.client.get()
    assert ("demo-vision", 6) in [
        (word.text, size) for word, size in everything().suggest(session, "/models rm demo-v")
    ]


def test_what_is_no_word_of_a_command_gets_the_nearest(session: Session) -> None:
    with pytest.raises(BadArgument, match='has no word "shwo"') as caught:
        do(session, "models shwo demo")
    assert "/models show" in advised(caught.value)
    with pytest.raises(BadArgument) as caught:
        do(session, "models xyzzy")
    assert "unload" in advised(caught.value)


def test_the_shell_lists_and_deletes_models(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "list", "--host", engine.url]) == 0
    assert "demo-thinking" in capfd.readouterr().out
    assert run(["models", "rm", "demo", "--host", engine.url]) == 2
    assert "--yes" in capfd.readouterr().err
    assert run(["models", "rm", "demo", "--yes", "--host", engine.url]) == 0
    assert len(list(engine.inside.shelf)) == 5
    assert run(["models", "shwo", "--host", engine.url]) == 2
    assert "chatcli models show" in capfd.readouterr().err
