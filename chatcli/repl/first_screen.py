"""The first screen: one line on program, model, server and window, and at the very first start three tips.

The line is there before the prompt, with what was known last time. When the server has answered, what was not
known, or is another now, is told above the prompt.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import chatcli
from chatcli.errors import StoreError
from chatcli.hints import Do, Hint, Words, lines
from chatcli.paths import Paths
from chatcli.session.known_servers import About, known, remember
from chatcli.settings import table
from chatcli.settings.layers import Settings
from chatcli.text import as_name, cells, shortened

if TYPE_CHECKING:
    from chatcli.render.views import Note
    from chatcli.session.session import Session

DEMO = "demo engine"


class FirstLine:
    """`server`: its address as people may see it, or DEMO. `text`: the line, shorter than `width` columns."""

    def __init__(self, settings: Settings, paths: Paths, server: str, width: int) -> None:
        self._file = paths.servers if settings[table.SAVE] else None
        self._server, self._width = server, width
        found = known(paths.servers, server)
        name = settings[table.MODEL] or found.used
        self._told = (name, found.models.get(name, About()))
        self.text = self._line(f"chatcli {chatcli.__version__}", server.removeprefix("http://"))

    def settled(self, session: Session) -> str:
        """What the server has said of model and window, "" where the line has it; kept for the next start."""
        model, window = session.model.get(), session.window.get()
        name = model.name.removesuffix(":latest")
        size, quantization = (model.details.get(each, "") for each in ("parameter_size", "quantization_level"))
        quantization = "" if quantization == "unknown" else quantization
        about = About(size, quantization, window, model.trained or 0)
        if self._file is not None:
            names = [each.name.removesuffix(":latest") for each in session.client.get().models()]
            before = known(self._file, self._server).models
            models = {each: before.get(each, About()) for each in names} | {name: about}
            remember(self._file, self._server, name, models)
        if self._told == (name, about):
            return ""
        self._told = (name, about)
        return self._line()

    def keep_used(self, session: Session) -> None:
        """Keep at the end which model the next start takes: that of the conversation used last."""
        from chatcli.session.model_in_use import last_model

        server = DEMO if session.server.demo else session.server.shown
        if self._file is None or server != self._server:
            return
        kept = known(self._file, server)
        with suppress(StoreError):
            name = last_model(session).removesuffix(":latest")
            if name not in {"", kept.used}:
                remember(self._file, server, name, kept.models)

    def _line(self, program: str = "", server: str = "") -> str:
        """The parts in this order, without those that matter least where there is no room."""
        name, about = self._told
        model = " ".join(filter(None, (name, about.size, about.quantization)))
        window = f"window {about.window} of {about.trained}" if about.trained else f"window {about.window}"
        window = f"{window} tokens" if about.window else ""
        for parts in (
            (program, model, server, window),
            (program, model, server),
            (program, model, window) if not program else (program, model),
            (program, name),
        ):
            line = " · ".join(as_name(part) for part in parts if part)
            if cells(line) < self._width:
                return line
        return shortened(line, self._width - 1)


def tips(demo: bool, *, kept: bool, plain: bool) -> Note:
    """What helps most in the first minute. `kept`: whether conversations can be; `plain`: a simple terminal."""
    from chatcli.render.views import Note

    flags = ({"demo": True} if demo else {}) | {"continue": True}
    keys = '""" begins a text of several lines' if plain else "Tab completes them, Ctrl-J begins a new line"
    said: list[Words] = [
        Hint(Do("help"), f" shows the commands, {keys}."),
        "@notes.pdf in a message attaches that file, a picture's path the picture.",
    ]
    if kept:
        said.append(Hint("Conversations are kept: ", Do("chatcli", **flags), " goes on with the last one."))
    return Note(lines(said), "quiet")
