"""The table of settings: one row for each, with its kind of value, default and help.

`/set`, its completion, the settings file, CHATCLI_* variables, flags, the request's options and the reference's
table all come from these rows.
"""

from __future__ import annotations

from typing import Any, TypeVar

from chatcli.settings import strategies, values
from chatcli.settings.setting import (
    Group,
    Judge,
    Refusal,
    Setting,
    anything,
    at_most,
    here,
    no_file,
    nothing,
    only,
)
from chatcli.settings.values import ValueKind

T = TypeVar("T")

TABLE: list[Setting[Any]] = []


def by_group() -> dict[str, list[Setting[Any]]]:
    """The settings of each group, in the order of the table."""
    return {
        group: [each for each in TABLE if each.group == group]
        for group in dict.fromkeys(each.group for each in TABLE)
    }


def _row(
    group: Group,
    name: str,
    kind: ValueKind[T],
    default: T,
    meaning: str,
    *aliases: str,
    from_outside: Judge,
    option: bool = False,
    kept: bool = False,
) -> Setting[T]:
    setting = Setting(name, kind, default, meaning, group, from_outside, aliases, option, kept)
    TABLE.append(setting)
    return setting


def _option(name: str, kind: ValueKind[T], meaning: str, from_outside: Judge) -> Setting[T | None]:
    kind_or_none = values.optional(kind)
    return _row(
        "model options", name, kind_or_none, None, meaning, from_outside=from_outside, option=True, kept=True
    )


MODEL = _row("conversation", "model", values.text(), "", "The model.", kept=True, from_outside=here)
SYSTEM = _row(
    "conversation",
    "system",
    values.text(),
    "",
    "System prompt: what the model is told first.",
    kept=True,
    from_outside=anything,
)
FORMAT = _row(
    "conversation",
    "format",
    values.form(),
    "",
    "Format of replies: json, a JSON Schema, or a file with one; replies are checked against it.",
    kept=True,
    from_outside=no_file,
)
THINK = _row(
    "conversation",
    "think",
    values.optional(values.choice("on", "off", "low", "medium", "high", "max")),
    None,
    "Whether a thinking model thinks, and how much.",
    kept=True,
    from_outside=anything,
)
TOOLS = _row(
    "conversation",
    "tools",
    values.tools(),
    (),
    "Tools that the model may ask to run: off, on, or their names.",
    kept=True,
    from_outside=only((), why=Refusal.TOOLS),
)
TOOL_SHARE = _row(
    "memory",
    "tool_share",
    values.share(),
    0.25,
    "Share of the window for the result of one tool call; a longer one is cut in its middle.",
    kept=True,
    from_outside=anything,
)
GENERATE = _row(
    "conversation",
    "generate",
    values.boolean(),
    False,
    "Ask /api/generate, and pass back the context that it returns; without one, /api/chat is asked.",
    kept=True,
    from_outside=anything,
)
COMPLETE = _row(
    "conversation",
    "complete",
    values.boolean(),
    False,
    "Go on from the text itself, without roles and template: for models that are not made to chat.",
    kept=True,
    from_outside=anything,
)
KEEP_ALIVE = _row(
    "conversation",
    "keep_alive",
    values.optional(values.duration()),
    None,
    "How long the server keeps the model loaded.",
    "keepalive",
    from_outside=nothing(Refusal.MACHINE),
)

STRATEGY = _row(
    "memory",
    "strategy",
    values.row(strategies.STRATEGIES),
    strategies.AUTO,
    "Which messages are sent when not all fit the window.",
    "context",
    kept=True,
    from_outside=anything,
)
WINDOW_MESSAGES = _row(
    "memory",
    "window_messages",
    values.whole(0),
    20,
    "How many messages before the question strategy window sends.",
    "window",
    kept=True,
    from_outside=anything,
)
HISTORY_BUDGET = _row(
    "memory",
    "history_budget",
    values.optional(values.size(0)),
    None,
    "Most tokens of earlier messages in a request; unset: as many as fit.",
    "budget",
    kept=True,
    from_outside=anything,
)
KEEP_RECENT = _row(
    "memory",
    "keep_recent",
    values.whole(0),
    6,
    "How many of the last messages are not summarized, as far as there is room for them.",
    kept=True,
    from_outside=anything,
)
SUMMARY_MODEL = _row(
    "memory",
    "summary_model",
    values.text(),
    "",
    "Model that writes summaries; unset: the chat's model, which has the conversation in its cache.",
    kept=True,
    from_outside=only("", why=Refusal.MODEL),
)
MEMORY = _row(
    "memory",
    "memory",
    values.boolean(),
    True,
    "Send your facts (the command memory lists them) with every request; in Python programs off unless set.",
    kept=True,
    from_outside=only(False, why=Refusal.FACTS),
)
RECALL = _row(
    "memory",
    "recall",
    values.choice("on", "off", "always"),
    "on",
    "Quote earlier messages with the question: on (when they match it), off, or always (from all chats).",
    kept=True,
    from_outside=only("on", "off", why=Refusal.CHATS),
)
RECALL_SHARE = _row(
    "memory",
    "recall_share",
    values.share(),
    0.2,
    "Share of the room for earlier messages that recall usually takes; a question that looks back gets up to 90%.",
    kept=True,
    from_outside=anything,
)
RECALL_PATIENCE = _row(
    "memory",
    "recall_patience",
    values.seconds(),
    5.0,
    "How long the server may take to read what recall adds to a request; off: as long as it takes.",
    kept=True,
    from_outside=anything,
)
DOCUMENT_SHARE = _row(
    "memory",
    "document_share",
    values.share(),
    0.5,
    "Share of the window for the files of one message; of larger ones, the passages that match are sent.",
    kept=True,
    from_outside=anything,
)
EMBEDDING_MODEL = _row(
    "memory",
    "embedding_model",
    values.text(),
    "",
    "Embedding model for recall by meaning; unset: recall matches words only.",
    kept=True,
    from_outside=only("", why=Refusal.MODEL),
)
RESERVE = _row(
    "memory",
    "reserve",
    values.optional(values.size(0)),
    None,
    "Tokens reserved for the reply; unset: a quarter of the window, 256 to 1024.",
    kept=True,
    from_outside=anything,
)
TRUNCATE = _row(
    "memory",
    "truncate",
    values.boolean(),
    True,
    "Whether Ollama drops messages from a request that the window has no room for; off: it refuses.",
    kept=True,
    from_outside=anything,
)
SHIFT = _row(
    "memory",
    "shift",
    values.boolean(),
    True,
    "Whether Ollama drops older tokens when a reply fills the window; off: the reply ends. Changing it may reload "
    "the model.",
    kept=True,
    from_outside=anything,
)
OVERFLOW = _row(
    "memory",
    "overflow",
    values.choice("error", "head", "tail", "grow", "chunk"),
    "error",
    "In the shell, when input does not fit: an error, its head or tail, a window that grows, or chunk by chunk.",
    from_outside=nothing(Refusal.PROGRAM),
)
TOKENIZER = _row(
    "program",
    "tokenizer",
    values.choice("auto", "model", "o200k_base", "cl100k_base"),
    "auto",
    "Tokenizer that counts: the model's own, or a bundled encoding; auto: the model's where possible.",
    from_outside=nothing(Refusal.PROGRAM),
)

THINKING = _row(
    "screen",
    "thinking",
    values.choice("show", "fold", "hide"),
    "fold",
    "Show thinking, fold it to one line when it ends, or hide it.",
    from_outside=nothing(Refusal.PROGRAM),
)
LOOP_GUARD = _row(
    "screen",
    "loop_guard",
    values.choice("notice", "stop", "off"),
    "notice",
    "When a reply repeats itself without end: say so, or stop it. In a pipe and in programs off unless set.",
    from_outside=nothing(Refusal.PROGRAM),
)
VERBOSE = _row(
    "screen",
    "verbose",
    values.boolean(),
    False,
    "Show timings and token counts after each reply.",
    from_outside=nothing(Refusal.PROGRAM),
)
PLAIN = _row(
    "screen",
    "plain",
    values.boolean(),
    False,
    "Append-only text without colors or repainting, for screen readers: whole paragraphs, and a word at the end.",
    from_outside=nothing(Refusal.PROGRAM),
)

THEME = _row(
    "screen",
    "theme",
    values.choice("auto", "light", "dark", "mono"),
    "auto",
    "Colors; auto: by the terminal's background.",
    from_outside=nothing(Refusal.PROGRAM),
)
CODE_THEME = _row(
    "screen",
    "code_theme",
    values.text(),
    "",
    "Pygments style for code; unset: the theme's.",
    from_outside=nothing(Refusal.PROGRAM),
)

BELL = _row(
    "screen",
    "bell",
    values.optional(values.number(0)),
    None,
    "Ring, or notify where the terminal can, when a reply took this many seconds; unset: never.",
    from_outside=nothing(Refusal.PROGRAM),
)
WORDWRAP = _row(
    "screen",
    "wordwrap",
    values.columns(),
    100,
    "Most columns of a line of prose; off: the terminal breaks long lines, so that they copy as one.",
    from_outside=nothing(Refusal.PROGRAM),
)

HOST = _row(
    "program",
    "host",
    values.address(),
    "",
    "The Ollama server: an address, or a host of the settings file; unset: OLLAMA_HOST, else 127.0.0.1:11434.",
    from_outside=nothing(Refusal.PROGRAM),
)
INSECURE = _row(
    "program",
    "insecure",
    values.boolean(),
    False,
    "Accept any certificate of the server, and download from registries without one.",
    from_outside=nothing(Refusal.PROGRAM),
)
RETRIES = _row(
    "program",
    "retries",
    values.whole(0),
    4,
    "How often a request is sent again when the server is busy or restarts and nothing has come; 0: never.",
    from_outside=nothing(Refusal.PROGRAM),
)
TOOLS_DENY = _row(
    "program",
    "tools_deny",
    values.rules(),
    (),
    "Calls of tools that never run: rules such as run or 'run(rm *)'. They come before all others.",
    from_outside=nothing(Refusal.PROGRAM),
)
TOOLS_ASK = _row(
    "program",
    "tools_ask",
    values.rules(),
    (),
    "Calls of tools that are asked for, also where a rule of tools_allow or their kind would let them run.",
    from_outside=nothing(Refusal.PROGRAM),
)
TOOLS_ALLOW = _row(
    "program",
    "tools_allow",
    values.rules(),
    (),
    "Calls of tools that run without a question: rules such as fetch_page(docs.python.org) or 'run(ls *)'.",
    "allow",
    from_outside=nothing(Refusal.PROGRAM),
)
HISTORY = _row(
    "program",
    "history",
    values.boolean(),
    True,
    "Remember typed lines, for the Up key and Ctrl-R.",
    from_outside=nothing(Refusal.PROGRAM),
)
SAVE = _row(
    "program",
    "save",
    values.boolean(),
    True,
    "Store conversations on disk.",
    from_outside=nothing(Refusal.PROGRAM),
)
ENCODING = _row(
    "program",
    "encoding",
    values.encoding(),
    "",
    "Encoding of files and standard input; unset: told by their bytes.",
    from_outside=nothing(Refusal.PROGRAM),
)
VI = _row("program", "vi", values.boolean(), False, "Edit with vi keys.", from_outside=nothing(Refusal.PROGRAM))

NUM_CTX = _option(
    "num_ctx", values.size(8), "Context window in tokens. Changing it reloads the model.", at_most(131_072)
)
NUM_PREDICT = _option(
    "num_predict", values.whole(-2), "Most tokens of a reply; -1: no limit but the window.", anything
)
TEMPERATURE = _option(
    "temperature", values.number(0, 10), "Randomness of the reply; 0: always the likeliest token.", anything
)
SEED = _option("seed", values.whole(), "Random seed; the same seed repeats a reply.", anything)
TOP_K = _option("top_k", values.whole(0), "Sample from the k likeliest tokens.", anything)
TOP_P = _option(
    "top_p", values.number(0, 1), "Sample from the likeliest tokens that add up to this probability.", anything
)
MIN_P = _option(
    "min_p", values.number(0, 1), "Drop tokens less likely than this share of the likeliest one.", anything
)
TYPICAL_P = _option("typical_p", values.number(0, 1), "Prefer tokens about as surprising as expected.", anything)
REPEAT_LAST_N = _option(
    "repeat_last_n",
    values.whole(-1),
    "How many tokens back to look for repetition; -1: the whole window.",
    anything,
)
REPEAT_PENALTY = _option("repeat_penalty", values.number(0, 10), "Penalty for repeated tokens; 1: none.", anything)
PRESENCE_PENALTY = _option(
    "presence_penalty", values.number(-10, 10), "Penalty for tokens that occurred before.", anything
)
FREQUENCY_PENALTY = _option(
    "frequency_penalty", values.number(-10, 10), "Penalty for tokens by how often they occurred.", anything
)
STOP = _option("stop", values.texts(), "Texts that end the reply.", anything)
NUM_KEEP = _option(
    "num_keep", values.whole(-1), "Tokens at the front that Ollama keeps when it drops others.", anything
)
NUM_BATCH = _option(
    "num_batch",
    values.whole(1),
    "Prompt tokens evaluated in one batch. Changing it reloads the model.",
    nothing(Refusal.MACHINE),
)
NUM_GPU = _option(
    "num_gpu", values.whole(-1), "Layers on the GPU. Changing it reloads the model.", nothing(Refusal.MACHINE)
)
MAIN_GPU = _option(
    "main_gpu", values.whole(0), "GPU for small tensors. Changing it reloads the model.", nothing(Refusal.MACHINE)
)
USE_MMAP = _option(
    "use_mmap",
    values.boolean(),
    "Map the model file into memory. Changing it reloads the model.",
    nothing(Refusal.MACHINE),
)
NUM_THREAD = _option(
    "num_thread", values.whole(0), "CPU threads. Changing it reloads the model.", nothing(Refusal.MACHINE)
)
DRAFT_NUM_PREDICT = _option(
    "draft_num_predict", values.whole(0), "Tokens that a draft model predicts ahead.", nothing(Refusal.MACHINE)
)

# Words that stand for a setting with a value, in /set and as flags; the first ones are those of `ollama run`.
SHORTHANDS: dict[str, tuple[Setting[Any], str]] = {
    "quiet": (VERBOSE, "off"),
    "nothink": (THINK, "off"),
    "nohistory": (HISTORY, "off"),
    "nowordwrap": (WORDWRAP, "off"),
    "hidethinking": (THINKING, "hide"),
    "private": (SAVE, "off"),
}
