"""The table of benches: the command of each, what its figures are in words, and the goals for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.bench.page import Bench, Figures, Goal


def every(found: Figures) -> Iterator[Figures]:
    """All objects in it, and in those, itself among them."""
    yield found
    for value in found.values():
        if isinstance(value, Mapping):
            yield from every(value)


def total(*names: str) -> Any:
    """What these names have in a bench's figures, added up."""
    return lambda found: sum(found[name] for name in names)


def largest(name: str) -> Any:
    """The largest figure of that name, wherever it stands."""
    return lambda found: max(each[name] for each in every(found) if name in each)


def in_line(chat: str) -> Any:
    """The longest first time of the commands that once read all messages, in that conversation."""
    return lambda found: max(found[f"/{each}"][chat]["first"] for each in ("tree", "branches", "context"))


def _worst_with_backup(found: Figures) -> int:
    return min(int(each["worst"]) for name, each in found.items() if name.endswith("with a backup"))


def unequal(found: Figures) -> int:
    """Of the rounds that were planned as exact, those that the server measured otherwise."""
    rounds = [each for each in every(found) if "rounds" in each and "equal" in each]
    return sum(each["rounds"] - each["equal"] for each in rounds) if rounds else found["rounds"]


# What stands in the way of these goals is measured, too.
PROFILE = "the rest is importing chatcli's own modules and Typer, and one run of them: see [imports](#imports)"
SEARCHED = (
    "the rest is the search for what recall may quote: up to 2,000 postings of each word to read and add up, and "
    "some 850 passages to read and to rank, where 100 messages have 300: a third of it SQLite, the rest Python"
)
COUNTED = {
    "turns": "turns measured",
    "missed": "planned as exact, measured otherwise",
    "estimated": "planned as an estimate",
    "differ": "planned otherwise than measured",
    "differ_from_second": "the same from the second turn on",
    "exact": "planned as exact",
    "worst": "largest difference, tokens",
    "build_seconds": "building the vocabulary, s",
    "load_seconds": "loading it from the cache, s",
    "load_cpu_seconds": "loading it, s of CPU",
    "megabytes_per_second": "counting, MB of text in a second",
    "cache_bytes": "size of the cache, bytes",
}
BENCHES = (
    Bench(
        "Other programs",
        "peers",
        "chatcli and what was on PATH of ollama, llm, oterm, gptme and aichat: in the same run, in turn, at the "
        "same server, each with a home of its own, as installed (oterm without its opening picture); none can "
        "download anything. Start: from exec to a typed key on the screen. One question: not from a terminal, and "
        "with all that the program starts. Token: CPU of a long reply at 200 tokens a second in a terminal. Kill: "
        "SIGKILL when 300 words of a reply were shown: what is left in the files of the program's home.",
        "peers --rounds 1 --kills 1",
        words={
            "start_ms": "start, ms",
            "question_cpu_ms": "one question, ms of CPU",
            "question_wall_ms": "one question, ms on the clock",
            "question_peak_mb": "one question, peak of memory in MB",
            "token_us": "a token in a terminal, µs of CPU",
            "kill_question_kept": "kill: question kept",
            "kill_reply_kept_percent": "kill: % of the shown reply kept",
            "why": "not measured, because",
        },
        minutes=20,
    ),
    Bench(
        "Start",
        "start --rounds 15",
        "From exec to a prompt that shows a typed key, in a terminal of 80 columns. Beside chatcli runs a bare "
        "`PromptSession().prompt()` of prompt_toolkit: the ratios are medians of one round each.",
        "start --rounds 3",
        (
            Goal(
                "start to the prompt, times a bare prompt", lambda it: it["plain"]["times_wall"], 1.3, why=PROFILE
            ),
            Goal("the same with flags", lambda it: it["flags"]["times_wall"], 1.5, why=PROFILE),
            Goal("the same without a server", lambda it: it["no_server"]["times_wall"], 1.3, why=PROFILE),
        ),
        {
            "bare": "a bare prompt",
            "plain": "`chatcli`",
            "flags": "`chatcli -m NAME`",
            "no_server": "`chatcli`, no server answers",
            "times_wall": "times the bare prompt, clock",
            "times_cpu": "times the bare prompt, CPU",
        },
    ),
    Bench(
        "From Enter to the first character",
        "enter",
        "A message at the prompt, to a server in another process that sends its first chunk at once: from Enter "
        "to the first character of the reply, beside a bare prompt_toolkit prompt that calls the ollama library.",
        "enter --rounds 1",
        (
            Goal(
                "from Enter to the first character, more than through the library",
                lambda it: max(each["more"]["wall"] for each in every(it) if "more" in each),
                15,
                "ms",
            ),
            Goal(
                "peak of memory at the first prompt, times a bare prompt",
                lambda it: it["memory"]["new"]["times_drawn"],
                1.5,
            ),
        ),
        {
            "library": "a bare prompt with the library",
            "more": "chatcli more than that, pair by pair",
            "least": "the shortest more than its shortest, ms",
            "until_sent": "until the server has the request, ms",
            "until_drawn": "from then to the character, ms",
            "new": "a new conversation",
            "of_40_turns": "one of 40 turns, continued",
            "first": "the first message",
            "later": "later messages",
            "bare": "a bare prompt, MB",
            "drawn": "when the prompt is drawn, MB",
            "idle": "a second later, MB",
            "times_drawn": "when the prompt is drawn, times a bare prompt",
            "times_idle": "a second later, times a bare prompt with the library",
        },
    ),
    Bench(
        "One question in a pipe",
        "oneshot",
        "`chatcli hi` against a server that answers at once, beside importing the ollama library and Rich's "
        "console: CPU of the program and of the processes it starts, and the largest peak of one process.",
        "oneshot --rounds 3",
        (
            Goal(
                "CPU of one question, times `import ollama, rich.console`",
                lambda it: it["cached"]["times_cpu"],
                1.3,
                why=PROFILE,
            ),
            Goal("the same with an empty cache", lambda it: it["empty"]["times_cpu"], 1.3, why=PROFILE),
            Goal(
                "memory of one question",
                lambda it: max(it[each]["memory"] for each in ("cached", "empty")),
                60,
                "MB",
            ),
        ),
        {
            "imports": "`import ollama, rich.console`",
            "cached": "`chatcli hi`, vocabulary in the cache",
            "empty": "`chatcli hi`, empty cache",
            "times_cpu": "times the import, CPU",
        },
    ),
    Bench(
        "Imports",
        "imports",
        "What one question from a pipe imports, by whose modules they are: the time that each takes by itself. "
        "This is the profile of what makes it dearer than importing the ollama library and Rich's console.",
        "imports --rounds 1",
        words={"shared": "what `import ollama, rich.console` imports, too", "import_ms": "ms (with the profiler)"},
    ),
    Bench(
        "Drawing a reply",
        "streaming",
        "CPU of drawing a reply of so many tokens that come at 50 a second, beside writing the raw text (a), "
        "drawing it once at its end with Rich (b), and drawing all of it ten times a second with rich.live (c). "
        "Latency: from when a piece has come until it is on the terminal.",
        "streaming --sizes 1000",
        (
            Goal("CPU of drawing a streamed token", lambda it: 1e6 * max(_per_token(it)), None, "µs"),
            Goal(
                "drawing while it streams, times drawing it once with Rich",
                lambda it: it["goals"]["times_b"]["found"],
                5,
            ),
            Goal(
                "a piece is on the screen (95 of 100)",
                lambda it: it["goals"]["latency_p95_ms"]["found"],
                100,
                "ms",
            ),
        ),
        {
            "ours": "chatcli",
            "a": "a: raw text",
            "b": "b: Rich, once",
            "c": "c: rich.live",
            "bytes": "bytes written",
            "times_b": "CPU, times b",
            "share_of_c": "CPU, share of c",
            "memory": "what is held of a reply",
            "kb_at_a_tenth": "after a tenth of it, kB",
            "kb_at_the_end": "at its end, kB",
            "colours": "colors",
        },
        minutes=15,
    ),
    Bench(
        "Counts: planned against measured",
        "tokens --turns 30 --models demo demo-thinking demo-tools",
        "Chats in many scripts with the demo engine: what was planned before a request was sent, beside what the "
        "server says to have read.",
        "tokens --turns 6 --models demo",
        (
            Goal("prompts of a chat planned as exact and measured otherwise", total("missed"), 0),
            Goal("prompts that could only be estimated", total("estimated"), None),
        ),
        COUNTED,
    ),
    Bench(
        "Counts on a real server",
        "tokens --turns 12 --num-ctx 4096 --host {server} --models {models}",
        "The same with models of an Ollama server.",
        "tokens --turns 3 --num-ctx 4096 --host {server} --models {models}",
        (
            Goal(
                "prompts of a chat with a real server, planned as exact and measured otherwise", total("missed"), 0
            ),
            Goal("those that could only be estimated", total("estimated"), None),
        ),
        COUNTED,
    ),
    Bench(
        "Tools",
        "tools --turns 30",
        "Planned tokens against measured ones on every round, with so many tools offered, for each way of writing "
        "tools; and the CPU of the client from the end of a reply that calls to the first word of the next.",
        "tools --turns 6 --tools 1 8 --models demo-tools",
        (
            Goal("rounds with tools planned otherwise than measured", unequal, 0),
            Goal("CPU of a round with tools (the slowest median)", largest("median"), None, "ms"),
        ),
    ),
    Bench(
        "Tools on a real server",
        "tools --turns 8 --tools 0 1 8 --window 4096 --host {server} --models {models}",
        "The same with the models of a server.",
        "tools --turns 2 --tools 0 1 --window 4096 --host {server} --models {models}",
        (Goal("rounds with tools and a real server, planned otherwise than measured", unequal, 0),),
    ),
    Bench(
        "Memory: what a question needs",
        "recall {memory} --budget 3072",
        "Percent of the questions about earlier messages whose needed messages are all in a window of 3,072 "
        "tokens for history.",
        goals=(
            Goal(
                "questions with all they need in the window (`auto`)", lambda it: it["auto"]["evidence"], None, "%"
            ),
            Goal("the same (`trim`)", lambda it: it["trim"]["evidence"], None, "%"),
        ),
        words={
            "evidence": "all that is needed, %",
            "by category": "%, by kind of question",
            "1": "several messages",
            "2": "of time",
            "3": "open",
            "4": "one message",
            "5": "misleading",
            "p95_ms": "planning, 95 of 100 within, ms",
            "gated": "recall added something, %",
            "questions": "of questions",
            "turns": "of the conversation's own messages",
        },
        minutes=20,
    ),
    Bench(
        "Memory: what is read again",
        "prefix {memory} --budget 3072",
        "Tokens that the server evaluates again on each turn, because the request no longer begins as the last "
        "one. The others are without recall (off), or quote where a question looks back (gated) or always.",
        words={
            "evaluated": "evaluated on a turn, tokens",
            "verbatim": "sent word for word, tokens",
            "summaries": "for summaries, tokens a turn",
        },
        minutes=20,
    ),
    Bench(
        "Memory: numbers in summaries",
        "summaries {memory} --budget 3072",
        "Percent of the numbers, dates and quoted strings in what is summarized that reach the model, for two "
        "stand-ins of a summarizing model: one takes whole sentences, one single words.",
        words={
            "specifics": "numbers and the like in a summary",
            "longest": "the longest, times its limit",
            "text": "the summary alone",
            "listed": "with the list below it",
            "list": "the list",
            "new": "of new messages, %",
            "whole": "of all that it covers, %",
            "tokens": "size, tokens",
        },
    ),
    Bench(
        "Memory: seconds a turn",
        "seconds {memory}",
        "How long a person waits for the first word, simulated for three speeds at which a server reads prompts; "
        "and what recall adds to a turn.",
        words={
            "patience": "recall_patience, s",
            "mean": "mean, s",
            "p95": "95 of 100 within, s",
            "most": "longest, s",
        },
        minutes=20,
    ),
    Bench(
        "Search",
        "search --messages 200000",
        "Searching 200,000 stored messages for what a question needs: in a conversation of 100,000, and in all.",
        "search --messages 20000 --long 10000",
        (
            Goal(
                "recall in 100,000 messages (95 of 100)",
                lambda it: it["one_conversation"]["p95"],
                30,
                "ms",
                why=SEARCHED,
            ),
            Goal("the same in all conversations", lambda it: it["all_conversations"]["p95"], None, "ms"),
        ),
    ),
    Bench(
        "A turn in a long conversation",
        "turns",
        "A turn of strategy auto with recall, in conversations of 100, 10,000 and 100,000 messages, and a "
        "start that opens one. CPU is that of chatcli alone.",
        "turns --turns 4 --rounds 1",
        (
            Goal(
                "CPU of a turn that goes on, in 100,000 messages, times one in 100",
                lambda it: it["goes_on"]["100000"]["times"],
                1.2,
                why=SEARCHED,
            ),
            Goal(
                "the same for a question that looks back",
                lambda it: it["looks_back"]["100000"]["times"],
                1.2,
                why=SEARCHED,
            ),
        ),
        {
            "looks_back": "a question that looks back",
            "goes_on": "a message that goes on",
            "first": "the first turn, which looks back",
            "continue": "`chatcli --continue` to the prompt",
            "times": "CPU, times that of 100 messages",
        },
    ),
    Bench(
        "Commands in a long conversation",
        "commands",
        "CPU of a command and of drawing what it shows, in a session that has just opened a conversation of "
        "100,000 messages, beside one of 100.",
        "commands --messages 5000 --branches 50",
        (
            Goal("the first /tree, /branches or /context in 100,000 messages", in_line("line"), 200, "ms"),
            Goal(
                "the same where 2,000 branches part",
                in_line("tree"),
                200,
                "ms",
                why="the rest is reading some 8,000 messages beside the branches from the file, and drawing each "
                "in a line",
            ),
        ),
        {
            "short": "100 messages",
            "line": "100,000 messages in a line",
            "tree": "100,000 on 2,000 branches",
        },
        minutes=15,
    ),
    Bench(
        "What a kill loses",
        "killing --kills 40",
        "chatcli is killed (SIGKILL) at random moments, in a terminal: while it starts, waits, receives a reply, "
        "or is idle. Late is what was sent more than a second before the kill and is not stored.",
        "killing --kills 4",
        (
            Goal(
                "questions and replies lost, doubled, wrong or late after a kill",
                total("lost", "doubled", "wrong", "late", "not_shown"),
                0,
            ),
        ),
        {
            "continued": "replies continued",
            "retried": "questions asked again",
            "interrupted": "replies cut off by the kill",
            "whole": "replies that were whole",
            "thinking": "cut off before the text began",
            "lost": "lost questions, replies or text",
            "doubled": "doubled messages",
            "wrong": "texts that are wrong",
            "late": "late: sent a second before, not stored",
            "not_shown": "not shown by the next program",
        },
    ),
    Bench(
        "What a kill loses in the middle of a tool",
        "killing_calls --kills 100",
        "The same while tools run: nothing lost, nothing repeated.",
        "killing_calls --kills 6",
        (
            Goal(
                "calls and results lost, repeated or told wrongly after a kill",
                total("lost", "repeated", "undone", "nothing", "not_shown", "damage"),
                0,
            ),
        ),
    ),
    Bench(
        "What a kill loses in the store",
        "faults --kills 50 --seconds 20",
        "Programs that only write to a store as a turn does are killed at random moments, and two write at once: "
        "nothing that the store has confirmed may be missing, or be there twice.",
        "faults --kills 5 --seconds 2",
        (
            Goal(
                "confirmed messages lost, doubled, wrong or damaged by a kill",
                lambda it: sum(it["kills"][each] for each in ("lost", "doubled", "wrong", "damaged")),
                0,
            ),
            Goal(
                "lost or damaged by two programs that write at once",
                lambda it: it["two_writers"]["lost"] + it["two_writers"]["damaged"],
                0,
            ),
        ),
        {"moments": "kills"},
    ),
    Bench(
        "What comes back of a damaged store",
        "damage --seeds 5",
        "Messages of 1,000 that recovery brings back, when pages of the file are overwritten, or it is cut off; "
        "the last 100 are newer than the backup.",
        "damage --seeds 1",
        (Goal("messages of 1,000 that came back, in the worst case with a backup", _worst_with_backup),),
        {"mean": "messages, on average", "worst": "messages, in the worst case"},
    ),
    Bench(
        "The store",
        "store --messages 100000 --conversations 1000",
        "What the store costs with 100,000 messages in 1,000 conversations, and three more conversations of 100, "
        "10,000 and 100,000 messages: writing, listing, searching, opening at the end.",
        "store --messages 2000 --conversations 20",
        minutes=15,
    ),
    Bench(
        "A key in the completion menu",
        "completion",
        "With 10,000 conversations, for each beginning of a line: the first key pays for what is read once.",
        "completion --conversations 100",
        words={"median": "median, ms", "longest": "longest (the first), ms"},
    ),
    Bench(
        "Tab in the shell",
        "tab --rounds 7",
        "From exec of the completion to its end, with 10,000 conversations.",
        "tab --rounds 2",
    ),
)


def _per_token(found: Figures) -> Iterator[float]:
    for kind in found["results"].values():
        for each in kind.values():
            yield each["ours"]["cpu_s"] / each["tokens"]
