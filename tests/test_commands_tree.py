"""The tree is drawn, and its ends are listed, from the shape of its branches and the messages that are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatcli.commands.tree import BEFORE, ROW, WIDTH, draw, ends, sketch, standing
from chatcli.conversation.message import Message, Role
from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import counted
from chatcli.store.conversations import clean_title
from chatcli.store.draft import Draft
from chatcli.store.outline import Twig
from chatcli.store.store import Store
from chatcli.text import cells, shortened
from tests.commanding import twigs_of

TEXTS = st.sampled_from(["yes", "漢字" * 40, "word " * 40, ""])
NAMES = ["here", "there", BEFORE, "far"]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.open(None) as store:
        yield store


def grow(store: Store, data: st.DataObject) -> Conversation:
    """Any tree: each message follows any earlier one, or none; some replies come to nothing, at once or later."""
    conversation = store.create()
    made: list[int] = []
    drafts: list[Draft] = []
    waiting: list[int] = []  # the messages that a draft replies to
    for _ in range(data.draw(st.integers(1, 25))):
        parent = data.draw(st.sampled_from([None, *made, *made[-1:] * 9, *waiting * 9]))
        store.go_to(conversation, parent)
        if parent is not None and data.draw(st.integers(0, 3)) == 0:
            drafts.append(store.begin_reply(conversation, conversation.node(parent)))
            drafts[-1].save("", "hm")
            waiting.append(parent)
        else:
            last = conversation.last
            role = Role.USER if last is None or last.number % 2 == 0 else Role.ASSISTANT
            made.append(store.append(conversation, Message(role, f"n{len(made)}! {data.draw(TEXTS)}")).id)
        gone = data.draw(st.integers(0, 3)) == 0
        if drafts and gone:
            drafts.pop().drop()
            waiting.pop()
    for draft in drafts:
        draft.drop()
    store.go_to(conversation, data.draw(st.sampled_from([None, *made])) if made else None)
    conversation.names = {
        name: data.draw(st.sampled_from(made)) for name in NAMES[: data.draw(st.integers(0, 4))] if made
    }
    return conversation


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tree_is_drawn_as_if_all_of_it_was_read(store: Store, data: st.DataObject) -> None:
    conversation = grow(store, data)
    tip, names = conversation.tip, conversation.names
    outline = store.outline(conversation.id, [*names.values(), *([tip] if tip else [])])
    strokes = list(sketch(outline, tip, names))
    lines = list(draw(strokes, store.twigs(each.spot for each in strokes if each.spot)))
    twigs = twigs_of(store, conversation.id)
    assert lines == list(_drawn(twigs, tip, names))
    text = "\n".join(lines)
    assert all(text.count(twig.beginning.split()[0]) <= 1 for twig in twigs)
    assert sum(twig.beginning.split()[0] in text for twig in twigs) + sum(
        each.left_out for each in strokes
    ) == len(twigs)
    assert all(cells(line) <= WIDTH + 3 for line in lines if line.count("│") < 10)
    found = ends(outline, tip, names)
    at = store.twigs(found)
    assert {at[spot].id: own for spot, own in found.items()} == _ends(twigs, tip, names)


@given(text=st.text(st.sampled_from(" \u00a0\u2003\u200b\n\t\x1b\ud800a漢")))
def test_a_title_is_one_line_of_words_with_one_space_between_them(text: str) -> None:
    readable = "".join(each if each.isprintable() else " " for each in text)
    assert clean_title(text) == " ".join(readable.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("> ## **Bold** and `code` - and * more", "you: Bold and code - and * more"),
        ("- [ ] a*`**b", "you: [ ] a*b"),
        ("***", "you: "),
    ],
)
def test_a_line_of_the_tree_has_no_signs_of_markdown(store: Store, text: str, shown: str) -> None:
    conversation = store.create()
    store.append(conversation, Message.user(text))
    assert list(map(standing, twigs_of(store, conversation.id))) == [shown]


def test_a_row_goes_on_where_the_end_of_its_branch_came_to_nothing(store: Store) -> None:
    conversation = store.create()
    first = [store.append(conversation, Message.user(f"n{number}")).id for number in range(1, 6)]
    draft = store.begin_reply(conversation, conversation.node(first[-1]))
    draft.save("", "hm")
    store.go_to(conversation, first[-1])
    last = [store.append(conversation, Message.user(f"n{number}")).id for number in range(6, 11)][-1]
    draft.drop()
    outline = store.outline(conversation.id, [*first, last])
    strokes = list(sketch(outline, last, {"here": first[2]}))
    assert list(draw(strokes, store.twigs(each.spot for each in strokes if each.spot))) == [
        " 1 you: n1",
        "   ⋮ 1 message",
        " 3 you: n3 [here]",
        "   ⋮ 6 messages",
        "10 you: n10 ● here",
    ]
    assert list(ends(outline, last, {"here": first[2]}).values()) == [("here",)]


def _drawn(twigs: Sequence[Twig], tip: int | None, names: Mapping[str, int]) -> Iterator[str]:
    """The lines of the tree, from all of its messages."""
    children = _children(twigs)
    on_path = set(_up(twigs, tip))
    marks: dict[int, list[str]] = {}
    for name, node in names.items():
        if name != BEFORE:
            marks.setdefault(node, []).append(f"[{name}]")
    if tip is not None:
        marks.setdefault(tip, []).append("● here")
    waiting: list[tuple[list[Twig], str, bool]] = [(children.get(None, []), "", False)]
    while waiting:
        siblings, indent, set_in = waiting.pop()
        if len(siblings) > 1:
            main = next((each for each in siblings if each.id in on_path), siblings[-1])
            waiting.append(([main], indent, False))
            waiting.extend(([each], f"{indent}│  ", True) for each in reversed(siblings) if each is not main)
        elif siblings:
            row = [siblings[0]]
            while len(following := children.get(row[-1].id, [])) == 1:
                row.append(following[0])
            yield from _row(row, indent, marks, set_in)
            waiting.append((children.get(row[-1].id, []), indent, False))


def _row(row: Sequence[Twig], indent: str, marks: Mapping[int, list[str]], set_in: bool) -> Iterator[str]:
    left_out = 0
    for place, twig in enumerate(row):
        if len(row) > ROW and 0 < place < len(row) - 1 and twig.id not in marks:
            left_out += 1
            continue
        if left_out:
            yield f"{indent}   ⋮ {counted(left_out, 'message')}"
            left_out = 0
        mark = " ".join(marks.get(twig.id, []))
        head = f"{indent[:-3]}├─ " if place == 0 and set_in else indent
        free = WIDTH - cells(mark) - 1 if mark else WIDTH
        line = shortened(f"{head}{twig.number:>2} {standing(twig)}", max(20, free))
        yield f"{line} {mark}" if mark else line


def _ends(twigs: Sequence[Twig], tip: int | None, names: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """The ends of the branches and the tip, with the names of each up to where its branch parts from others."""
    children, parents = _children(twigs), {twig.id: twig.parent for twig in twigs}
    found = {}
    for twig in twigs:
        if twig.id == tip or twig.id not in children:
            alone = [twig.id]
            while (at := parents[alone[0]]) is not None and len(children[at]) == 1:
                alone.insert(0, at)
            found[twig.id] = tuple(
                name for at in alone for name, node in names.items() if node == at and name != BEFORE
            )
    return found


def _children(twigs: Sequence[Twig]) -> dict[int | None, list[Twig]]:
    found: dict[int | None, list[Twig]] = {}
    for twig in twigs:
        found.setdefault(twig.parent, []).append(twig)
    return found


def _up(twigs: Sequence[Twig], tip: int | None) -> Iterator[int]:
    parents = {twig.id: twig.parent for twig in twigs}
    while tip is not None:
        yield tip
        tip = parents[tip]
