"""Search finds every message with its place, and nothing that was undone, replaced or deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatcli.conversation.message import Message
from chatcli.conversation.tree import Conversation, Ended
from chatcli.store import search as search_module
from chatcli.store.draft import fold_cut_off
from chatcli.store.passages import split
from chatcli.store.search import terms_of
from chatcli.store.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


def talk(store: Store, *texts: str) -> Conversation:
    conversation = store.create()
    for text in texts:
        store.append(conversation, Message.user(text))
    return conversation


def found(store: Store, query: str, limit: int = 20, conversation: int | None = None) -> list[str]:
    return [hit.text for hit in store.search(terms_of(query), limit=limit, conversation=conversation)]


def is_intact(store: Store) -> bool:
    """FTS5 raises when the index and the texts it was made of disagree."""
    store._database._connection.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
    return True


def test_words_are_found_in_any_form(store: Store) -> None:
    talk(store, "The dogs were running", "A cat sleeps", "naïve café")
    assert found(store, "dog run") == ["The dogs were running"]
    assert found(store, "SLEEP") == ["A cat sleeps"]
    assert found(store, "naive cafés") == ["naïve café"]
    assert found(store, "sle*") == ["A cat sleeps"]
    assert found(store, '"a cat"') == ["A cat sleeps"]
    assert found(store, '"cat a"') == found(store, "bird") == []


def test_parts_of_text_without_spaces_are_found(store: Store) -> None:
    talk(store, "你好，机器学习很有趣", "東京タワーに行きました", "สวัสดีครับ")
    assert found(store, "学习") == ["你好，机器学习很有趣"]
    assert found(store, "タワー") == ["東京タワーに行きました"]
    assert found(store, "习学") == []
    (hit,) = store.search(["学习"])
    assert [hit.text[start:end] for start, end in hit.marks] == ["学习"]


def test_a_hit_says_where_it_is_and_what_was_sought(store: Store) -> None:
    talk(store, "nothing here")
    conversation = talk(store, "first", "the Needle and the needles")
    (hit,) = store.search(["needle"])
    assert (hit.conversation, hit.title, hit.node, hit.number) == (conversation.id, "first", conversation.tip, 2)
    assert [hit.text[start:end] for start, end in hit.marks] == ["Needle", "needles"]


def test_a_hit_in_a_long_message_is_the_passage_it_is_in(store: Store) -> None:
    talk(
        store,
        "\n\n".join(
            f"Paragraph {number} is about {'needles' if number == 77 else 'hay'}." for number in range(200)
        ),
    )
    (hit,) = store.search(["needle"])
    assert "Paragraph 77 is about needles." in hit.text
    assert len(hit.text) < 700
    assert len(store.search(["hay"], per_message=False)) == 10
    assert len(store.search(["hay"])) == 1


def test_rare_words_count_for_more(store: Store) -> None:
    talk(store, *["common words"] * 20, "a rare word", "common common common")
    assert found(store, "rare common")[0] == "a rare word"


def test_words_too_common_to_rank_by_give_the_newest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "COMMON", 3)
    talk(store, *(f"common {number}" for number in range(9)), "rare")
    assert found(store, "common", limit=2) == ["common 8", "common 7"]
    assert found(store, "common rare") == ["rare"]


def test_a_search_before_a_message_sees_its_path_only(store: Store) -> None:
    other = talk(store, "word in another conversation")
    conversation = talk(store, "word 1", "word 2", "word 3 undone", "word 4 undone")
    nodes = [node.id for node in conversation.path()]
    store.append(other, Message.user("word in another conversation, later"))
    store.go_to(conversation, nodes[1])
    store.append(conversation, Message.user("word 3"))
    store.append(conversation, Message.user("word 4"))
    last = store.append(conversation, Message.user("word 5"))
    store.go_to(conversation, nodes[3])
    store.append(conversation, Message.user("word 5 undone"))
    on_path = store.search(["word"], conversation=conversation.id, before=last.id)
    assert sorted(hit.text for hit in on_path) == ["word 1", "word 2", "word 3", "word 4"]
    assert len(store.search(["word"], conversation=conversation.id)) == 8
    first = conversation.path()[0].id
    assert store.search(["word"], conversation=conversation.id, before=first) == []


def test_the_trash_is_not_searched(store: Store) -> None:
    conversation = talk(store, "needle")
    store.delete(conversation.id)
    assert found(store, "needle") == []
    assert found(store, "needle", conversation=conversation.id) == ["needle"]


def test_a_reply_is_found_as_it_ended(store: Store) -> None:
    conversation = talk(store, "question")
    question = conversation.last
    assert question is not None
    draft = store.begin_reply(conversation, question)
    draft.save("alpha", "")
    draft.save("alpha beta", "")
    fold_cut_off(store._database)
    assert found(store, "beta") == ["alpha beta"]
    draft.finish(Message.assistant("gamma"), Ended.COMPLETE)
    assert found(store, "alpha beta") == []
    assert found(store, "gamma") == ["gamma"]
    dropped = store.begin_reply(conversation, question)
    dropped.save("", "delta")
    dropped.drop()
    assert is_intact(store)


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()), max_size=30), max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_no_text_and_no_query_breaks_the_search(texts: list[str], data: st.DataObject) -> None:
    with Store.open(None) as store:
        conversation = talk(store, *texts)
        assert is_intact(store)
        query = data.draw(st.text() | st.sampled_from(["", *texts]))
        store.search([query])
        store.search(terms_of(query), conversation=conversation.id, before=conversation.tip)


@given(st.lists(st.sampled_from(["word ", "x" * 300, "\n", "\n\n", ". ", "字", "\udc80"]), max_size=200))
@settings(max_examples=50, deadline=None)
def test_passages_join_to_the_text(parts: list[str]) -> None:
    text = "".join(parts)
    passages = list(split(text))
    assert "".join(passages) == text
    assert all(0 < len(passage) <= 600 for passage in passages)


def test_a_huge_text_has_no_more_passages_than_a_message_may_have() -> None:
    assert len(list(split("word " * 1_000_000))) <= 1024 * 2
