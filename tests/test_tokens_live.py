"""All models of a real Ollama, counted to the token, if CHATCLI_TEST_OLLAMA names one on this machine."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from chatcli.client.ollama import Client
from tests.bench.tokens import arguments, measure

HOST = os.environ.get("CHATCLI_TEST_OLLAMA", "")


@pytest.mark.skipif(not HOST, reason="CHATCLI_TEST_OLLAMA names no server")
def test_every_turn_from_the_second_on_is_planned_to_the_token(tmp_path: Path) -> None:
    with closing(Client(HOST)) as client:
        given = arguments().parse_args(["--host", HOST, "--turns", "12"])
        for number, model in enumerate(client.models()):
            cache = tmp_path / str(number)
            cache.mkdir()
            found = measure(client, given, model.name, cache)
            assert found["differ_from_second"] == 0 or not found["exact"], found
