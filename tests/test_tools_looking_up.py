"""fetch_page, web_search, search_chats, read_result: what is asked of the workplace, and what nobody may ask."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcli.context.tool_results import cut
from chatcli.conversation.usage import Count
from chatcli.tools.fitting import fitting
from chatcli.tools.looking_up import fetch_page, read_result, search_chats, web_search
from chatcli.tools.schema import text_of
from chatcli.tools.table import Builtin, chosen
from chatcli.tools.tool import Scope, ToolFailure, Workplace

RESULT = "\n".join(f"line {number}" for number in range(1, 101))
HERE = Workplace(
    Path(),
    search=lambda question, most: f"{most} of {question}",
    fetch=lambda address, _stopped: f"text of {address}",
    web_search=lambda question, most, _stopped: f"{most} of {question}",
    result={7: RESULT}.get,
)


def ran(tool: Builtin, **arguments: Any) -> str:
    fitted = fitting(tool.tool, arguments)
    tool.tool.scope(fitted, HERE)
    return text_of(tool.tool.run(fitted, HERE))


@pytest.mark.parametrize("name", ["search_chats", "fetch_page", "web_search"])
def test_a_tool_whose_function_is_not_there_is_not_offered(name: str) -> None:
    assert name not in {tool.name for tool in chosen(("on",), Workplace(Path()))[0]}
    assert name in {tool.name for tool in chosen(("on",), HERE)[0]}
    assert f"{name} cannot work here" in str(chosen((name,), Workplace(Path()))[1])


def test_a_page_is_fetched_with_leave_for_its_host() -> None:
    assert (
        ran(fetch_page, address=" https://Docs.Example.org/a?b=c#d ") == "text of https://Docs.Example.org/a?b=c#d"
    )
    scope = fetch_page.tool.scope({"address": "https://Docs.Example.org:8443/a"}, HERE)
    assert scope == Scope("docs.example.org:8443")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
            "ftp://example.org/x",
            "gopher://example.org",
            "data:,x",
        ),
        *(
            "javascript:alert(1)",
            "/etc/passwd",
            "example.org",
            "",
            "https://",
            "https:///path",
            "https:example.org",
        ),
        *("https://ada:secret@example.org/", "https://ada@example.org/", "https://a:p/w@example.org"),
        *("https://example.org\\@evil.example/", "https://exa mple.org/"),
        *(
            "https://example.org/a b",
            "https://example.org/\nx",
            "https://example.org/\x1b[31m",
            "https://exämple.org/",
        ),
        *("https://example.org%2f@evil.example/", "https://[::1", "https://example.org:port/"),
        "https://example.org/" + "x" * 3000,
    ],
)
def test_an_address_that_nobody_may_have_fetched_is_refused_before_anybody_is_asked(address: str) -> None:
    fetched: list[str] = []

    def fetch(address: str, _stopped: object) -> str:
        fetched.append(address)
        return ""

    workplace = Workplace(Path(), fetch=fetch)
    steps: list[Callable[..., object]] = [fetch_page.tool.scope, fetch_page.tool.run]
    for step in steps:
        with pytest.raises(ToolFailure) as failure:
            step({"address": address}, workplace)
        assert "secret" not in str(failure.value)
    assert not fetched


@example("https://evil.example#@example.org/")
@example("https://evil.example?@example.org/")
@example("HTTP://EXAMPLE.org:80/")
@given(st.from_regex(r"https?://[a-z0-9.:@/\\\\?#\\[\\]%_ -]{1,30}", fullmatch=True))
def test_leave_is_asked_for_the_host_that_is_connected_to(address: str) -> None:
    try:
        scope = fetch_page.tool.scope({"address": address}, HERE)
        url = httpx.URL(address.strip())
    except (ToolFailure, httpx.InvalidURL):
        return
    assert (urlsplit(f"http://{scope.what}").hostname or "") == url.raw_host.decode().strip("[]")


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("https://example.org/?q=tea&lang=en", False),
        ("https://example.org/a-rather-long-title-of-some-page-about-tea-and-cake", False),
        ("https://example.org/?api_key=abc", True),
        ("https://example.org/?q=x&Token=abc", True),
        ("https://example.org/#access_token=abc", True),
        ("https://example.org/sk_live_4eC39HqLyjWDarjtT1zdp7dcXYZ", True),
        ("https://example.org/?d=QUtJQUlPU0ZPRE5ON0VYQU1QTEUxMjM0NTY3", True),
    ],
)
def test_an_address_that_may_carry_a_secret_is_asked_for_each_time(address: str, secret: bool) -> None:
    assert fetch_page.tool.scope({"address": address}, HERE).secret is secret


def test_a_question_is_passed_on_and_bounded() -> None:
    assert ran(web_search, question="tea", most="3") == "3 of tea"
    assert ran(search_chats, question="tea") == "5 of tea"
    assert web_search.tool.scope({"question": "tea"}, HERE) == Scope("ollama.com")
    assert search_chats.tool.scope({"question": "tea"}, HERE) == Scope("the chats")
    for tool in (web_search, search_chats):
        for question in ("", " ", "x" * 2000):
            with pytest.raises(ToolFailure):
                ran(tool, question=question)
    with pytest.raises(ToolFailure, match="at most 10"):
        ran(web_search, question="tea", most=1000)


def test_what_a_cut_result_names_is_what_is_read() -> None:
    text = "".join(f"line {number} \x0c\u2028 of it\n" for number in range(500))
    short = cut(text, 200, 7, lambda message: Count(len(message.text) // 4))
    named = re.search(r"message=(\d+), first_line=(\d+), last_line=(\d+)", short)
    assert named is not None
    place = Workplace(Path(), result={7: text}.get)
    number, first, last = map(int, named.groups())
    more = read_result.tool.run({"message": number, "first_line": first, "last_line": last}, place)
    _, _, rest = more.partition("\n")
    before, _, after = short.partition(f"[Lines {first} to {last}")
    assert before + rest + "\n" + after.partition("\n")[2] == text


def test_more_of_a_result_is_read_by_its_lines() -> None:
    told = ran(read_result, message=7, first_line=40, last_line=42)
    assert told == "Lines 40 to 42 of 100:\nline 40\nline 41\nline 42"
    assert ran(read_result, message=7, first_line=99).endswith("line 99\nline 100")
    with pytest.raises(ToolFailure, match="Message 8 is no result"):
        ran(read_result, message=8)
    with pytest.raises(ToolFailure, match="There are 100 lines"):
        ran(read_result, message=7, first_line=101)
