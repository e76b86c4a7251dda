"""What a session hands to its tools: its conversations, a page, a search of the web."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing

import pytest

from chatcli.client.web_search import Found, read_found
from chatcli.conversation.message import Message, ToolUse
from chatcli.session import tool_functions
from chatcli.session.build import build
from chatcli.session.session import Session
from chatcli.session.tool_functions import can_search_the_web, fetch_page, search_chats, web_search
from chatcli.session.wishes import Wishes
from chatcli.tools.table import builtins
from chatcli.tools.tool import ToolFailure
from tests.faults import Engine, Status
from tests.raw_server import Script, whole

LOCAL = "/api/experimental/web_search"
FOUND = {"results": [{"title": "Tea", "url": "https://tea.example", "content": "A drink"}, {"title": 5}, "x"]}


def never() -> bool:
    return False


def said(session: Session, *texts: str, demo: bool = False) -> list[int]:
    """A conversation with these questions and replies, in turn; returns their ids."""
    conversation = session.store.create(demo=demo, settings={})
    kinds = (Message.user, Message.assistant)
    return [session.store.append(conversation, kinds[at % 2](text)).id for at, text in enumerate(texts)]


def test_the_tools_of_a_session_have_its_functions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(build(Wishes({"host": engine.url, "model": "demo-tools", "tools": "on,run"}))) as session:
        every = {name for name, each in builtins().items()}
        assert {tool.name for tool in session.tools.offered()} == every - {"web_search"}
        workplace = session.tools.workplace()
        assert workplace.search is not None
        assert workplace.fetch is not None
        session.ensure_stored()
        session.store.append(session.conversation, Message.user("hi"))
        session.store.append(session.conversation, Message.tool(ToolUse("now", {}), "noon"))
        assert [workplace.result(number) for number in (0, 1, 2, 3)] == [None, None, "noon", None]
        monkeypatch.setenv("OLLAMA_API_KEY", "key")
        session.reconnect()
        assert {tool.name for tool in session.tools.offered()} == every


def test_passages_of_earlier_conversations_come_with_where_they_are_from(session: Session) -> None:
    said(session, "Where do herons nest?", "Herons nest in tall trees.")
    told = search_chats(session, "herons nest", 5)
    assert "message 2 (reply):\nHerons nest in tall trees." in told
    assert "message 1 (you):\nWhere do herons nest?" in told
    assert told.startswith('"Where do herons nest?", 20')
    assert search_chats(session, "herons nest", 1).count("message ") == 1
    assert search_chats(session, "zebra", 5) == "Nothing was found in the user's conversations."


def test_what_is_no_news_to_the_model_or_not_for_it_is_not_found(session: Session) -> None:
    said(session, "A heron of the demo", demo=not session.server.demo)
    _, forgotten = said(session, "About the heron", "The heron is forgotten")
    other = session.store.conversation(session.store.search(["forgotten"])[0].conversation)
    state = other.state
    session.store.keep_state(other, type(state)(forgotten=frozenset({forgotten})))
    session.ensure_stored()
    here = session.conversation
    session.store.append(here, Message.user("An early heron"))
    session.store.append(here, Message.assistant("Yes"))
    session.store.append(here, Message.user("What did I say of the heron?"))
    session.store.append(here, Message.tool(ToolUse("search_chats", {}), "The heron of a result"))
    told = search_chats(session, "heron", 20)
    assert "An early heron" in told
    assert "About the heron" in told
    for text in ("of the demo", "forgotten", "What did I say", "of a result"):
        assert text not in told


def test_a_page_of_this_machine_is_not_even_connected_to() -> None:
    with Script(whole(b"inside")) as inside:
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "0x7f.1",
            "2130706433",
            "017700000001",
            "127.1",
            "[::ffff:127.0.0.1]",
        ):
            with pytest.raises(ToolFailure, match="own network"):
                fetch_page(f"http://{host}:{inside.address.rpartition(':')[2]}/", never)
    assert not inside.heads


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[fe80::1]",
        "0.0.0.0",
        "168.63.129.16",
    ],
)
def test_nor_is_a_private_network(host: str) -> None:
    with pytest.raises(ToolFailure, match="own network"):
        fetch_page(f"http://{host}:9/", never)


def test_a_page_is_its_text_and_stops_when_the_person_does(monkeypatch: pytest.MonkeyPatch) -> None:
    page = whole(b"<html><body><h1>Tea</h1><p>A drink</p></body></html>", "200 OK", "Content-Type: text/html")
    with Script(page) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)  # to it, example.org is this machine
        assert "A drink" in fetch_page("http://example.org/", never)
    halted = threading.Event()

    def hold(_connection: socket.socket) -> None:
        halted.wait(30)

    def stopped() -> bool:
        if proxy.heads:
            halted.set()
        return halted.is_set()

    with Script(hold) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ToolFailure, match="stopped"):
            fetch_page("http://example.org/", stopped)


def test_the_server_is_asked_to_search_the_web(session: Session, engine: Engine) -> None:
    engine.script(Status(200, json.dumps(FOUND), raw=True), path=LOCAL)
    assert web_search(session, "tea", 3, never) == "Tea\nhttps://tea.example\nA drink"
    (asked,) = [each for each in engine.requests if each.path == LOCAL]
    assert asked.body == {"query": "tea", "max_results": 3}


def test_a_search_is_offered_where_the_server_knows_it_or_there_is_a_key(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.script(Status(400, "missing request body"), Status(404, "404 page not found", raw=True), path=LOCAL)
    assert can_search_the_web(session)
    assert not can_search_the_web(session)
    assert [each.body for each in engine.requests if each.path == LOCAL] == [{}, {}]  # nothing to pass on
    monkeypatch.setenv("OLLAMA_API_KEY", "key")
    assert can_search_the_web(session)


def test_without_a_key_the_model_is_told_what_the_server_says(session: Session, engine: Engine) -> None:
    engine.script(Status(401, "unauthorized"), path=LOCAL)
    with pytest.raises(ToolFailure, match=r"unauthorized.*ollama signin"):
        web_search(session, "tea", 3, never)


def test_with_a_key_ollama_com_is_asked_where_the_server_cannot(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "the-key")
    with Script(whole(json.dumps(FOUND).encode())) as hosted:
        monkeypatch.setattr(tool_functions, "HOSTED", hosted.url)
        engine.script(Status(401, "unauthorized"), path=LOCAL)
        assert web_search(session, "tea", 3, never).startswith("Tea\n")
    assert "authorization: bearer the-key" in hosted.heads[0].lower()


def test_a_search_that_sends_us_elsewhere_takes_no_key_there(
    session: Session, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "the-key")
    with (
        Script(whole(b"{}")) as elsewhere,
        Script(whole(b"", "302 Found", f"Location: {elsewhere.url}/")) as hosted,
    ):
        monkeypatch.setattr(tool_functions, "HOSTED", hosted.url)
        engine.script(Status(401, "unauthorized"), path=LOCAL)
        with pytest.raises(ToolFailure, match="redirects"):
            web_search(session, "tea", 3, never)
    assert not elsewhere.heads


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": "x"}, {"results": [1, None, []]}])
def test_an_odd_answer_finds_nothing(answer: dict[str, object]) -> None:
    assert read_found(answer, 5) == []


def test_a_found_page_is_bounded() -> None:
    (found,) = read_found({"results": [{"title": "a", "url": "b", "content": "x" * 10**6}] * 9}, 1)
    assert isinstance(found, Found)
    assert len(found.text) < 2000
