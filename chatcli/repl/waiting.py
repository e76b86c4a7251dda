"""Finds out, while the first token is awaited, what is waited for: the model is loaded, the prompt is read, or
another request comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice, pairwise
from time import monotonic

from chatcli.client.models import Listed, Loaded, Model, same_model
from chatcli.conversation.events import Awaited
from chatcli.conversation.plan import Plan
from chatcli.conversation.usage import Turn, in_tokens
from chatcli.session.background_summary import Stage
from chatcli.session.context_window import gigabytes
from chatcli.session.planning import LOOKED_AT
from chatcli.session.session import Session

_FIRST, _AGAIN = 0.4, 1.0  # seconds until the server is asked, and asked again
_STUB = 100_000  # bytes; a model that runs elsewhere is smaller here, and is loaded there
_FEW = 32  # tokens that are read too fast to tell a speed
_NOTHING = Awaited()


class Waiting:
    """Call it often: it returns what is waited for in a reply of the model `name`, as far as it is known.

    A background thread asks the server whether the model is loaded, so calls never wait. Then the prompt is read;
    how far that is comes from the speed of earlier turns.
    """

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._due = monotonic() + _FIRST
        self._loading = _NOTHING
        self._is_settled = False  # nothing more is to be asked
        self._is_loaded = False
        self._expires: datetime | None = None
        self._plan_before = session.plan
        self._read_since = 0.0
        last = islice(session.conversation.back(), LOOKED_AT)
        turns = [node.turn for node in last if node.turn is not None][::-1]
        self._last = turns[-1] if turns else None
        self._speed = reading_speed(turn for turn in turns if same_model(turn.model, name))

    def __call__(self) -> Awaited:
        if self._session.summarizer.stage is Stage.ASKED:
            return Awaited("summarizes earlier messages")
        now = monotonic()
        if not self._is_settled and now >= self._due:
            self._due = now + _AGAIN
            self._session.background.start("waiting", self._ask)
        plan = self._session.plan
        if plan is None or plan is self._plan_before or self._loading:
            self._read_since = now
            return self._loading
        self._read_since = self._read_since or now
        return self._reading(plan, now - self._read_since) if self._is_loaded else _NOTHING

    def _reading(self, plan: Plan, seconds: float) -> Awaited:
        """What a loaded model does that says nothing for so long."""
        if self._speed is None:
            return Awaited("reads the prompt", in_tokens(plan.planned))
        share = seconds * self._speed / max(1, unread(plan, self._last))
        if share < 1:
            return Awaited("reads the prompt", f"{in_tokens(plan.planned)}, {share * 100:.0f} %")
        return Awaited("reads the prompt, or answers another request first", in_tokens(plan.planned))

    def _ask(self) -> None:
        try:
            self._loading, self._is_settled = self._found()
        except Exception:
            self._loading, self._is_settled, self._is_loaded = _NOTHING, True, False
            raise

    def _found(self) -> tuple[Awaited, bool]:
        """What the server's lists say, and whether that is all that they will say."""
        client, known = self._session.client.get(), self._session.model.ready
        row = next((row for row in client.loaded() if _is_it(row, self._name, known)), None)
        if row is not None:
            return self._listed(row)
        on_disk = next((row for row in client.models() if same_model(row.name, self._name)), None)
        found = _words(on_disk) if on_disk is not None and on_disk.size > _STUB else _NOTHING
        return found, not found

    def _listed(self, row: Loaded) -> tuple[Awaited, bool]:
        """A model is listed from when its loading begins. Until it has answered once, the time at which it expires
        moves with the clock: two looks tell whether it does.
        """
        plan, before, self._expires = self._session.plan, self._expires, row.expires
        if plan is not None and row.context_length not in {None, plan.window}:
            return Awaited("is loaded again", f"a window of {plan.window}"), False
        if row.expires is not None and row.expires != before:
            words = Awaited("is being loaded, or reads the prompt", gigabytes(row.size))
            return words if before is not None else _NOTHING, False
        self._is_loaded = True
        return _NOTHING, True


def unread(plan: Plan, last: Turn | None) -> int:
    """About how many tokens of the planned prompt the server does not have in its cache: those after the last
    turn, where that was sent in the same way; else all.
    """
    if last is None or last.left_out != plan.left_out or last.usage.prompt_tokens is None:
        return plan.planned.tokens
    return max(0, plan.planned.tokens - last.usage.prompt_tokens - (last.usage.reply_tokens or 0))


def reading_speed(turns: Iterable[Turn]) -> float | None:
    """Tokens of a prompt that the server reads in a second: the slowest that was measured, since it may have had
    more of a prompt in its cache than can be known. None where nothing was measured.
    """
    measured = list(turns)
    speeds = []
    for before, turn in pairwise([None, *measured]):
        usage, known = turn.usage if turn is not None else None, 0
        if usage is None or usage.prompt_tokens is None or not usage.prompt_seconds:
            continue
        if before is not None and before.usage.prompt_tokens is not None:
            known = before.usage.prompt_tokens + (before.usage.reply_tokens or 0)
        if usage.prompt_tokens - known >= _FEW:
            speeds.append((usage.prompt_tokens - known) / usage.prompt_seconds)
    return min(speeds, default=None)


def _is_it(row: Loaded, name: str, known: Model | None) -> bool:
    """Is it this model? Also under another name: models made from one file are listed under one name."""
    if same_model(row.name, name):
        return True
    if known is None or not row.details or not same_model(known.name, name):
        return False
    kind = ("family", "parameter_size", "quantization_level")
    return [row.details.get(each) for each in kind] == [known.details.get(each) for each in kind]


def _words(model: Listed) -> Awaited:
    return Awaited("is being loaded", gigabytes(model.size))
