"""Finds out, while the first token is awaited, whether the server is still loading the model."""

from __future__ import annotations

from time import monotonic

from chatcli.client.models import Listed, Loaded, Model, same_model
from chatcli.session.background_summary import Stage
from chatcli.session.context_window import gigabytes
from chatcli.session.session import Session

_FIRST, _AGAIN = 0.4, 1.0  # seconds until the server is asked, and asked again
_STUB = 100_000  # bytes; a model that runs elsewhere is smaller here, and is loaded there


class Loading:
    """Call it often: it returns what the model `name` is doing, "" when it is loaded or nothing is known.

    It says so when the model is summarizing. A background thread asks the server, so calls never wait.
    """

    def __init__(self, session: Session, name: str) -> None:
        self._session, self._name = session, name
        self._due = monotonic() + _FIRST
        self._said = ""
        self._is_settled = False

    def __call__(self) -> str:
        if self._session.summarizer.stage is Stage.ASKED:
            return "summarizes earlier messages"
        now = monotonic()
        if not self._is_settled and now >= self._due:
            self._due = now + _AGAIN
            self._session.background.start("loading", self._ask)
        return self._said

    def _ask(self) -> None:
        try:
            self._said = self._found()
        except Exception:
            self._said = ""
            raise
        finally:
            self._is_settled = not self._said

    def _found(self) -> str:
        client = self._session.client.get()
        known = self._session.model.ready
        if any(_is_it(row, self._name, known) for row in client.loaded()):
            return ""
        on_disk = next((row for row in client.models() if same_model(row.name, self._name)), None)
        return _words(on_disk) if on_disk is not None and on_disk.size > _STUB else ""


def _is_it(row: Loaded, name: str, known: Model | None) -> bool:
    """Is it this model? Also under another name: models made from one file are listed under one name."""
    if same_model(row.name, name):
        return True
    if known is None or not row.details or not same_model(known.name, name):
        return False
    kind = ("family", "parameter_size", "quantization_level")
    return [row.details.get(each) for each in kind] == [known.details.get(each) for each in kind]


def _words(model: Listed) -> str:
    return f"is being loaded ({gigabytes(model.size)})"
