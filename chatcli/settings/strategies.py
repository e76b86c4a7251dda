"""The table of strategies: one row for each, with its name, its help, and what else happens while it is in use.

The setting's choices and their completion, the reference's table, the demo engine's tour and the tests come from
these rows. The function that chooses the messages is bound to a row by its name, in context/strategies.py.
"""

from __future__ import annotations

from chatcli.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way to choose the messages of a request. `help`: what is sent, as a phrase.

    `moves_cut`: after a reply the cut may move, so that the next requests begin alike. `summarizes`: a summary
    replaces older messages; it is made in the background when the cut has moved or, where no cut moves, before the
    request. `recalls`: earlier messages that fit the question are quoted with it. `server_cuts`: the window does
    not limit what is sent, and the server may cut it. `settings`: the names of those that matter here only.
    """

    name: str
    help: str
    moves_cut: bool = False
    summarizes: bool = False
    recalls: bool = False
    server_cuts: bool = False
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


STRATEGIES: list[Strategy] = []


def _row(strategy: Strategy) -> Strategy:
    STRATEGIES.append(strategy)
    return strategy


AUTO = _row(
    Strategy(
        "auto",
        "all messages from the cut on, a summary of those before it, and those that fit the question",
        moves_cut=True,
        summarizes=True,
        recalls=True,
    )
)
SUMMARY = _row(
    Strategy(
        "summary",
        "a summary, and the last messages word for word; the next request waits for it",
        summarizes=True,
    )
)
TRIM = _row(Strategy("trim", "the newest exchanges that fit, chosen again for every request"))
WINDOW = _row(
    Strategy("window", "the last messages, as many as window_messages says", settings=("window_messages",))
)
FULL = _row(Strategy("full", "everything; when it no longer fits you are told, with the choices"))
SERVER = _row(
    Strategy(
        "server",
        "everything; Ollama drops what does not fit, and you are told how much it read",
        server_cuts=True,
        settings=("truncate", "shift", "num_keep"),
    )
)
