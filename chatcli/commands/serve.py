"""/serve: starts Ollama on this machine."""

from __future__ import annotations

from typing import Annotated

from chatcli.commands.arguments import Arg
from chatcli.commands.outcomes import Outcome, Show, Watch
from chatcli.commands.registry import command
from chatcli.errors import Unreachable
from chatcli.hints import Do, Hint
from chatcli.render.views import Note
from chatcli.session.session import Session


@command("serve")
def serve(
    session: Session, *, keep: Annotated[bool, Arg("leave it running when chatcli ends")] = False
) -> Outcome:
    """Start Ollama on this machine (`ollama serve`), and wait until it answers. It ends with chatcli.

    Ctrl-C ends the waiting only. `/serve --keep` leaves the server running when chatcli ends.
    """
    try:
        session.client.get().version()
        return Show.of(Note(f"Ollama answers at {session.server.shown} already.", "quiet"))
    except Unreachable:
        pass
    ends = "It goes on when chatcli ends." if keep else "It ends with chatcli."
    return Watch(
        session.start_server(keep=keep),
        lambda: Show.of(Note(f"Ollama answers at {session.server.shown}. {ends}", "good")),
        Hint("The server goes on starting. ", Do("ps"), " shows whether it answers."),
    )
