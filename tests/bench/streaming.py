"""What drawing a reply costs, and how long its words take to reach the screen: one JSON line.

    python -m tests.bench.streaming [FILE] [--sizes 1000,4000,16000,64000] [--code FOLDER]

Pieces arrive at 50 a second, with a pause of 1.5 s after every 400, in simulated time, and are handed on as the
client's reader does it: the time between them is not waited for, the time of drawing is added. The refresh policy
is the released one. For comparison: (a) writing the raw text, (b) rendering it once with Rich at its end, (c)
rich.live with all Markdown at 10 Hz (measured at some lengths, extrapolated to all refreshes). Costs are CPU
seconds. `colours` counts rows whose colors differ (colours.py), of FOLDER's code, too.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from chatcli.client.reader_thread import PAUSE as TOGETHER
from chatcli.conversation.events import Done, Event, Text, Tick
from chatcli.render.lines import Line
from chatcli.render.live import LivePage
from chatcli.render.paint import Painter
from chatcli.render.reply import Answer
from chatcli.render.theme import Palette
from tests.bench.colours import colours
from tests.bench.corpus import code_lines, cut, reply

RATE = 50.0
PAUSE_EVERY, PAUSE = 400, 1.5
SIZE = (80, 24)
SAMPLES = 6
GOALS = {
    "linear_16k_to_4k": 4.4,
    "times_b": 5.0,
    "share_of_c_at_16k": 0.01,
    "worst_refresh_ms": 30.0,
    "latency_p95_ms": 100.0,
    "latency_after_pause_ms": 40.0,
}


class Sink(io.StringIO):
    """Counts what is written, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def write(self, text: str, /) -> int:
        self.bytes += len(text.encode())
        return len(text)


class Clock:
    """Simulated time: it leaps from event to event, and runs with the CPU while one is worked on.

    Other programs do not count in it; what reading it costs does, a tenth or so of the whole.
    """

    def __init__(self) -> None:
        self._now, self._since = 0.0, process_time()

    def __call__(self) -> float:
        return self._now + process_time() - self._since

    def reach(self, moment: float) -> None:
        self._now, self._since = max(moment, self()), process_time()


class TimedPainter(Painter):
    """Notes when every refresh was on the terminal."""

    def __init__(self, write: Callable[[str], object], clock: Clock) -> None:
        super().__init__(write)
        self._clock = clock
        self.painted: list[float] = []

    def paint(self, final: Sequence[Line], live: Sequence[Line], size: tuple[int, int]) -> None:
        super().paint(final, live, size)
        self.painted.append(self._clock())


def arrivals(pieces: list[str]) -> list[tuple[float, float, Event]]:
    """When each event is handed on, and when it had come: the pieces of one pause of the reader together, a Tick
    when all were handed on, and one for every 0.1 s in which nothing comes.
    """
    events: list[tuple[float, float, Event]] = []
    now = handed = 0.0
    for at, piece in enumerate(pieces):
        after_pause = at % PAUSE_EVERY == 0
        if after_pause or now > handed:
            events.append((handed, handed, Tick()))
            if at and after_pause:
                events += [(now + 0.1 * n, now, Tick()) for n in range(1, int(PAUSE / 0.1))]
                now += PAUSE
            handed = now if after_pause else now + TOGETHER
        events.append((handed, now, Text(piece)))
        now += 1 / RATE
    return [*events, (handed, handed, Tick()), (now, now, Done("stop"))]


def ours(pieces: list[str]) -> dict[str, float]:
    sink, clock = Sink(), Clock()
    painter = TimedPainter(sink.write, clock)
    page = LivePage(painter, Palette("dark", "monokai", ColorSystem.TRUECOLOR), lambda: SIZE, "m", "fold", clock)
    waiting: list[float] = []
    latencies: list[float] = []
    after_pause: list[float] = []
    worst, last = 0.0, 0.0
    begin = process_time()
    with Answer(page, clock) as answer:
        for moment, came, event in arrivals(pieces):
            clock.reach(moment)
            if isinstance(event, Text):
                waiting.append(came)
            painter.painted.clear()
            start = clock()
            answer.feed(event)
            if painter.painted:
                worst = max(worst, clock() - start)
                latencies += [painter.painted[-1] - each for each in waiting]
                if waiting and waiting[0] - last > 0.5:
                    after_pause.append(painter.painted[-1] - waiting[0])
                last = waiting[-1] if waiting else last
                waiting.clear()
    cpu = process_time() - begin
    return {
        "cpu_s": cpu,
        "bytes": sink.bytes,
        "worst_refresh_ms": worst * 1000,
        "latency_p50_ms": percentile(latencies, 50) * 1000,
        "latency_p95_ms": percentile(latencies, 95) * 1000,
        "latency_after_pause_ms": percentile(after_pause, 95) * 1000,
    }


def percentile(values: list[float], share: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)] if values else 0.0


def console(sink: Sink) -> Console:
    return Console(file=sink, force_terminal=True, color_system="truecolor", width=SIZE[0], height=SIZE[1])


def raw(pieces: list[str]) -> dict[str, float]:
    sink = Sink()
    begin = process_time()
    for piece in pieces:
        sink.write(piece)
    return {"cpu_s": process_time() - begin, "bytes": sink.bytes}


def once(pieces: list[str]) -> dict[str, float]:
    text = "".join(pieces)
    times = []
    for _ in range(3):
        sink = Sink()
        begin = process_time()
        console(sink).print(Markdown(text))
        times.append(process_time() - begin)
    return {"cpu_s": min(times), "bytes": sink.bytes}


def live(pieces: list[str]) -> dict[str, float]:
    sink = Sink()
    refreshes = len(pieces) / RATE * 10
    cpu = 0.0
    with Live(console=console(sink), auto_refresh=False) as shown:
        sink.bytes = 0
        for at in range(SAMPLES):
            text = "".join(pieces[: len(pieces) * (2 * at + 1) // (2 * SAMPLES)])
            begin = process_time()
            shown.update(Markdown(text), refresh=True)
            cpu += process_time() - begin
        written = sink.bytes
    return {"cpu_s": cpu / SAMPLES * refreshes, "bytes": round(written / SAMPLES * refreshes)}


def measure(pieces: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"tokens": len(pieces), "ours": ours(pieces), "a": raw(pieces), "b": once(pieces)}
    found["c"] = live(pieces)
    found["times_b"] = found["ours"]["cpu_s"] / found["b"]["cpu_s"]
    found["share_of_c"] = found["ours"]["cpu_s"] / found["c"]["cpu_s"]
    return found


def memory(pieces: list[str]) -> dict[str, float]:
    """What the page holds, in kB, after a tenth of the reply and at its end."""
    clock = Clock()
    page = LivePage(Painter(Sink().write), Palette("dark"), lambda: SIZE, "m", "fold", clock)
    held: list[float] = []
    tracemalloc.start()
    with Answer(page, clock) as answer:
        for at, piece in enumerate(pieces):
            clock.reach(at / RATE)
            answer.feed(Text(piece))
            if at in {len(pieces) // 10, len(pieces) - 1}:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0] / 1000)
    tracemalloc.stop()
    return {"tokens": len(pieces), "kb_at_a_tenth": held[0], "kb_at_the_end": held[1]}


def judged(results: dict[str, Any]) -> dict[str, float]:
    """The figures that have a goal, each the worst of its kind."""
    runs = [run for kind in results.values() for run in kind.values()]
    growth = [
        kind["16000"]["ours"]["cpu_s"] / kind["4000"]["ours"]["cpu_s"]
        for kind in results.values()
        if {"4000", "16000"} <= kind.keys()
    ]
    shares = [kind["16000"]["share_of_c"] for kind in results.values() if "16000" in kind]
    return {
        "linear_16k_to_4k": max(growth, default=0.0),
        "times_b": max(run["times_b"] for run in runs),
        "share_of_c_at_16k": max(shares, default=0.0),
        **{
            name: max(run["ours"][name] for run in runs)
            for name in ("worst_refresh_ms", "latency_p95_ms", "latency_after_pause_ms")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--sizes", default="1000,4000,16000,64000")
    parser.add_argument("--code", type=Path)
    asked = parser.parse_args()
    ours(
        reply("code", 300) + reply("prose", 300)
    )  # imports and compiled patterns: paid at start-up, in background
    sizes = [int(size) for size in asked.sizes.split(",")]
    if asked.file:
        pieces = cut(asked.file.read_text(encoding="utf-8"))
        results: dict[str, Any] = {"file": {str(len(pieces)): measure(pieces)}}
    else:
        results = {kind: {str(size): measure(reply(kind, size)) for size in sizes} for kind in ("prose", "code")}
    figures = judged(results)
    found = {
        "results": results,
        "code_block_of_5000_lines": ours(cut(code_lines(5000))),
        "memory": memory(reply("code", 100_000)),
        "colours": colours([reply("prose", 4000), reply("code", 4000)], asked.code),
        "goals": {
            name: {"goal": goal, "found": figures[name], "met": figures[name] <= goal}
            for name, goal in GOALS.items()
        },
    }
    print(json.dumps(_rounded(found)))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
