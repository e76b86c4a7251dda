"""How many cells a text takes, and how it is cut to fit."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from chatcli.text import _SINGLE, cells, cluster_cells, clusters, shortened

LETTERS = st.sampled_from(
    ["a", " ", "│", "├", "ö", "ǅ", "…", "—", "●", "漢", "e\u0301", "\u0301", "👩‍🚀", "❤️", "🇩🇪"]
)
TEXTS = st.lists(LETTERS, max_size=40).map("".join)


def test_a_character_counted_at_once_takes_one_cell_and_joins_no_other() -> None:
    single = [char for char in map(chr, range(sys.maxunicode + 1)) if _SINGLE.fullmatch(char)]
    assert {"a", "ö", "│", "●"} <= set(single)
    assert all(cluster_cells(char) == 1 for char in single)
    assert list(clusters("".join(single))) == single
    assert list(clusters("".join(f"e{char}" for char in single))) == [
        each for char in single for each in ("e", char)
    ]


@given(TEXTS)
def test_the_cells_of_a_text_are_those_of_its_characters(text: str) -> None:
    assert cells(text) == sum(map(cluster_cells, clusters(text)))


@given(TEXTS, st.integers(0, 30))
def test_a_text_is_cut_where_it_does_not_fit_and_only_there(text: str, columns: int) -> None:
    kept, free = "", columns - 1
    for cluster in clusters(text):
        free -= cluster_cells(cluster)
        if free < 0:
            break
        kept += cluster
    assert shortened(text, columns) == (text if cells(text) <= columns else kept.rstrip() + "…")
