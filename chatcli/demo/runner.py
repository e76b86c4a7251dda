"""The running engine and its models in memory: the window each was loaded with, until when it stays, and the
tokens it has read already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from chatcli.demo.models import DemoModel, Shelf
from chatcli.demo.replies import DemoReply, reply
from chatcli.demo.request import DemoMessage

LOADED, LOADING = 8_000_000, 350_000_000  # nanoseconds of load_duration; told, not waited for
PER_TOKEN = 200_000  # nanoseconds of prompt_eval_duration for a token that is not in the cache


@dataclass(slots=True)
class Runner:
    """One loaded model. One request at a time: `turn` makes the others wait, as OLLAMA_NUM_PARALLEL=1 does."""

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
        """Read the prompt; how many of its tokens were not read already (the last one always is read again)."""
        known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.read, prompt, strict=False)))
        self.read = prompt
        return len(prompt) - min(known, len(prompt) - 1)


class Runners:
    """The loaded models by digest and name. Another window, or an expired time, loads anew."""

    def __init__(self) -> None:
        self._runners: dict[str, Runner] = {}
        self._lock = threading.Lock()

    def load(
        self, model: DemoModel, num_ctx: int, keep: float, wait: Callable[[], object] = lambda: None
    ) -> tuple[Runner, int]:
        """The runner, kept for `keep` seconds from now on, and its load_duration in nanoseconds. `wait` is called
        where it is not there yet; meanwhile it is not among those loaded.
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
        """The runner of that model as it is asked for; one with another window goes."""
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

Speaker = Callable[[Sequence[DemoMessage], dict[str, Any] | None], DemoReply]


@dataclass(frozen=True, slots=True)
class Engine:
    """`pace`: seconds between two tokens of a reply. `window`: num_ctx where nobody asks for another. `loading`:
    seconds that it takes to load a model.

    `speak` is given the messages, and a JSON Schema where the request asks for that format, and says the reply.
    """

    pace: float = PACE
    window: int = 4096
    speak: Speaker = reply
    loading: float = 0.0
    shelf: Shelf = field(default_factory=Shelf)
    runners: Runners = field(default_factory=Runners)
