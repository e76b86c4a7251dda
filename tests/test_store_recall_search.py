"""What recall chooses from: rare words first, with their neighbors, on the path, at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chatcli.conversation.message import Attachment, Message
from chatcli.conversation.retrieval import Retrieved
from chatcli.conversation.tree import Conversation, Ended
from chatcli.store import postings
from chatcli.store import recall_search as module
from chatcli.store.store import Store

CLOCK = [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.fixture
def store() -> Iterator[Store]:
    CLOCK[0] = datetime(2026, 1, 1, tzinfo=UTC)
    with Store.open(None, now=lambda: CLOCK[0]) as store:
        yield store


def talk(store: Store, *texts: str, apart: timedelta = timedelta(minutes=1)) -> Conversation:
    conversation = store.create()
    for text in texts:
        CLOCK[0] += apart
        store.append(conversation, Message.user(text))
    return conversation


@dataclass(frozen=True)
class Asks:
    """Asks for these words in a second round, unless the few best do; for nothing, where no passage may have the
    words `together`.
    """

    words: tuple[str, ...] = ()
    few_may_do: bool = False
    together: frozenset[str] = frozenset()

    def may_fire(self, found: Retrieved, sets: Collection[frozenset[str]]) -> bool:
        assert not found.candidates
        return any(self.together <= held for held in sets)

    def enough(self, few: Retrieved) -> bool:
        return bool(few.candidates)

    def clues(self, first: Retrieved) -> dict[str, int]:
        return dict.fromkeys(self.words, len(first.candidates))


def noted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The terms whose postings are read from now on."""
    looked_up = list[str]()

    def newest(connection: sqlite3.Connection, term: str, *scope: Any) -> list[int]:
        looked_up.append(term)
        return read(connection, term, *scope)

    read = postings.newest
    monkeypatch.setattr(postings, "newest", newest)
    return looked_up


def texts(found: Retrieved) -> list[str]:
    return [each.text for each in found.candidates]


def test_a_find_comes_with_what_stands_beside_it(store: Store) -> None:
    conversation = talk(
        store, *(f"number {place}" for place in range(10)), "a heron", "one", "two", "three", "end"
    )
    found = store.candidates(["heron"], conversation=conversation.id, upto=conversation.path()[-1].id)
    assert texts(found) == ["number 8", "number 9", "a heron", "one", "two"]
    assert [each.terms for each in found.candidates if each.terms] == [{"heron"}]
    assert (found.occurrences, found.conversation) == ({"heron": 1}, conversation.id)


def test_only_the_path_up_to_the_message_is_looked_at(store: Store) -> None:
    talk(store, "heron elsewhere")
    conversation = talk(store, "heron 1", "b", "c", "heron undone")
    ids = [node.id for node in conversation.path()]
    store.go_to(conversation, ids[2])
    for text in ("heron 4", "e", "heron 6"):
        store.append(conversation, Message.user(text))
    path = conversation.path()
    found = store.candidates(["heron"], conversation=conversation.id, upto=path[4].id)
    assert texts(found) == ["heron 1", "b", "c", "heron 4", "e"]
    everywhere = store.candidates(["heron"], conversation=conversation.id, upto=path[4].id, all_chats=True)
    assert set(texts(everywhere)) == {"heron 1", "b", "c", "heron 4", "e", "heron elsewhere"}


def test_the_trash_is_not_looked_at(store: Store) -> None:
    other = talk(store, "heron elsewhere")
    conversation = talk(store, "nothing")
    store.delete(other.id)
    assert conversation.tip is not None
    assert (
        texts(store.candidates(["heron"], conversation=conversation.id, upto=conversation.tip, all_chats=True))
        == []
    )


def test_what_was_said_in_a_span_is_found_without_words(store: Store) -> None:
    conversation = talk(store, *(f"day {place}" for place in range(30)), apart=timedelta(days=1))
    assert conversation.tip is not None
    span = (datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
    found = store.candidates([], conversation=conversation.id, upto=conversation.tip, spans=[span])
    assert texts(found) == ["day 8", "day 9"]
    before = (datetime(2020, 1, 10, tzinfo=UTC), datetime(2021, 1, 12, tzinfo=UTC))
    assert texts(store.candidates([], conversation=conversation.id, upto=conversation.tip, spans=[before])) == []


def test_common_words_only_mark_what_rare_ones_find(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_ALL", 3)
    conversation = talk(store, *(f"bird {place}" for place in range(20)), "bird heron", *("x" for _ in range(5)))
    assert conversation.tip is not None
    found = store.candidates(["heron", "bird"], conversation=conversation.id, upto=conversation.tip)
    assert texts(found) == ["bird 18", "bird 19", "bird heron", "x", "x"]
    assert found.candidates[2].terms == {"heron", "bird"}


def test_the_few_best_come_alone_where_they_are_enough(store: Store) -> None:
    found_in = ["a heron", *["x"] * 5]
    conversation = talk(store, *found_in * (module.FEW + 1), "heron Gustav", *["x"] * 5, "Gustav")

    def look(asked: Asks) -> Retrieved:
        assert conversation.tip is not None
        terms = ["heron", "gustav"]
        return store.candidates(terms, conversation=conversation.id, upto=conversation.tip, asked=asked)

    few, all_of_them = look(Asks(("heron",), few_may_do=True)), look(Asks())
    assert {"heron Gustav", "Gustav"} < set(texts(few))
    assert (few.occurrences, few.passages) == (all_of_them.occurrences, all_of_them.passages)
    assert set(few.candidates) < set(all_of_them.candidates)
    assert sum(bool(each.terms) for each in few.candidates) == module.FEW
    assert sum(bool(each.terms) for each in all_of_them.candidates) == module.FEW + 3


def test_no_message_is_read_where_none_can_have_enough_of_the_words(store: Store) -> None:
    conversation = talk(store, "a heron and Gustav", *["x"] * 5, "Gustav ate the carp", *["x"] * 5)

    def look(*together: str) -> Retrieved:
        assert conversation.tip is not None
        asked, terms = Asks(together=frozenset(together)), ["heron", "gustav", "carp"]
        return store.candidates(terms, conversation=conversation.id, upto=conversation.tip, asked=asked)

    everything, nothing = look("gustav", "carp"), look("heron", "carp")
    assert "Gustav ate the carp" in texts(everything)
    assert texts(nothing) == []
    assert (nothing.occurrences, nothing.passages) == (everything.occurrences, everything.passages)
    assert everything.occurrences == {"heron": 1, "gustav": 2, "carp": 1}


def test_a_word_that_is_known_to_be_common_is_read_only_where_it_may_decide(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (postings, module):
        monkeypatch.setattr(each, "MOST", 4)
    conversation = talk(store, "a heron", *["x"] * 5, "Gustav ate the carp", *["x"] * 5, *["a carp"] * 4, "end")
    looked_up = noted(monkeypatch)

    def look(*together: str) -> Retrieved:
        looked_up.clear()
        asked, terms = Asks(together=frozenset(together)), ["heron", "gustav", "carp"]
        assert conversation.tip is not None
        return store.candidates(terms, conversation=conversation.id, upto=conversation.tip, asked=asked)

    first = look("heron", "gustav")
    assert (texts(first), looked_up) == ([], ["heron", "gustav", "carp"])
    store.append(conversation, Message.user("so"))
    assert look("heron", "gustav") == replace(first, passages=first.passages + 1)
    assert looked_up == ["heron", "gustav"], "no passage has both, whichever have the carp"
    assert look("heron", "carp").candidates == ()
    assert looked_up == ["carp"], "a passage might have had both"
    assert "a heron" in texts(look("carp"))


def test_words_that_find_nothing_by_themselves_are_not_forgotten_when_that_is_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_ALL", 1)
    conversation = talk(store, "heron", *["carp and perch"] * 3)
    assert conversation.tip is not None
    asked = Asks(together=frozenset(("carp", "perch")))
    terms = ["heron", "carp", "perch"]
    found = store.candidates(terms, conversation=conversation.id, upto=conversation.tip, asked=asked)
    assert {"carp", "perch"} in [each.terms for each in found.candidates], "beside the heron"


def test_a_common_word_is_no_clue_and_is_not_looked_up_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postings, "RARE", 4)
    monkeypatch.setattr(module, "RARE", 4)
    conversation = talk(store, "a heron", "Gustav and a carp", *["x"] * 50, "Gustav", *["a carp"] * 4)
    looked_up = noted(monkeypatch)

    def look(upto: int) -> Retrieved:
        looked_up.clear()
        asked = Asks(("gustav", "carp"))
        return store.candidates(["heron"], conversation=conversation.id, upto=upto, asked=asked)

    path = [node.id for node in conversation.path()]
    first = look(path[-1])
    assert first.clues == {"gustav"}
    assert looked_up == ["heron", "gustav", "carp"]
    assert look(path[-1]) == first
    assert looked_up == ["gustav"], "the words of a question are read once"
    assert look(path[-3]).clues == {"gustav", "carp"}, "before that message it is rare"


def test_the_words_of_one_question_are_read_once_until_something_is_written(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = talk(store, "heron 1", *["x"] * 5, "heron 2", *["x"] * 5, "heron 3", "did I see a heron?")
    path = [node.id for node in conversation.path()]
    looked_up = noted(monkeypatch)

    def look(upto: int) -> list[str]:
        found = store.candidates(["heron"], conversation=conversation.id, upto=upto)
        return [each.text for each in found.candidates if each.terms]

    assert look(path[4]) == ["heron 1"]
    assert look(path[-2]) == ["heron 1", "heron 2", "heron 3"], "with messages that were sent word for word"
    assert look(path[-3]) == ["heron 1", "heron 2"]
    assert looked_up == ["heron"]
    store.append(conversation, Message.assistant("a heron, yes"))
    assert conversation.tip is not None
    assert look(conversation.tip) == ["heron 1", "heron 2", "heron 3", "did I see a heron?", "a heron, yes"]
    assert looked_up == ["heron", "heron"]


@pytest.mark.parametrize("writer", ["this program", "another"])
def test_what_is_written_since_is_found_by_the_same_question(tmp_path: Path, writer: str) -> None:
    with Store.open(tmp_path / "chatcli.db") as store, Store.open(tmp_path / "chatcli.db") as other:
        conversation = talk(store, "heron 1", "x")
        writes = store if writer == "this program" else other
        there = writes.conversation(conversation.id)
        assert there.last is not None
        draft = writes.begin_reply(there, there.last)
        draft.save("hm")
        upto = there.tip
        assert upto is not None

        def look() -> list[str]:
            found = store.candidates(["heron"], conversation=conversation.id, upto=upto)
            return [each.text for each in found.candidates if each.terms]

        assert look() == ["heron 1"]
        draft.finish(Message.assistant("heron 2"), Ended.COMPLETE, None)
        assert look() == ["heron 1", "heron 2"]


def test_a_second_round_finds_what_has_none_of_the_words_by_the_rare_ones_beside_them(store: Store) -> None:
    hops = ["my heron is called Gustav", *["x"] * 5, "Gustav ate the carp", *["the pond"] * 20]
    conversation = talk(store, *hops)
    assert conversation.tip is not None

    def look(*words: str) -> Retrieved:
        assert conversation.tip is not None
        return store.candidates(
            ["heron"],
            conversation=conversation.id,
            upto=conversation.tip,
            asked=Asks(words),
        )

    found = look("gustav", "pond", "nowhere", "called")
    assert found.clues == {"gustav"}
    assert "Gustav ate the carp" in texts(found)
    terms = {each.text: set(each.terms) for each in found.candidates if each.terms}
    assert terms == {hops[0]: {"heron", "gustav"}, "Gustav ate the carp": {"gustav"}}
    assert found.occurrences == {"heron": 1, "gustav": 2}
    assert len({(each.node, each.passage) for each in found.candidates}) == len(found.candidates)
    once = store.candidates(["heron"], conversation=conversation.id, upto=conversation.tip)
    assert look() == once
    assert "Gustav ate the carp" not in texts(once)


def test_a_find_in_a_long_message_comes_with_the_passages_beside_it(store: Store) -> None:
    long = "\n\n".join(
        f"Paragraph {place} is about {'a heron' if place == 50 else 'hay'}." * 8 for place in range(100)
    )
    conversation = talk(store, "before", long, "after")
    assert conversation.tip is not None
    found = store.candidates(["heron"], conversation=conversation.id, upto=conversation.tip)
    places = [each.passage for each in found.candidates]
    assert len(places) <= 8
    assert places == list(range(places[0], places[0] + len(places)))
    assert "".join(each.text for each in found.candidates) in long


def test_nodes_are_looked_up_on_the_path_only(store: Store) -> None:
    conversation = talk(store, "1", "2", "3 undone", "4 undone")
    ids = [node.id for node in conversation.path()]
    store.go_to(conversation, ids[1])
    file = Attachment("text", "a.txt", "text/plain", b"words")
    last = store.append(conversation, Message.user("3", (file,)))
    assert [node.message.text for node in store.on_path(conversation, last.id, [*ids, last.id])] == ["1", "2", "3"]
    assert [node.message.text for node in store.on_path(conversation, ids[0], ids)] == ["1"]
    assert [node.message for node in store.with_files(conversation, last.id)] == [last.message]
    assert store.with_files(conversation, ids[3]) == []
