"""Kinds of inputs at the prompt: what is named and typed there, commands, keys, and how replies are drawn."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatcli.demo.protocol import NDJSON, Answer, HttpRequest, HttpResponse
from tests.bench.world import HERE, AtShell, World, kind
from tests.faults import Drip, Hang, Slow
from tests.raw_server import LAST
from tests.test_cli_oneshot import PNG
from tests.typing_keys import pasted

CTRL_C, CTRL_D, CTRL_BACKSLASH = "\x03", "\x04", "\x1c"


@kind(
    1,
    "what says @report2.pdf",
    "@src/nosuch.py",
    "nosuch.png",
    "compare @a.csv with this",
    "is 'my holiday.jpg' sharp?",
    "sum up @docs/ for me",
    'read @"my notes.txt"',
    "@C:\\notes.txt?",
    "@a.txt,@b.txt",
    "see @data/*.csv",
)
def names_what_is_not_there_and_sends_it_at_the_second_enter(world: World, text: str) -> None:
    with world.terminal() as person:
        person.ready().enter(text)
        person.see("There is no", f">>> {text}")
        assert world.asked == []
        world.engine.say("I cannot see it.")
        person.say("", "I cannot see it.")
        assert world.asked == [text]


@kind(
    1,
    "@types/node",
    "@pytest.fixture",
    "ask @someone",
    "save it as plot.png",
    "mail me@example.org",
    "what does @dataclass do?",
    "@media (max-width: 600px)",
    "npm i @vue/cli",
    "write it to out.csv",
    "what is 3/4 of `@cat.txt`?",
)
def words_are_sent_at_once(world: World, text: str) -> None:
    with world.terminal() as person:
        world.engine.say("Well then.")
        person.ready().say(text, "Well then.")
        assert world.asked == [text]


@kind(1, "@./x", "@../no.py", "@/no/such", "@~/no", "@src/", '@"no such"', "./no.png", "@'a b.md'", "@~nobody9/x")
def a_pipe_refuses_a_path_that_is_not_there(world: World, named: str) -> None:
    assert world.pipe(f"what says {named}").ended(2).err
    assert world.asked == []


@kind(1, "@report2.pdf", "no.png", "@someone", "@types/node", "@a.b.c")
def a_pipe_says_what_it_sends_as_words(world: World, named: str) -> None:
    assert named.lstrip("@") in world.pipe(f"what says {named}").ended(0).err
    assert world.asked == [f"what says {named}"]


@kind(
    2,
    r"@my\ notes.txt",
    '@"my notes.txt"',
    "@'my notes.txt'",
    f"@file://{HERE}/my%20notes.txt",
    rf"@{HERE}/my\ notes.txt",
    "@my*.txt",
    r"@it\'s\ \(1\).txt",
    '@"it\'s (1).txt"',
    "@größe.txt",
    "@notes.txt.",
    "(@notes.txt)",
    "@notes.txt, please",
    "@notes.txt,@other.txt",
)
def a_path_is_read_as_it_is_typed(world: World, named: str) -> None:
    for name in ("my notes.txt", "it's (1).txt", "größe.txt", "notes.txt", "other.txt"):
        world.file(name, f"the whale sings in {name}")
    for way in ("pipe", "loop"):
        text = f"what is in {named.replace(HERE, str(world.here))}"
        if way == "pipe":
            world.pipe(text).ended(0)
        else:
            with world.terminal() as person:
                world.engine.say("That is all.")
                person.ready().say(text, "That is all.")
        assert world.asked[-1].count("the whale sings") == named.count("@"), world.asked[-1]


@kind(
    3,
    ("look at @cat.png", 1),
    ("what is in cat.png and 'my cat.jpg'?", 2),
    ("compare @'my cat.jpg' with @cat.png", 2),
    ("all of @*.*g", 2),
    (r"see my\ cat.jpg", 1),
    ("this: ./cat.png", 1),
    ("CAT.PNG?", 0),
    model="demo-vision",
)
def pictures_go_with_their_sentence(world: World, text: str, count: int) -> None:
    world.file("cat.png", PNG)
    world.file("my cat.jpg", PNG)
    world.pipe(text).ended(0)
    assert (world.asked[-1], world.pictures) == (text, count)


@kind(
    5,
    ('stop "END OF"', ["END OF"]),
    ("stop 'END OF'", ["END OF"]),
    ("stop 'A B' C", ["A B", "C"]),
    (r'stop "say \"x\""', ['say "x"']),
    ('stop "it\'s"', ["it's"]),
    (r"stop a\ b", ["a b"]),
)
def quotes_in_set_are_those_of_a_shell(world: World, line: str, stops: list[str]) -> None:
    with world.terminal() as person:
        person.ready().say(f"/set {line}", "stop")
        world.engine.say("Yes indeed.")
        person.say("hi", "Yes indeed.")
        assert world.engine.chats[-1]["options"]["stop"] == stops


@kind(5, "'Be brief.'", '"Be brief."', "Be brief.", "It's late.")
def a_system_prompt_keeps_its_words(world: World, written: str) -> None:
    with world.terminal() as person:
        person.ready().enter(f"/system {written}")
        world.engine.say("Yes indeed.")
        person.say("hi", "Yes indeed.")
        told = world.engine.chats[-1]["messages"][0]["content"]
        assert told in {written, written.strip("'\"")}


@kind(
    6, "/model demo", "/set model demo", "/load demo", "/model demo-thinking", "/m demo-brief", model="demo-vision"
)
def a_switch_says_what_is_no_longer_sent(world: World, switch: str) -> None:
    world.file("cat.png", PNG)
    with world.terminal() as person:
        person.ready().say("look at cat.png", "what it costs.")
        person.tells(switch, "picture")
        person.tells("/context", "without its picture|not sent")
        world.engine.say("Here it is again.")
        person.tells("/model demo-vision", "demo-vision ·")
        person.say("and now?", "Here it is again.")
        assert any(message.get("images") for message in world.engine.chats[-1]["messages"])


@kind(6, "num_ctx 1k", "history_budget 100", "strategy window", "num_ctx 700")
def less_room_says_what_no_longer_fits(world: World, setting: str) -> None:
    with world.terminal() as person:
        person.ready()
        for at in range(4):
            world.engine.say("rain and snow " * 60 + f"end{at}")
            person.say(f"question {at}", f"end{at}")
        person.tells("/set window_messages 2", "window_messages")
        person.tells(f"/set {setting}", "not (be )?sent|no longer|left out|expects|must")


@kind(
    7,
    ("/system", "Answer in one or two sentences"),
    ("/set num_ctx", "2048"),
    ("/set", "2048"),
    model="demo-brief",
)
def what_the_modelfile_sets_is_shown(world: World, line: str, words: str) -> None:
    with world.terminal(rows=100) as person:
        assert words in person.ready().tells(line, "Modelfile|model's")


@kind(
    8, "/set num_ctx 1m", "/set num_ctx 2k", "/set num_predict 100", "/set system Be brief.", "/model demo-brief"
)
def the_toolbar_shows_what_context_shows(world: World, line: str) -> None:
    with world.terminal(rows=50) as person:
        person.ready().say("one", "Send a message")
        person.tells(line, "Send a message")
        told = person.tells("/context", "Send a message").replace(",", "")
        used, window = re.findall(r"(\d+) of (\d+) tokens", told)[-1]
        parts = [int(each) for each in re.findall(r"^█  (?!reserved).*[=~](\d+)  ", told, re.MULTILINE)]
        assert (int(used), f"Window {window} tokens" in told) == (sum(parts), True), told
        assert int(window) <= 32768


@kind(9, "half a thought", "", "/clear", "two words\n")
def ctrl_d_in_mid_reply_loses_nothing(world: World, typed: str) -> None:
    with world.terminal() as person:
        world.engine.say("one two three four five six seven eight nine ten.", "Next reply.")
        world.engine.script(Slow(between=0.1))
        person.ready().say("count", "two")
        person.press(typed.replace("\n", "\r") + CTRL_D)
        person.see("ten.")
        if typed.endswith("\n"):
            person.see("Next reply.")
            return
        person.see(f">>> {typed}" if typed else "Send a message")
        person.settle()
        assert person.running
        assert person.line.startswith(typed)


@kind(9, CTRL_C, CTRL_C * 2, "\x1b")
def what_was_typed_during_a_reply_outlives_keys_that_stop_it(world: World, key: str) -> None:
    with world.terminal() as person:
        world.engine.say("one two three four")
        world.engine.script(Hang(after=3))
        person.ready().say("count", "one")
        person.press("my next question")
        time.sleep(0.3)
        person.press(key)
        time.sleep(0.3)
        if key == "\x1b":
            person.press(CTRL_C)
        person.see(">>> my next question")


@kind(
    10,
    *(f"out.{ending}" for ending in ["txt", "pdf", "docx", "csv", "yaml", "xml", "rtf", "odt"]),
    *(f"out.{ending}" for ending in ["doc", "log", "xlsx", "tex", "rst", "org", "htm", "text"]),
)
def an_ending_that_cannot_be_written_is_refused(world: World, name: str) -> None:
    with world.terminal() as person:
        person.ready().say("hi", "language model")
        after = person.say(f"/save {name}", ".md").rpartition("/save")[2]
        assert ".html" in after
        assert ".json" in after
        assert world.stored("select title from conversations") != [name]
        assert not (world.here / name).exists()


@kind(10, "Python 3.12 notes", "v1.2", "node.js", "5. Mai", "U.S.A.", "a.b.c")
def a_name_with_a_dot_is_a_name(world: World, name: str) -> None:
    with world.terminal() as person:
        person.ready().say("hi", "language model")
        person.say(f"/save {name}")
        person.until(lambda: world.stored("select title from conversations") == [name])


@kind(10, "out.md", "out.json", "out.jsonl", "out.html", "./sub dir/out.md", "OUT.MD", '"my chat.md"')
def an_ending_that_is_written_is_written(world: World, name: str) -> None:
    world.file("sub dir/x", "")
    with world.terminal() as person:
        person.ready().say("hi", "language model")
        person.say(f"/save {name}")
        person.until((world.here / name.strip('"')).exists)


@kind(
    11,
    ["--file", "notes.md"],
    ["-f", "notes.md", "-f", "more.md"],
    ["--image", "cat.png"],
    ["--file", "notes.md", "--system", "Be brief."],
    model="demo-vision",
)
def files_without_a_prompt_open_a_conversation(world: World, flags: list[str]) -> None:
    world.file("notes.md", "The cat sleeps.")
    world.file("more.md", "The dog barks.")
    world.file("cat.png", PNG)
    with world.terminal(*flags) as person:
        person.ready().see("attached")
        assert world.asked == []
        world.engine.say("So it is.")
        person.say("and?", "So it is.")
        assert "and?" in world.asked[0]
        assert world.asked[0].count("The ") == sum(flag.endswith(".md") for flag in flags)
        assert world.pictures == flags.count("--image")


@kind(
    12,
    ("think", "on"),
    ("verbose", "on"),
    ("plain", "on"),
    ("think", "high"),
    ("recall", "on"),
    model="demo-thinking",
)
def a_setting_without_a_value_is_switched_on(world: World, name: str, value: str) -> None:
    with world.terminal() as person:
        person.ready().say(f"/set {name}" + f" {value}" * (value != "on"))
        shown = person.say(f"/set {name} {value}").rpartition("/set")[2]
        assert value in shown
        person.say("/set --always " + name)
        assert "Traceback" not in person.text


@kind(
    14,
    "question",
    "/save out.md",
    "/file x.txt",
    "@x.txt what?",
    "/import x.json",
    "/doctor",
    "/tokens x.txt",
    "cat.png?",
)
def the_loop_goes_on_when_its_directory_is_gone(world: World, line: str) -> None:
    place = world.here / "gone"
    place.mkdir()
    with world.terminal(directory=str(place)) as person:
        person.ready()
        place.rmdir()
        person.enter(line)
        person.settle(1.0)
        if person.line.startswith(line):
            person.press("\r")
            person.settle(1.0)
        if person.line.startswith(line):
            person.press(CTRL_C)
        world.engine.forget()
        world.engine.say("Here we are.")
        person.say("still there?", "Here we are.")
        assert "output cannot be written" not in person.text


@kind(14, "home", "TMPDIR", "HOME")
def the_loop_goes_on_when_another_place_is_gone(world: World, place: str) -> None:
    gone = world.root / "other"
    gone.mkdir()
    gone_from: dict[str, Any] = {} if place == "home" else {place: str(gone)}
    with world.terminal(**gone_from) as person:
        person.ready().say("one", "language model")
        person.settle()
        gone.rmdir()
        if place == "home":
            for path in sorted(world.home.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            world.home.rmdir()
        world.engine.say("Here we are.")
        person.say("still there?", "Here we are.")


@kind(
    15,
    ("With $x*y*z$ and \\(a\\)", ["$x*y*z$", r"\(a\)"]),
    (r"So \[ a_1 * b_1 * c_1 \] holds", [r"\[ a_1 * b_1 * c_1 \]"]),
    ("$$\na*b*c\n$$", ["$$", "a*b*c"]),
    ("\\[\nx_i * y_i * z_i\n\\]", ["\\[", "x_i * y_i * z_i", "\\]"]),
    ("It costs $5 and *really* $6.", ["It costs $5 and really $6."]),
    (r"$\{a\}_n$ and $a_{i}_j$ and $\\$", [r"$\{a\}_n$", "$a_{i}_j$", r"$\\$"]),
    ("From $5 to *more* than $ 6 or $7.", ["From $5 to more than $ 6 or $7."]),
    (r"$a<b$ and $`c`$ and $[x](y)$", ["$a<b$", "$[x](y)$"]),
    ("| a | b |\n|---|---|\n| $x*y*z$ | $p_1$ |", ["$x*y*z$", "$p_1$"]),
    ("- item $a*b*c$\n\n> quoted $d*e*f$", ["$a*b*c$", "$d*e*f$"]),
    (r"\begin{align}" "\na*b*c &= d\n" r"\end{align}", ["a*b*c &= d"]),
)
def formulas_are_drawn_as_they_were_written(world: World, reply: str, shown: list[str]) -> None:
    _drawn(world, reply, shown)


@kind(
    35,
    ("The result is 5*6*78.", ["5*6*78"]),
    ("2*3*4 = 24", ["2*3*4 = 24"]),
    ("2**10**2 is large", ["2**10**2"]),
    ("3_000_000 people", ["3_000_000"]),
    ("a 5 * 6 * 7 b", ["5 * 6 * 7"]),
    ("**5*6*7**", ["5*6*7"]),
    ("(5)*(6)*(7)", ["(5)*(6)*(7)"]),
    ("10~20~30 and ~5", ["10~20~30 and ~5"]),
    ("1.5*2.5*3", ["1.5*2.5*3"]),
    ("snake_case_name", ["snake_case_name"]),
)
def stars_between_digits_stay(world: World, reply: str, shown: list[str]) -> None:
    _drawn(world, reply, shown)


def _drawn(world: World, reply: str, shown: list[str]) -> None:
    for drip in (False, True):
        with world.terminal() as person:
            world.engine.say(reply + "\n\nTHE END")
            if drip:
                world.engine.script(Drip(7, 0.001))
            text = person.ready().say("go", "THE END")
            for each in shown:
                assert each in text, (each, text)


@kind(16, "text", "two\nlines", "", "漢字", "/clear", "a" * 3000)
def a_torn_paste_ends_by_itself(world: World, text: str) -> None:
    with world.terminal() as person:
        person.ready().press(f"\x1b[200~{text}".replace("\n", "\r"))
        time.sleep(3)
        world.engine.say("There it is.")
        person.press(" hi")
        person.settle()
        person.say("", "There it is.")
        assert world.asked == [f"{text} hi".strip() if text else "hi"] or world.asked == [f"{text} hi"]


@kind(16, "text", "two\nlines", "")
def ctrl_c_ends_a_torn_paste(world: World, text: str) -> None:
    with world.terminal() as person:
        person.ready().press(f"\x1b[200~{text}".replace("\n", "\r"))
        person.settle(0.2)
        person.press(CTRL_C)
        person.settle()
        world.engine.say("There it is.")
        person.press("hi")
        person.settle()
        person.say("", "There it is.")
        assert world.asked[0].endswith("hi")


@kind(17, "echo one\ntwo\n/clear", "/bye\nno", "one\n\n\nthree", '"""\nnot a block', "a\n/set seed 1\n", "!ls\nx")
def a_paste_in_plain_mode_is_one_message(world: World, text: str) -> None:
    with world.terminal("--plain") as person:
        person.see(">>>")
        world.engine.say("That was it.")
        person.press(pasted(text))
        person.settle()
        person.press("\r")
        person.see("That was it.")
        assert [asked.strip() for asked in world.asked] == [text.strip()]
        assert person.running


@kind(27, CTRL_BACKSLASH, "SIGTERM", "SIGHUP", "SIGQUIT")
def a_signal_in_mid_reply_leaves_the_terminal_in_order(world: World, how: str) -> None:
    import termios

    usual = termios.ECHO | termios.ICANON | termios.ISIG
    with world.terminal() as person:
        world.engine.say("one two three four")
        world.engine.script(Hang(after=3))
        person.ready().say("count", "one")
        if how.startswith("SIG"):
            os.kill(person.pid, getattr(signal, how))
        else:
            person.press(how)
        person.until(lambda: not person.running)
        person.settle()
        assert not person.cursor_is_hidden, "the cursor"
        assert termios.tcgetattr(person._end)[3] & usual == usual, "the terminal's mode"
        assert b"\x1b[?2004l" in person.written.rpartition(b"\x1b[?2004h")[2], person.written[-300:]


@kind(27, "typed and", "")
def the_prompt_is_drawn_again_after_a_stop(world: World, typed: str) -> None:
    with world.terminal(at=AtShell) as person:
        person.say(f"{sys.executable} -m chatcli", "Send a message")
        person.press(typed)
        person.settle()
        for how in ("Ctrl-Z", "kill"):
            if how == "Ctrl-Z":
                person.press("\x1a")
            else:
                for child in Path(f"/proc/{person.pid}/task/{person.pid}/children").read_text().split():
                    os.kill(int(child), signal.SIGTSTP)
            person.see("Stopped")
            assert not person.cursor_is_hidden
            person.say("clear")
            person.say("fg", f">>> {typed}" if typed else "Send a message")
        world.engine.say("There it is.")
        person.press(" hi")
        person.settle()
        person.say("", "There it is.")
        assert [asked.strip() for asked in world.asked] == [f"{typed} hi".strip()]
        person.say("/bye")


URL = "https://example.org/" + "a-long-path/" * 12 + "end.html"


@kind(
    30,
    f"See {URL} for more.",
    f"- {URL}",
    f"<{URL}>",
    f"[the page]({URL})",
    f"| a | b |\n|---|---|\n| x | {URL} |",
    f"> {URL}",
)
def a_long_address_can_be_clicked(world: World, reply: str) -> None:
    with world.terminal() as person:
        world.engine.say(reply + "\n\nTHE END")
        person.ready().say("go", "THE END")
        flat = person.written.decode()
        assert re.search(r"\x1b\]8;[^;]*;" + re.escape(URL), flat) or URL in flat


@kind(30, 16, 12, 24)
def a_wide_table_stays_readable(world: World, columns: int) -> None:
    names = [f"column{at:02}" for at in range(columns)]
    cells = [f"value{at:02}" for at in range(columns)]
    rows = ["|".join(["", *each, ""]) for each in (names, ["---"] * columns, cells)]
    with world.terminal() as person:
        world.engine.say("\n".join(rows) + "\n\nTHE END")
        text = person.ready().say("go", "THE END")
        assert all(each in text for each in (*names, *cells)), text


@dataclass(frozen=True)
class Pieces:
    """A fault that does no harm: the reply comes in these pieces, most of which are drawn one by one."""

    parts: Sequence[str]

    def __call__(self, request: HttpRequest, _answer: Answer) -> HttpResponse:
        return HttpResponse(200, NDJSON, self._lines(request))

    def _lines(self, request: HttpRequest) -> Iterator[bytes]:
        for part in self.parts:
            yield json.dumps({"message": {"content": part}, "done": False}).encode() + b"\n"
            request.pause(0.02)
        yield LAST


GROWS = [
    '<img height="150" src="https://images.example.org/1476029/29596343-9a8c62c6-8771-11e7-9026-b8eb8852cc4a-and.png">',
    "Title of some length\nthat goes on\n===",
    "a | b\n--|--\n1 | 2",
    "- one\n\n      code in it\n\n  and text",
    "[label]: https://example.org 'title'\n\nsee [label]",
    "1) one\n1. other",
    "```\ncode\n``\nmore\n```\nafter",
    "<div>\n*not slanted*\n\n*slanted*\n</div>",
    "Setext\n---\ntext\n***\nmore",
]


@kind(33, *GROWS)
@kind(
    34,
    "uses `code` data \nas it is",
    "two blanks  \nbreak",
    "**bold** \nnext",
    "tab\t\nnext",
    "- item \n  more",
    "> a \n> b",
)
def what_is_streamed_looks_like_what_is_drawn_whole(world: World, reply: str) -> None:
    looks = []
    for size in (0, 7, 1):
        with world.terminal() as person:
            parts = [reply[at : at + size] for at in range(0, len(reply), size)] if size else [reply]
            world.engine.script(Pieces((*parts, "\n\nTHE END")))
            person.ready().say("go", "THE END")
            text = person.settle()
            looks.append(text.rpartition("go\n")[2].partition("THE END")[0])
    assert looks[0] == looks[1] == looks[2], looks
