"""python -m chatcli.demo: prints its address, then answers until its stdin closes or it is terminated."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from chatcli.demo.api import answer
from chatcli.demo.engine import PACE, Engine
from chatcli.demo.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chatcli.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    parser.add_argument("--pace", type=float, default=PACE, help=f"seconds between two tokens (default: {PACE})")
    chosen = parser.parse_args()
    with Server(partial(answer, Engine(pace=chosen.pace)), chosen.port) as server:
        print(server.url, flush=True)  # noqa: T201 - the parent reads it
        while sys.stdin.buffer.read(4096):
            pass


if __name__ == "__main__":
    main()
