"""python -m chatcli.demo: prints its address, then answers until its stdin closes or it is terminated."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from functools import partial

from chatcli.demo.api import answer
from chatcli.demo.runner import PACE, Engine
from chatcli.demo.server import DemoServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chatcli.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    pace = os.environ.get("CHATCLI_DEMO_PACE", str(PACE))
    parser.add_argument("--pace", type=float, default=pace, help=f"seconds between two tokens (default: {pace})")
    parser.add_argument("--loading", type=float, default=0.0, help="seconds to load a model (default: 0)")
    parser.add_argument("--reading", type=float, help="tokens of a prompt read in a second (default: no wait)")
    chosen = parser.parse_args()
    if not sys.stdin.isatty():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the chat that started this process
    try:
        speed = {"reading": chosen.reading, "reads": True} if chosen.reading else {}
        engine = Engine(chosen.pace, loading=chosen.loading, **speed)
        server = DemoServer(partial(answer, engine), chosen.port)
    except OSError as error:
        parser.exit(1, f"Port {chosen.port} cannot be used: {error.strerror}. Leave out --port for a free one.\n")
    with server, suppress(KeyboardInterrupt):
        print(server.url, flush=True)  # noqa: T201 - the parent reads it
        while sys.stdin.buffer.read(4096):
            pass


if __name__ == "__main__":
    main()
