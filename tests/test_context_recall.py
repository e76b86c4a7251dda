"""Which words a question is about, which dates it names, what ranks first, and how it is quoted."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatcli.context import documents, recall
from chatcli.context.query import Dates, dates, month_name, terms
from chatcli.conversation.message import Attachment, Role
from chatcli.conversation.retrieval import Candidate, Retrieved, rarity

ROOT = Path(__file__).parent.parent
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def candidate(number: int, text: str, *held: str, passage: int = 0, minutes: int | None = None) -> Candidate:
    created = NOON + timedelta(minutes=number if minutes is None else minutes)
    role = Role.USER if number % 2 else Role.ASSISTANT
    return Candidate(100 + number, number, passage, role, created, text, frozenset(held), 1)


def found(*candidates: Candidate, passages: int = 100) -> Retrieved:
    times: dict[str, int] = {}
    for each in candidates:
        for term in each.terms:
            times[term] = times.get(term, 0) + 1
    return Retrieved(candidates, times, passages, 1)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What did the doctor say about my knee?", ["doctor", "knee"]),
        ("Was war der Hut?", ["hut"]),
        ("Is there a war over hats?", ["war", "hats"]),
        ("Où est la clé de la maison ?", ["clé", "maison"]),
        ("¿Dónde vive mi hermana?", ["vive", "hermana"]),
        ("Dove abita mia sorella?", ["abita", "sorella"]),
        ("Onde mora a minha irmã?", ["mora", "irmã"]),
        ("Где живёт моя сестра?", ["живёт", "сестра"]),
        ("机器学习", ["机器", "器学", "学习"]),
        ("foo_bar.py in v2.1", ["foo", "bar", "py", "v2", "1"]),
        ("And what was it then?", []),
    ],
)
def test_the_words_that_say_something_are_looked_for(question: str, words: list[str]) -> None:
    assert [word for word, _ in terms(question).words] == words


def test_longer_words_are_looked_for_by_their_beginning_too() -> None:
    assert terms("photographers knee 机器学习").sought == (
        "photographers",
        "photo*",
        "knee",
        "机器",
        "器学",
        "学习",
    )


@pytest.mark.parametrize(
    ("text", "asks", "looks_back"),
    [
        ("What was it", True, False),
        ("Really？", True, False),
        ("Tell me a joke.", False, False),
        ("As I told you, in blue.", False, True),
        ("这是什么", True, False),
        ("Du sagtest blau.", False, True),
    ],
)
def test_questions_and_references_to_the_past_are_told(text: str, asks: bool, looks_back: bool) -> None:
    assert (terms(text).asks, terms(text).looks_back) == (asks, looks_back)


@pytest.mark.parametrize(
    ("question", "years", "months", "days"),
    [
        ("What happened on 8 May 2023?", {2023}, {5}, {8}),
        ("in May", set(), {5}, set()),
        ("May I go?", set(), set(), set()),
        ("Was im März geschah", set(), {3}, set()),
        ("on 2024-02-29", {2024}, {2}, {29}),
        ("2023年5月8日", {2023}, {5}, {8}),
        ("October 13th", set(), {10}, {13}),
        ("back in 1999", {1999}, set(), set()),
        ("version 2.13.45", set(), set(), set()),
    ],
)
def test_dates_are_read(question: str, years: set[int], months: set[int], days: set[int]) -> None:
    read = dates(question)
    assert (set(read.years), set(read.months), set(read.days)) == (years, months, days)


@pytest.mark.parametrize("question", ["on 0000-05-03", "since 9999-12", "0001-01-01", "9999年12月31日"])
def test_years_at_the_ends_of_the_calendar_are_none(question: str) -> None:
    assert not dates(question).years
    dates(question).spans(NOON)


@pytest.mark.parametrize("month", range(1, 13))
def test_the_day_above_a_quote_is_read_as_that_day(month: int) -> None:
    said = candidate(1, "a trip")._replace(created=datetime(2023, month, 8, 12).astimezone())
    day = recall.quote([said]).splitlines()[1]
    assert day == f"8 {month_name(month)} 2023"
    assert dates(f"What was on {day}?") == Dates(frozenset({2023}), frozenset({month}), frozenset({8}))


def test_a_month_without_a_year_is_that_of_the_last_years() -> None:
    spans = dates("in May").spans(NOON)
    assert [span[0].astimezone().year for span in spans] == [2025, 2024, 2023, 2022]


@given(st.text(max_size=60))
def test_no_question_breaks_the_reading(question: str) -> None:
    assert len(terms(question).words) <= 32
    dates(question).spans(NOON)


def test_rare_words_weigh_more_and_an_answer_counts_with_its_question() -> None:
    results = found(
        candidate(1, "the common word", "common"),
        candidate(2, "nothing", minutes=2),
        candidate(5, "common again", "common", minutes=200),
        candidate(6, "a reply", minutes=201),
        candidate(9, "the rare one", "rare", minutes=400),
        candidate(10, "its answer", minutes=401),
    )
    results = replace(results, occurrences={"rare": 1, "common": 60})
    order = [each.candidate.number for each in recall.rank(results, terms("rare common"))]
    assert order[:2] == [9, 10]
    assert 2 not in order[:2]


@given(st.integers(1, 10_000), st.integers(0, 20_000), st.integers(1, 100))
def test_the_rarer_a_term_the_more_it_weighs_and_it_never_weighs_less_than_nothing(
    passages: int, occurrences: int, more: int
) -> None:
    rare, common = rarity(occurrences, passages), rarity(occurrences + more, passages)
    assert rare > common > 0
    assert found(candidate(1, "knee", "knee"), passages=passages).weight("knee") == rarity(1, passages)


def test_a_word_weighs_more_than_its_beginning() -> None:
    results = found(candidate(1, "photos", "photo*"), candidate(9, "photographers", "photographers", "photo*"))
    ranking = recall.rank(results, terms("photographers"))
    assert [each.candidate.number for each in ranking] == [9, 1]


def test_what_was_said_at_the_time_in_question_comes_first() -> None:
    may = (datetime(2023, 5, 8, 12, tzinfo=UTC) - NOON) // timedelta(minutes=1)
    results = found(candidate(1, "trip", "trip", minutes=may), candidate(9, "trip", "trip"))
    ranking = recall.rank(results, terms("trip"), dates("in May 2023"))
    assert ranking[0].candidate.number == 1


def test_the_words_of_whom_the_question_is_about_come_first() -> None:
    talk = found(*(candidate(number, "tea is fine", "tea", minutes=100 * number) for number in (1, 2)))
    assert recall.rank(talk, terms("What did I say of tea?"))[0].candidate.role is Role.USER
    assert recall.rank(talk, terms("What did you say of tea?"))[0].candidate.role is Role.ASSISTANT
    named = found(candidate(1, "Anna: tea", "tea"), candidate(2, "Bob: tea", "tea", minutes=300))
    assert recall.rank(named, terms("Does Anna take tea?"))[0].candidate.number == 1
    assert recall.rank(named, terms("Does Bob take tea?"))[0].candidate.number == 2


def test_meaning_counts_beside_words() -> None:
    one, other, far = candidate(1, "a", "car"), candidate(9, "b", minutes=300), candidate(20, "c", minutes=600)
    near = {(one.node, 0): 0.1, (other.node, 0): 2.0, (far.node, 0): -1.0}
    results = Retrieved((one, other, far), {"car": 1}, 100, 1, near)
    assert [each.candidate.number for each in recall.rank(results, terms("car"))] == [1, 9]
    close = replace(results, near={**near, (one.node, 0): -2.0})
    assert [each.candidate.number for each in recall.rank(close, terms("automobile"))] == [9]


def test_words_and_meaning_weigh_what_they_tell_whatever_their_scale() -> None:
    words, near, both = (candidate(20 * at, "a tale", minutes=300 * at) for at in (1, 2, 3))
    words, both = words._replace(terms=frozenset({"car"})), both._replace(terms=frozenset({"car"}))
    results = found(words, near, both)
    for scale in (0.01, 1, 100):
        nearness = {(near.node, 0): scale, (both.node, 0): scale, (words.node, 0): 0.0}
        ranking = recall.rank(replace(results, near=nearness), terms("car"))
        assert [each.candidate for each in ranking] == [both, words, near]


@pytest.mark.parametrize("near", [{}, {1: 0.0, 9: 0.0}, {1: 1.0, 9: 1.0}, {1: -1.0, 9: -1.0}])
def test_nearness_that_tells_nothing_leaves_the_order_of_words(near: dict[int, float]) -> None:
    one, other = candidate(1, "car boat", "car", "boat"), candidate(9, "car train", "car", minutes=300)
    results = replace(found(one, other), near={(100 + number, 0): value for number, value in near.items()})
    assert [each.candidate for each in recall.rank(results, terms("car boat"))] == [one, other]


def test_without_any_word_the_nearest_comes_first_and_what_is_far_not_at_all() -> None:
    talk = [candidate(number, "a tale", minutes=300 * number) for number in (1, 2, 3)]
    near = {(each.node, 0): value for each, value in zip(talk, (1.0, 3.0, -1.0), strict=True)}
    results = Retrieved(tuple(talk), {"car": 0}, 100, 1, near)
    assert [each.candidate.number for each in recall.rank(results, terms("car"))] == [2, 1]


ANEW = """
from tests.test_context_recall import candidate, found, recall, terms
passages = found(candidate(0, "A heron ate gustav, the oldest trout of upper lake.", "heron"))
print(*recall.clues(passages, terms("heron")))
"""


def test_clues_come_in_the_order_of_the_text_in_every_run_of_python() -> None:
    """Only the first of them are tried: in another order, a continued conversation would quote other messages."""
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = [sys.executable, "-c", ANEW]
        done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
        assert done.stdout.split() == ["ate", "gustav", "oldest", "trout", "upper", "lake"]


def test_the_clues_are_words_of_the_best_passages_that_the_question_lacks() -> None:
    results = found(
        candidate(1, "My herons are called Gustav and Emma", "herons", "heron*"),
        candidate(9, "Gustav, the heron at gate 77, row 7", "heron*", minutes=300),
        candidate(11, "nothing of it", minutes=600),
    )
    assert recall.clues(results, terms("Where are the herons?")) == {
        "gustav": 2, "called": 1, "emma": 1, "gate": 1, "row": 1, "77": 1
    }  # fmt: skip
    assert not recall.clues(found(), terms("Where are the herons?"))


def test_a_clue_weighs_less_than_a_word_of_the_question() -> None:
    results = found(candidate(1, "Gustav ate carp", "gustav"), candidate(9, "the heron", "heron", minutes=300))
    ranking = recall.rank(replace(results, clues=frozenset({"gustav"})), terms("heron"))
    assert [each.candidate.number for each in ranking] == [9, 1]
    assert recall.messages_quoted(
        [results.candidates[0]], terms("heron"), replace(results, clues=frozenset({"gustav"}))
    ) == {1: "quoted for gustav, beside what fits the question"}


@pytest.mark.parametrize(
    ("question", "back"),
    [
        ("Where is the bassoon?", True),
        ("Wo ist das bassoon?", True),
        ("bassoon, where did it go", False),
        ("where is my bassoon", True),
        ("Remind me where the bassoon is.", True),
        ("What did you say about the bassoon?", True),
        ("Was hast du über das bassoon gesagt?", True),
        ("I forgot. Where is the bassoon?", True),
        ("What was there on 3 May 2023?", True),
        ("Can you play the bassoon?", False),
        ("Könntest du das bassoon spielen?", False),
        ("How do I tune a bassoon?", False),
        ("Wie kann ich ein bassoon stimmen?", False),
        ("The bassoon is here. Shall we play?", False),
        ("Where is the oboe?", False),
        ("Where was the lake with the bassoon?", True),
        ("Where is the lake with boats and the bassoon?", False),
        ("Play the bassoon.", False),
    ],
)
def test_a_question_looks_back_when_it_asks_for_what_was_said(question: str, back: bool) -> None:
    results = replace(found(candidate(1, "the bassoon", "bassoon")), occurrences={"bassoon": 1})
    assert recall.looks_back(results, terms(question), dates(question)) is back


def test_a_question_does_not_look_back_when_what_is_sent_covers_it_better() -> None:
    results = found(candidate(1, "the bassoon", "bassoon"))
    results = replace(results, occurrences={"bassoon": 1, "lake": 9})
    question = terms("Where is the bassoon at the lake?")
    assert recall.looks_back(results, question, Dates(), ["A lake.", "Clouds."])
    assert not recall.looks_back(results, question, Dates(), ["A lake.", "My bassoon is in the lake."])
    said = terms("Where did I say the bassoon at the lake is?")
    assert recall.looks_back(results, said, Dates(), ["My bassoon is in the lake."])


@pytest.mark.parametrize(
    ("question", "role"),
    [
        ("What did you tell me about oolong?", Role.ASSISTANT),
        ("What did you say about my oolong?", Role.ASSISTANT),
        ("Which oolong had you recommended to me?", Role.ASSISTANT),
        ("Was hast du mir über Oolong gesagt?", Role.ASSISTANT),
        ("What did I tell you about oolong?", Role.USER),
        ("Was habe ich dir über Oolong gesagt?", Role.USER),
        ("I think you said something about oolong?", Role.ASSISTANT),
        ("What is my oolong?", Role.USER),
        ("Who takes oolong?", None),
    ],
)
def test_the_words_asked_for_are_those_of_whoever_said_them(question: str, role: Role | None) -> None:
    assert terms(question).about is role
    talk = found(*(candidate(number, "oolong is fine", "oolong", minutes=100 * number) for number in (1, 2)))
    best = recall.rank(talk, terms(question))[0].candidate
    assert best.role is (role or Role.ASSISTANT)


def test_a_passage_without_a_vector_is_no_worse_for_it() -> None:
    talk = [candidate(number, "the heron", "heron", minutes=300 * number) for number in (1, 2, 3)]
    near = {(talk[0].node, 0): 2.5, (talk[1].node, 0): 0.5}
    order = [each.candidate.number for each in recall.rank(replace(found(*talk), near=near), terms("heron"))]
    assert order == [3, 1, 2]  # the third one's nearness is that of its words


@given(st.lists(st.tuples(st.booleans(), st.floats(-3, 6) | st.none(), st.integers(0, 400)), max_size=30))
@example([(True, None, 0), (True, 0.0, 46), (True, 0.0625, 46), (False, 0.0, 46), (True, -1.0, 0)])
def test_every_ranking_is_in_order_and_more_nearness_never_harms(
    rows: list[tuple[bool, float | None, int]],
) -> None:
    talk, minutes = [], 0
    for number, (held, _, pause) in enumerate(rows, start=1):
        minutes += pause
        talk.append(candidate(number, "words", *(["heron"] if held else []), minutes=minutes))
    near = {(one.node, 0): row[1] for one, row in zip(talk, rows, strict=True) if row[1] is not None}
    ranking = recall.rank(replace(found(*talk), near=near), terms("heron"))
    scores = [each.score for each in ranking]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    assert {each.candidate.number for each in recall.rank(found(*talk), terms("heron"))[:1]} <= {
        each.candidate.number for each in ranking
    }


def test_what_several_sittings_say_comes_before_more_of_one() -> None:
    early = [candidate(number, "tea", "tea") for number in (1, 4, 7)]
    late = [candidate(number, "tea", "tea", minutes=200 + number) for number in (11, 14, 17)]
    order = [each.candidate.number for each in recall.rank(found(*early, *late), terms("tea"))]
    assert order == [17, 7, 14, 4, 11, 1]


def test_the_gate_opens_for_what_is_nearer_than_chance_would_have_it() -> None:
    one = candidate(1, "the automobile broke down")
    results = Retrieved((one,), {}, 600, 1, near={(one.node, 0): 4.0})
    assert recall.fires(results, terms("Where did the car stop?"))
    assert not recall.fires(replace(results, near={(one.node, 0): 3.0}), terms("Where did the car stop?"))
    assert not recall.fires(replace(results, passages=100_000), terms("Where did the car stop?"))


def test_why_a_message_is_quoted_is_said() -> None:
    talk = [candidate(1, "car", "car"), candidate(3, "automobile"), candidate(5, "so"), candidate(7, "car", "car")]
    near = {(talk[0].node, 0): 2.0, (talk[1].node, 0): 1.5}
    assert recall.messages_quoted(talk, terms("car"), replace(found(*talk), near=near)) == {
        1: "quoted for car, and near in meaning",
        3: "quoted as near in meaning",
        5: "quoted beside what fits the question",
        7: "quoted for car",
    }


def test_quotes_from_elsewhere_only_are_said_to_be_from_there() -> None:
    (line, day, *_) = recall.quote([candidate(1, "tea", "tea")], here=2).splitlines()
    assert line == "Said in other conversations (may be relevant):"
    assert day == "in another conversation, 1 March 2026"


def test_the_gate_opens_for_questions_that_something_answers() -> None:
    results = found(candidate(1, "the bassoon", "bassoon"))
    assert recall.fires(results, terms("Where is the bassoon?"))
    assert recall.fires(results, terms("Remember the bassoon and the lake at night."))
    assert not recall.fires(results, terms("Paint me a lake at night, with stars, boats and a bassoon."))
    assert not recall.fires(found(), terms("Where is the bassoon?"))
    assert recall.fires(results, terms("Paint a lake with a bassoon, stars, boats."), always=True)


def measure(text: str) -> int:
    return -(-len(text) // 4)


def test_quotes_fill_the_room_and_stand_in_their_order() -> None:
    results = found(*(candidate(number, f"fact {number} " * 5, "fact") for number in (1, 3, 5, 7, 9)))
    ranking = recall.rank(results, terms("fact"))
    chosen = recall.choose(ranking, 60, measure, lambda each: each.number != 5)
    assert [each.number for each in chosen] == sorted(each.number for each in chosen)
    assert 0 < len(chosen) < 4
    assert 5 not in [each.number for each in chosen]
    assert measure(recall.quote(chosen)) <= 60


def test_passages_of_one_message_are_joined_and_gaps_marked() -> None:
    said = [candidate(1, f"part {place}. ", passage=place) for place in (0, 1, 3)]
    assert recall.quote(said, 1).splitlines()[1:] == ["1 March 2026", "user: part 0. part 1.  [...] part 3."]


def test_passages_of_a_file_have_their_lines() -> None:
    text = "# One\n" + "plain words here\n" * 60 + "# Two\nthe heron is grey\n" + "plain words here\n" * 60
    file = Attachment("text", "birds.md", "text/markdown", text.encode())
    (best, *_) = documents.choose([], [file], terms("What colour is the heron?"), 200, measure)
    assert best.text.startswith("# Two\nthe heron is grey")
    assert text.splitlines()[best.first - 1 : best.last] == best.text.split("\n")
    assert documents.describe([best]) == f"birds.md: lines {best.first}-{best.last}"


def test_files_without_the_questions_words_are_read_from_the_beginning_or_not_at_all() -> None:
    file = Attachment("text", "a.txt", "text/plain", ("plain words here\n" * 200).encode())
    chosen = documents.choose([], [file], terms("Sum this up"), 300, measure)
    assert chosen[0].first == 1
    assert documents.choose([file], [], terms("Sum this up"), 300, measure) == []


@given(st.lists(st.sampled_from(["word ", "x" * 900, "\n", "# head\n", "字", "\r\n"]), max_size=80))
def test_passages_cover_every_line_that_says_something(parts: list[str]) -> None:
    text = "".join(parts)
    file = Attachment("text", "f", "text/plain", text.encode())
    passages = documents.choose([], [file], terms(""), 10**9, measure)
    covered = {number for each in passages for number in range(each.first, each.last + 1)}
    lines = text.splitlines()
    assert {number for number, line in enumerate(lines, 1) if line.strip()} <= covered
    assert all(each.last <= len(lines) for each in passages)
