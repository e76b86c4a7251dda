"""What the loop offers to do when an error asks for it: start Ollama, or download the model that is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatcli.client.ollama_serve import program_for
from chatcli.commands.models import pull
from chatcli.commands.outcomes import Outcome, Show, Watch
from chatcli.commands.serve import serve
from chatcli.errors import ChatcliError, Missing, Unreachable
from chatcli.render.views import Note
from chatcli.session.session import Session

# Asks yes or no; the second is the answer to Enter alone.
Ask = Callable[[str, bool], bool]


class Remedies:
    """Each offer is made once. `ask` asks the person, `act` does what was agreed to."""

    def __init__(self, session: Session, ask: Ask, act: Callable[[Outcome], None]) -> None:
        self._session, self._ask, self._act = session, ask, act
        self._offered: set[str] = set()

    def helped(self, error: ChatcliError, default: bool) -> bool:
        """Whether what failed may be tried again. `default`: what Enter alone answers."""
        match error:
            case Unreachable() if self._may_start():
                if not self._agreed(error, "Start Ollama with `ollama serve`?", default):
                    return False
                keep = not self._ask("Stop it when chatcli ends?", True)
                self._act(serve.run(self._session, keep=keep))
                return True
            case Missing(model=name) if name and self._is_new(name):
                if not self._agreed(error, f"Download {name} now?", default):
                    return False
                download = pull.run(self._session, name)
                assert isinstance(download, Watch)
                self._act(replace(download, then=lambda: Show(())))  # the question goes on with it
                return True
        return False

    def _agreed(self, error: ChatcliError, question: str, default: bool) -> bool:
        self._act(Show.of(Note(error.message, "warning")))
        return self._ask(question, default)

    def _may_start(self) -> bool:
        server = self._session.server
        return not server.demo and not server.name and bool(program_for(server.url)) and self._is_new(server.url)

    def _is_new(self, offer: str) -> bool:
        is_new = offer not in self._offered
        self._offered.add(offer)
        return is_new
