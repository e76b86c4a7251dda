"""The running engine and its loaded models: the window, the expiry and the cached tokens of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from itertools import takewhile
from typing import Any

from chatcli.dataclass import dataclass
from chatcli.demo.models import DemoModel, Shelf
from chatcli.demo.replies import DemoReply
from chatcli.demo.request import Definition, DemoMessage
from chatcli.demo.tool_script import reply_or_call

LOADED, LOADING = 8_000_000, 350_000_000  # nanoseconds of load_duration; reported, not waited for
READING = 5000.0  # tokens a second that are not in the cache: for prompt_eval_duration


@dataclass(slots=True)
class Runner:
    """One loaded model. It answers one request at a time, as OLLAMA_NUM_PARALLEL=1: `turn` makes others wait."""

    model: DemoModel
    num_ctx: int
    expires: float = 0.0  # seconds since the epoch
    read: Sequence[int] = ()
    busy: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def turn(self, pause: Callable[[float], None]) -> Iterator[None]:
        while not self.busy.acquire(timeout=0.05):
            pause(0)
        try:
            yield
        finally:
            self.busy.release()

    def evaluate(self, prompt: Sequence[int]) -> int:
        """Reads the prompt; returns how many of its tokens were not cached (the last one is always read again)."""
        known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.read, prompt, strict=False)))
        self.read = prompt
        return len(prompt) - min(known, len(prompt) - 1)


class Runners:
    """The loaded models by digest and name. Another window, or an expired time, loads the model again."""

    def __init__(self) -> None:
        self._runners: dict[str, Runner] = {}
        self._lock = threading.Lock()

    def load(
        self, model: DemoModel, num_ctx: int, keep: float, wait: Callable[[], object] = lambda: None
    ) -> tuple[Runner, int]:
        """Returns the runner, kept for `keep` seconds from now on, and its load_duration in nanoseconds. `wait` is
        called when it is not loaded yet; during the wait it is not among the loaded ones.
        """
        load = LOADED
        if self._fitting(model, num_ctx) is None:
            load = LOADING
            wait()
        with self._lock:
            runner = self._loaded().get(model.name) or Runner(model, num_ctx)
            if runner.num_ctx != num_ctx or runner.model != model:
                runner = Runner(model, num_ctx)
            self._runners[model.name] = runner
            runner.expires = time.time() + keep
            return runner, load

    def unload(self, model: DemoModel) -> None:
        with self._lock:
            self._runners.pop(model.name, None)

    def __iter__(self) -> Iterator[Runner]:
        with self._lock:
            return iter(sorted(self._loaded().values(), key=lambda runner: -runner.expires))

    def _fitting(self, model: DemoModel, num_ctx: int) -> Runner | None:
        """Returns the runner of that model as requested; one with another window is removed."""
        with self._lock:
            runner = self._loaded().get(model.name)
            if runner is not None and runner.num_ctx == num_ctx and runner.model == model:
                return runner
            self._runners.pop(model.name, None)
            return None

    def _loaded(self) -> dict[str, Runner]:
        now = time.time()
        self._runners = {name: runner for name, runner in self._runners.items() if runner.expires > now}
        return self._runners


PACE = 0.012  # seconds

Speaker = Callable[[Sequence[DemoMessage], dict[str, Any] | None, Sequence[Definition]], DemoReply]


@dataclass(frozen=True, slots=True)
class Engine:
    """`pace`: seconds between two tokens of a reply. `window`: num_ctx when nobody asks for another. `loading`:
    seconds that it takes to load a model. `reading`: how many tokens of a prompt it reads in a second; `reads`:
    whether that time is waited for, and not only reported.

    `speak` gets the messages, a JSON Schema if the request asks for that format, and the definitions of the tools;
    it returns the reply.
    """

    pace: float = PACE
    window: int = 4096
    speak: Speaker = reply_or_call
    loading: float = 0.0
    reading: float = READING
    reads: bool = False
    shelf: Shelf = field(default_factory=Shelf)
    runners: Runners = field(default_factory=Runners)

    def reading_time(self, tokens: int) -> int:
        """Nanoseconds to read so many tokens."""
        return round(tokens * 1e9 / self.reading)
