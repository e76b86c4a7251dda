"""What is shown of the next request is what is sent, whatever is switched before it; and a switch says what it
takes away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.commands.outcomes import Show
from chatcli.commands.perform import perform
from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.usage import Count, in_tokens
from chatcli.errors import ContextTooLong
from chatcli.render.views import WindowView
from chatcli.repl.toolbar_data import TOO_LONG, meter
from chatcli.session.build import Wishes, build
from chatcli.session.session import Session
from chatcli.settings.layers import Layer
from chatcli.settings.strategies import FULL, STRATEGIES, TRIM
from chatcli.turn import answer, ask
from tests.commanding import Person, advised, do, say, shown
from tests.faults import Engine
from tests.test_cli_oneshot import chatcli

DOT = Attachment("image", "dot.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(40))

SWITCHES = [
    *(f"model {name}" for name in ("demo", "demo-vision", "demo-thinking", "demo-tools", "demo-brief")),
    *(f"set strategy {each.name}" for each in STRATEGIES),
    *(f"set num_ctx {size}" for size in ("512", "2k", "4k", "1m")),
    *("set window_messages 2", "set reserve 100", "set history_budget 300", "unset history_budget"),
    *("set system Answer in one short sentence.", "unset system", "set think off", "unset think"),
]


def in_context(session: Session) -> Plan:
    outcome = do(session, "context")
    assert isinstance(outcome, Show)
    view = outcome.views[0]
    assert isinstance(view, WindowView)
    return view.plan


def added(session: Session, text: str) -> int:
    """The tokens that the toolbar shows for the line being typed."""
    typed = next((note for note in meter(session, text).notes if note.endswith(" typed")), "=0 typed")
    return int(typed.split()[0].lstrip("=~"))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.lists(st.sampled_from(SWITCHES), max_size=3), st.integers(0, 60)), max_size=5))
def test_toolbar_context_request_and_server_agree_after_any_switches(
    engine: Engine, steps: list[tuple[list[str], int]]
) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "recall": "off", "save": "off"}))
    try:
        say(session, "Tell me of the tides, and of what moves them.")
        for switches, words in steps:
            for switch in switches:
                do(session, switch)
            _one_truth(session, "What of the moon? " + "And the tide? " * words)
    finally:
        session.close()


def _one_truth(session: Session, question: str) -> None:
    """Toolbar and /context show the same; asking then sends that, and the server counts it."""
    try:
        plan = in_context(session)
    except ContextTooLong:
        assert meter(session).used == TOO_LONG
        return
    toolbar = meter(session)
    assert (toolbar.used, toolbar.window) == (str(plan.planned), plan.window)
    assert toolbar.used.startswith("=")
    expected = plan.planned.tokens + added(session, question)
    try:
        reply = answer(session, ask(session, question), lambda event: None)
    except ContextTooLong:
        return
    sent = session.plan
    assert sent is not None
    assert reply is not None
    assert reply.turn is not None
    assert sent.window == plan.window == reply.turn.options["num_ctx"]
    if sent.excess == 0:
        assert reply.turn.usage.prompt_tokens == sent.planned.tokens
    # A summary that was made meanwhile, in the background, is sent as well.
    if sent.left_out == plan.left_out and _summary(sent) == _summary(plan):
        assert sent.planned == Count(expected, exact=True)


def _summary(plan: Plan) -> list[Count]:
    return [part.count for part in plan.parts if part.kind is PartKind.SUMMARY and part.fate is Fate.SENT]


@pytest.mark.parametrize(("asked", "window"), [("2k", 2048), ("1m", 32768)])
def test_the_window_shown_is_the_one_that_the_server_allocates(session: Session, asked: str, window: int) -> None:
    say(session, "tell me of whales")
    said = shown(do(session, f"set num_ctx {asked}"))
    assert ("demo gets 32768" in said) == (asked == "1m")
    assert meter(session).window == in_context(session).window == window
    assert "demo gets" in shown(do(session, "set num_ctx")) or asked != "1m"
    assert f"The next request loads demo with a window of {window}." in repr(do(session, "ps"))
    say(session, "how large?")
    assert [row.context_length for row in session.client.get().loaded()] == [window]
    assert "The next request loads" not in repr(do(session, "ps"))


def test_what_is_attached_is_in_the_toolbar_and_in_context(session: Session) -> None:
    say(session, "hello")
    before = meter(session).tokens
    session.attach([Attachment("text", "notes.txt", "text/plain", b"The tide turns at noon. " * 20)])
    assert meter(session).tokens == in_context(session).planned.tokens > before + 100


def test_the_toolbar_shows_no_number_until_the_model_is_known(session: Session) -> None:
    assert (meter(session).used, meter(session).window) == ("", 0)
    session.settings.put("num_ctx", "1m", Layer.SET)
    assert meter(session).window == 0


def test_the_toolbar_counts_for_another_model_at_once_and_exactly_when_its_vocabulary_is_there(
    session: Session,
) -> None:
    say(session, "tell me of whales")
    session.use_model("demo-brief")
    assert meter(session).used.startswith("~")
    session.counting.get()
    assert meter(session).used == str(in_context(session).planned)
    assert meter(session).used.startswith("=")


# What a switch takes away


@pytest.fixture
def pictured(engine: Engine) -> Session:
    session = build(Wishes({"host": engine.url, "model": "demo-vision", "num_ctx": "4k"}))
    answer(session, ask(session, "What is this?", (DOT,)), lambda event: None)
    return session


TO_DEMO: list[Callable[[Session], object]] = [
    lambda session: do(session, "model demo"),
    lambda session: do(session, "set model demo"),
    lambda session: do(session, "load demo"),
]


@pytest.mark.parametrize("switch", TO_DEMO)
def test_a_model_that_cannot_see_says_so_at_the_switch_and_in_context(
    pictured: Session, switch: Callable[[Session], Show]
) -> None:
    said = shown(switch(pictured))
    assert "Message 1 will be sent without its picture: the model cannot see." in said
    assert said.index("picture") < said.index("from the next message")
    part = in_context(pictured).part_of(1)
    assert part is not None
    assert part.lacks == "without its picture: the model cannot see"
    assert "without its picture" in shown(do(pictured, "context why 1"))
    assert "picture" not in shown(do(pictured, "set temperature 0.5"))
    assert "without its picture" not in shown(do(pictured, "model demo-vision"))
    pictured.close()


def test_a_picture_that_waits_for_a_message_is_said_to_be_refused(session: Session) -> None:
    session.use_model("demo-vision")
    session.attach([DOT])
    assert "The next message will be refused: demo cannot see pictures." in shown(do(session, "model demo"))


def test_thinking_that_a_model_cannot_do_is_said_at_the_switch(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo-thinking", "think": "on"}))
    say(session, "hello")
    said = shown(do(session, "model demo"))
    assert "The next message will be refused: demo does not support thinking." in said
    assert "refused" not in shown(do(session, "set think off"))
    assert "refused" in shown(do(session, "set think on"))
    session.close()


NARROWER = [
    "set num_ctx 512",
    f"set strategy {TRIM.name}",
    "set history_budget 60",
    "set system " + "Be brief. " * 90,
]


@pytest.mark.parametrize("line", NARROWER)
def test_what_no_longer_fits_is_said_before_it_is_left_out(engine: Engine, line: str) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "1k", "recall": "off"}))
    if "strategy" in line:
        do(session, "set strategy server")
    for number in range(6):
        engine.say("A matter of taste, of time and of the weather. " * 4)
        say(session, f"What of thing number {number}?")
    before = in_context(session)
    said = shown(do(session, line))
    after = in_context(session)
    gone = after.left_out - before.left_out
    assert gone > 0 or "strategy" in line
    assert ("will not be sent: older than" in said) == (gone > 0)
    assert session.conversation.state.cut is None or "strategy" in line
    session.close()


def test_a_strategy_that_cannot_send_the_conversation_says_so_at_the_switch(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "512", "recall": "off"}))
    for number in range(6):
        engine.say("A matter of taste, of time and of the weather. " * 4)
        say(session, f"What of thing number {number}?")
    said = shown(do(session, f"set strategy {FULL.name}"))
    assert "The next message will be refused: The whole conversation no longer fits" in said
    assert meter(session).used == TOO_LONG
    with pytest.raises(ContextTooLong) as caught:
        do(session, "context")
    assert "num_ctx" in advised(caught.value)
    session.close()


# What the Modelfile says


def test_the_system_prompt_of_the_model_is_shown_as_its_own(session: Session) -> None:
    session.use_model("demo-brief")
    session.forget_model()
    said = shown(do(session, "system"))
    assert "Answer in one or two sentences." in said
    assert "This is the system prompt of demo-brief, from its Modelfile." in said
    assert "the model's Modelfile" in shown(do(session, "set system"))


def test_an_option_that_the_modelfile_sets_is_shown_with_its_value(session: Session) -> None:
    session.use_model("demo-brief")
    assert "num_ctx = 2048  (the model's Modelfile)" in shown(do(session, "set num_ctx"))
    assert "num_ctx 2048 the model's Modelfile" in shown(do(session, "set"))
    assert "num_ctx 4096 set here" in shown(do(session, "set num_ctx 4k") and do(session, "set"))


# A switch that is no command


def test_another_model_for_one_retry_says_first_what_it_cannot_see(pictured: Session) -> None:
    say(pictured, "and what else?")
    person = Person(pictured)
    perform(pictured, do(pictured, "retry --model demo"), person)
    assert "Message 1 will be sent without its picture" in shown(Show(tuple(person.views)))
    person = Person(pictured)
    perform(pictured, do(pictured, "retry"), person)
    assert "picture" not in shown(Show(tuple(person.views)))
    pictured.close()


@pytest.mark.parametrize(("flags", "told"), [(["-m", "demo"], True), ([], False), (["--temperature", "0"], False)])
def test_another_model_in_the_shell_says_on_stderr_what_it_does_not_get(
    pictured: Session, flags: list[str], told: bool
) -> None:
    pictured.close()
    done = chatcli("--continue", *flags, "and now?", url=pictured.server.url)
    assert done.returncode == 0
    assert ("Message 1 will be sent without its picture: the model cannot see." in done.stderr) == told


def test_a_smaller_window_in_the_shell_says_on_stderr_what_it_leaves_out(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "num_ctx": "4k"}))
    for number in range(6):
        engine.say("A matter of taste, of time and of the weather. " * 4)
        say(session, f"What of thing number {number}?")
    session.close()
    for told in (True, False):
        done = chatcli("--continue", "--num-ctx", "512", "and now?", url=engine.url)
        assert done.returncode == 0
        assert ("will not be sent: older than" in done.stderr) == told


@pytest.fixture
def tooled(engine: Engine) -> Iterator[Session]:
    session = build(Wishes({"host": engine.url, "model": "demo-tools"}))
    say(session, "Good day.")
    yield session
    session.close()


def test_turning_tools_on_and_off_says_what_it_costs_and_that_all_is_read_again(tooled: Session) -> None:
    said = shown(do(tooled, "set tools now,calculate"))
    definitions = in_context(tooled).of(PartKind.DEFINITIONS)
    assert definitions.exact
    assert definitions.tokens > 0
    assert f" tools: {in_tokens(definitions)} in each request; " in said
    assert f"{in_tokens(in_context(tooled).planned)} are read again." in said
    off = shown(do(tooled, "set tools off"))
    assert f"No tools: {in_tokens(definitions)} fewer in each request; " in off
    assert f"{in_tokens(in_context(tooled).planned)} are read again." in off


def test_a_model_that_knows_no_tools_is_asked_without_them_and_that_is_said_once(
    tooled: Session, engine: Engine
) -> None:
    do(tooled, "set tools calculate")
    said = shown(do(tooled, "model demo"))
    assert "demo knows no tools: it is asked without them." in said
    tooled.take_warnings()
    say(tooled, "And now?")
    assert "tools" not in engine.chats[-1]
    assert not [line for line in tooled.take_warnings() if "tools" in str(line)]


def test_a_start_with_tools_and_a_model_that_knows_none_says_so_with_the_first_question(engine: Engine) -> None:
    session = build(Wishes({"host": engine.url, "model": "demo", "tools": "on", "save": "off"}))
    try:
        say(session, "Good day.")
        assert "demo knows no tools: it is asked without them." in map(str, session.take_warnings())
        say(session, "And now?")
        assert not session.take_warnings()
    finally:
        session.close()


@pytest.mark.parametrize(
    ("setting", "told"), [("generate", "takes no tools"), ("complete", "asked without tools")]
)
def test_generate_asks_chat_where_tools_are_on_and_complete_leaves_them_out(
    tooled: Session, engine: Engine, setting: str, told: str
) -> None:
    do(tooled, "set tools calculate")
    do(tooled, f"set {setting} on")
    tooled.take_warnings()
    tooled.begin()
    say(tooled, "Good day.")
    assert told in " ".join(map(str, tooled.take_warnings())) or setting == "complete"
    assert tooled.plan is not None
    assert tooled.plan.is_chat == (setting == "generate")


def test_calls_and_results_are_parts_of_the_next_request(tooled: Session) -> None:
    do(tooled, "set tools calculate")
    say(tooled, 'call calculate {"expression": "6*7"}')
    plan = in_context(tooled)
    for kind in (PartKind.CALLS, PartKind.RESULTS):
        assert plan.of(kind).tokens > 0
        assert plan.of(kind).exact
    assert meter(tooled).used == str(plan.planned)
