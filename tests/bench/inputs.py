"""Runs the program with small inputs of many kinds: nothing is lost, cut or passed over in silence.

    python -m tests.bench.inputs [--rows 1 15-18] [--workers 3] [--why]

Prints one JSON line: how many inputs held, and the names of those that failed; `--why` tells on standard error
what did not hold. The kinds are in `inputs_typed`, `inputs_shell`, `inputs_read` and `inputs_hostile`: to add an
input, add it to the arguments of its `@kind`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import starting
from tests.bench import inputs_hostile, inputs_read, inputs_shell, inputs_typed
from tests.bench.world import CASES, Case, tried

TABLES = (inputs_typed, inputs_shell, inputs_read, inputs_hostile)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=["1-999"], help="only kinds with these numbers")
    parser.add_argument(
        "--workers", type=int, default=8, help="inputs at a time (default: 8: most of the time is waiting)"
    )
    parser.add_argument("--why", action="store_true", help="tell on standard error what did not hold")
    chosen = parser.parse_args()
    cases = [case for case in CASES if any(_within(case.row, rows) for rows in chosen.rows)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        _clear_environment(Path(folder))
        with ThreadPoolExecutor(chosen.workers) as pool:
            found = list(
                pool.map(lambda at: _tell(cases[at], Path(folder) / str(at), chosen.why), range(len(cases)))
            )
        starting.stop()
    failed = [case.name for case, why in zip(cases, found, strict=True) if why]
    kinds = {case.row for case in cases}
    print(
        json.dumps(
            {
                "held": len(cases) - len(failed),
                "failed": failed,
                "kinds": len(kinds),
                "kinds_held": len(kinds - {case.row for case, why in zip(cases, found, strict=True) if why}),
                "seconds": round(time.monotonic() - begun),
            },
            ensure_ascii=False,
        )
    )


def _within(row: int, rows: str) -> bool:
    first, _, last = rows.partition("-")
    return int(first) <= row <= int(last or first)


def _clear_environment(folder: Path) -> None:
    """Nothing steers chatcli but what a case says; programs in this process have a home of their own, too."""
    for name in list(os.environ):
        steers = name.startswith(("CHATCLI_", "OLLAMA_")) or name.upper().endswith("_PROXY")
        if steers or name in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}:
            del os.environ[name]
    os.environ |= {"CHATCLI_HOME": str(folder / "home"), "PROMPT_TOOLKIT_NO_CPR": "1"}


def _tell(case: Case, root: Path, why: bool) -> str:
    found = tried(case, root)
    if found and why:
        sys.stderr.write(f"--- {case.name}\n{found}\n")
    return found


if __name__ == "__main__":
    main()
