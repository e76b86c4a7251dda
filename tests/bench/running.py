"""Runs one bench as a program of its own, and notes the machine, the commit and the load beside its figures."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.page import Bench, Run

ROOT = Path(__file__).parents[2]
MODULES = ("chatcli", "tests", "pyproject.toml")  # what changes figures


def run(bench: Bench, given: Mapping[str, str], *, quick: bool) -> Run:
    quick = quick and bool(bench.quick)
    command = (bench.quick if quick else bench.command).format(**given)
    shown = command.replace(given["memory"], "FILE") if given["memory"] else command
    began, load = time.monotonic(), os.getloadavg()[0]
    found, failed = figures([sys.executable, "-m", *f"tests.bench.{command}".split()], bench.minutes * 60)
    date, seconds = f"{datetime.now(UTC):%Y-%m-%d}", round(time.monotonic() - began)
    return Run(shown, machine(), date, commit(), load, seconds, found, failed, quick)


def figures(command: Sequence[str], seconds: float) -> tuple[dict[str, Any], str]:
    """The last JSON object that the program prints; or nothing, and why."""
    program = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        printed, said = program.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        return {}, f"it did not end within {seconds / 60:.0f} minutes."
    objects = [line for line in printed.splitlines() if line.startswith("{")]
    if program.returncode or not objects:
        last = next(reversed(said.split("\n\n")[-1].strip().splitlines()), "")
        return {}, f"exit code {program.returncode}. {last[:200]}".strip()
    found: dict[str, Any] = json.loads(objects[-1])
    return found, ""


def machine() -> str:
    """The processor and the system."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{model or platform.processor() or 'unknown processor'}, {os.cpu_count()} cores, {system}"


def commit() -> str:
    """Of the checkout, and whether something in it is not committed."""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        return f"{name} and changes" if _git("status", "--porcelain", "--", *MODULES) else name
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
