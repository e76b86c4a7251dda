"""The memory benchmarks run on a generated conversation, through the code that they measure."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.bench import prefix, recall, search, seconds, summaries

FACTS = {
    "Where does Ines keep the lawnmower?": "Ines: I keep the lawnmower in the blue shed behind the house.",
    "What did Ruben cook for the festival?": "Ruben: I cooked a lentil stew for the village festival.",
    "Who repaired the piano?": "Ines: Old Mr. Falk repaired the piano at last.",
    "What happened on 4 April 2025?": "Ruben: The ferry broke down today and we waited for hours.",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    begin = datetime(2025, 4, 1, 9)
    facts = list(FACTS.values())
    messages = []
    for place in range(120):
        sitting = place // 20
        name = ("Ines", "Ruben")[place % 2]
        text = f"{name}: Yes, number {place} again, the garden and the clouds over the hill."
        if place % 20 == 4 and sitting < len(facts):
            text = facts[sitting]
        moment = begin + timedelta(days=sitting)
        messages.append(
            {
                "id": f"M{place}",
                "role": "user" if text.startswith("Ines") else "assistant",
                "name": text.partition(":")[0],
                "text": text.partition(": ")[2],
                "sitting": sitting,
                "time": moment.isoformat(),
            }
        )
    questions = [
        {"question": question, "evidence": [f"M{20 * place + 4}"], "category": 1 + place % 2}
        for place, question in enumerate(FACTS)
    ]
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"id": 1, "messages": messages, "questions": questions}]), encoding="utf-8")
    return path


def test_recall_finds_what_trimming_loses(file: Path) -> None:
    figures = recall.measure(file, 700)
    assert figures["auto"]["evidence"] > 70
    assert figures["trim"]["evidence"] == 0
    assert set(figures["auto"]["by_category"]) == {"1", "2"}
    assert figures["auto"]["over_budget"] == figures["trim"]["over_budget"] == 0
    assert figures["auto"]["gated"]["questions"] == 100


def test_the_stable_cut_spares_reading_anew(file: Path) -> None:
    figures = prefix.measure(file, 700)
    assert figures["auto"]["off"]["evaluated"] < figures["trim"]["evaluated"] / 2
    assert figures["auto"]["off"]["turns_between_cuts"] > figures["trim"]["turns_between_cuts"]
    assert figures["summary"]["summaries"] > 0
    assert figures["auto"]["gated"]["over_budget"] == 0


def test_the_list_below_a_summary_has_numbers_that_its_text_has_lost(file: Path) -> None:
    figures = summaries.measure(file, 700)
    for stand_in in figures.values():
        assert stand_in["new"]["listed"] > stand_in["new"]["text"]
        assert stand_in["longest"] <= 1


def test_searching_is_measured(tmp_path: Path) -> None:
    figures = search.measure(tmp_path / "store.db", messages=300, long=200, times=3)
    assert figures["one_conversation"]["p95"] > 0


def test_the_seconds_of_a_turn_are_simulated_at_several_speeds(file: Path) -> None:
    figures = seconds.measure(file, 700, 2.0, sizes=(100,))["100 messages"]
    slow, fast = figures["50 tokens a second"], figures["2000 tokens a second"]
    assert slow["auto"]["mean"] > fast["auto"]["mean"]
    assert slow["auto without recall"]["mean"] < slow["trim"]["mean"]
    assert 0 < slow["added"]["most"] <= 2.2
