"""The only place where a setting exists. `/set`, its completion, the settings file, CHATCLI_* variables, flags,
the request's options and the README's table all come from these rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from chatcli.settings import values
from chatcli.settings.values import ValueKind

T = TypeVar("T")


class Refusal(StrEnum):
    """Why a conversation from outside may not set something, as a clause."""

    FILE = "it names a file"
    MODEL = "it would send the conversation to another model"
    ELSEWHERE = "that model runs on another machine"
    CHATS = "it would quote other conversations"
    LARGE = "it is larger than a stranger may ask for"
    MACHINE = "it is about the machine that the model runs on"
    PROGRAM = "it is no conversation's to set"


# Of a value: why a conversation from outside may not set it, or None where it may.
Judge = Callable[[Any], Refusal | None]


def anything(_: object) -> None:
    """Harmless, whatever it is set to."""


def nothing(why: Refusal) -> Judge:
    return lambda _: why


def only(*harmless: object, why: Refusal) -> Judge:
    return lambda value: None if value in harmless else why


def at_most(most: int) -> Judge:
    return lambda value: Refusal.LARGE if value > most else None


def no_file(form: str) -> Refusal | None:
    """A shape of replies: in one word, or the schema itself."""
    return None if form in {"", "json"} or form.lstrip().startswith("{") else Refusal.FILE


# Where people get models from that then run on their own machine.
_LIBRARIES = {"hf.co", "huggingface.co", "registry.ollama.ai"}


def here(model: str) -> Refusal | None:
    """A model's name, unless it is a path, names a host, or says that Ollama hands the chat on elsewhere."""
    if model.startswith(("/", "~", ".", "file:")) or "\\" in model:
        return Refusal.FILE
    host = model.partition("/")[0].lower() if "/" in model else ""
    names_host = bool(re.search(r"[.:]", host)) and host not in _LIBRARIES
    return Refusal.ELSEWHERE if names_host or re.search(r"[:-]cloud$", model.strip(), re.IGNORECASE) else None


Group = Literal["conversation", "memory", "screen", "program", "model options"]


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One setting. `option`: sent to Ollama under its own name. `kept`: stored with the conversation.
    `from_outside`: what a conversation that was taken in from a file may set it to; every setting decides that.
    """

    name: str
    kind: ValueKind[T]
    default: T
    help: str
    group: Group
    from_outside: Judge
    aliases: tuple[str, ...] = ()
    option: bool = False
    kept: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return "CHATCLI_" + self.name.upper()


TABLE: list[Setting[Any]] = []


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


MODEL = _row("conversation", "model", values.text(), "", "Model to talk to.", kept=True, from_outside=here)
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
    "Shape of replies: json, or a file with a JSON Schema.",
    kept=True,
    from_outside=no_file,
)
THINK = _row(
    "conversation",
    "think",
    values.optional(values.choice("on", "off", "low", "medium", "high", "max")),
    None,
    "Whether a thinking model thinks, and how hard.",
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
    values.choice("full", "window", "trim", "summary", "auto"),
    "auto",
    "How history is chosen when it outgrows the window.",
    "context",
    kept=True,
    from_outside=anything,
)
WINDOW_MESSAGES = _row(
    "memory",
    "window_messages",
    values.whole(0),
    20,
    "Strategy window: how many messages before the question are sent.",
    "window",
    kept=True,
    from_outside=anything,
)
HISTORY_BUDGET = _row(
    "memory",
    "history_budget",
    values.optional(values.size(0)),
    None,
    "Most tokens that history may use; unset: all that fits.",
    "budget",
    kept=True,
    from_outside=anything,
)
KEEP_RECENT = _row(
    "memory",
    "keep_recent",
    values.whole(0),
    6,
    "How many messages a summary leaves word for word.",
    kept=True,
    from_outside=anything,
)
SUMMARY_MODEL = _row(
    "memory",
    "summary_model",
    values.text(),
    "",
    "Model that writes summaries; unset: the chat's own, which has the conversation in its cache.",
    kept=True,
    from_outside=only("", why=Refusal.MODEL),
)
RECALL = _row(
    "memory",
    "recall",
    values.choice("on", "off", "always"),
    "on",
    "Quote earlier messages beside the question: when it calls for them, never, or always (from all chats).",
    kept=True,
    from_outside=only("on", "off", why=Refusal.CHATS),
)
RECALL_SHARE = _row(
    "memory",
    "recall_share",
    values.share(),
    0.2,
    "Share of the room for history that is kept for recall.",
    kept=True,
    from_outside=anything,
)
DOCUMENT_SHARE = _row(
    "memory",
    "document_share",
    values.share(),
    0.5,
    "Most of the window that text attached to one message may take; of more, the fitting passages are sent.",
    kept=True,
    from_outside=anything,
)
EMBEDDING_MODEL = _row(
    "memory",
    "embedding_model",
    values.text(),
    "",
    "Model that tells what words mean, so that recall finds what was said in others; unset: by words alone.",
    kept=True,
    from_outside=only("", why=Refusal.MODEL),
)
RESERVE = _row(
    "memory",
    "reserve",
    values.optional(values.size(0)),
    None,
    "Tokens kept free for the reply; unset: a quarter of the window, 256 to 1024.",
    kept=True,
    from_outside=anything,
)
TOKENIZER = _row(
    "memory",
    "tokenizer",
    values.choice("auto", "model", "o200k_base", "cl100k_base"),
    "auto",
    "What counts tokens: the model's own vocabulary, or a bundled encoding.",
    from_outside=nothing(Refusal.PROGRAM),
)

THINKING = _row(
    "screen",
    "thinking",
    values.choice("show", "fold", "hide"),
    "fold",
    "Thinking: shown, folded to one line when it ends, or hidden.",
    from_outside=nothing(Refusal.PROGRAM),
)
VERBOSE = _row(
    "screen",
    "verbose",
    values.boolean(),
    False,
    "Timings and counts after each reply.",
    from_outside=nothing(Refusal.PROGRAM),
)
PLAIN = _row(
    "screen",
    "plain",
    values.boolean(),
    False,
    "Append-only text: no colours, no repaint; for screen readers.",
    from_outside=nothing(Refusal.PROGRAM),
)

THEME = _row(
    "screen",
    "theme",
    values.choice("auto", "light", "dark", "mono"),
    "auto",
    "Colours: by the terminal's background, or as said.",
    from_outside=nothing(Refusal.PROGRAM),
)
CODE_THEME = _row(
    "screen",
    "code_theme",
    values.text(),
    "",
    "Pygments style for code; unset: the theme's own.",
    from_outside=nothing(Refusal.PROGRAM),
)

HOST = _row(
    "program",
    "host",
    values.address(),
    "",
    "Where Ollama is; unset: OLLAMA_HOST, else 127.0.0.1:11434.",
    from_outside=nothing(Refusal.PROGRAM),
)
HISTORY = _row(
    "program",
    "history",
    values.boolean(),
    True,
    "Remember the lines typed, for the Up key and Ctrl-R.",
    from_outside=nothing(Refusal.PROGRAM),
)
SAVE = _row(
    "program", "save", values.boolean(), True, "Keep conversations on disk.", from_outside=nothing(Refusal.PROGRAM)
)
VI = _row(
    "program", "vi", values.boolean(), False, "Edit lines with vi keys.", from_outside=nothing(Refusal.PROGRAM)
)

NUM_CTX = _option(
    "num_ctx", values.size(8), "Context window in tokens. Changing it reloads the model.", at_most(131_072)
)
NUM_PREDICT = _option(
    "num_predict", values.whole(-2), "Most tokens of a reply; -1: no limit of its own.", anything
)
TEMPERATURE = _option(
    "temperature", values.number(0, 10), "How freely words are chosen; 0: always the likeliest.", anything
)
SEED = _option("seed", values.whole(), "Start of the random numbers; the same seed repeats a reply.", anything)
TOP_K = _option("top_k", values.whole(0), "Choose among the k likeliest tokens.", anything)
TOP_P = _option(
    "top_p", values.number(0, 1), "Choose among the likeliest tokens that make up this probability.", anything
)
MIN_P = _option(
    "min_p", values.number(0, 1), "Leave out tokens less likely than this share of the likeliest.", anything
)
TYPICAL_P = _option("typical_p", values.number(0, 1), "Prefer tokens about as surprising as expected.", anything)
REPEAT_LAST_N = _option(
    "repeat_last_n", values.whole(-1), "How far back repetition is looked for; -1: the window.", anything
)
REPEAT_PENALTY = _option("repeat_penalty", values.number(0, 10), "How strongly repetition is avoided.", anything)
PRESENCE_PENALTY = _option(
    "presence_penalty", values.number(-10, 10), "Penalty for tokens that occurred at all.", anything
)
FREQUENCY_PENALTY = _option(
    "frequency_penalty", values.number(-10, 10), "Penalty by how often a token occurred.", anything
)
STOP = _option("stop", values.texts(), "Texts that end a reply.", anything)
NUM_KEEP = _option(
    "num_keep", values.whole(-1), "Tokens kept if the server shifts the window (chatcli forbids it).", anything
)
NUM_BATCH = _option(
    "num_batch", values.whole(1), "Prompt tokens evaluated at once. Reloads the model.", nothing(Refusal.MACHINE)
)
NUM_GPU = _option(
    "num_gpu", values.whole(-1), "Layers put on the GPU. Reloads the model.", nothing(Refusal.MACHINE)
)
MAIN_GPU = _option(
    "main_gpu", values.whole(0), "Which GPU holds small tensors. Reloads the model.", nothing(Refusal.MACHINE)
)
USE_MMAP = _option(
    "use_mmap", values.boolean(), "Map the model file into memory. Reloads the model.", nothing(Refusal.MACHINE)
)
NUM_THREAD = _option("num_thread", values.whole(0), "CPU threads. Reloads the model.", nothing(Refusal.MACHINE))
DRAFT_NUM_PREDICT = _option(
    "draft_num_predict", values.whole(0), "Tokens a draft model runs ahead.", nothing(Refusal.MACHINE)
)
