"""calculate: exact where it can be, bounded before it computes, and nothing but arithmetic."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatcli.tools.arithmetic import calculate
from chatcli.tools.schema import text_of
from chatcli.tools.tool import ToolFailure, Workplace


def computed(expression: str) -> str:
    return text_of(calculate.tool.run({"expression": expression}, Workplace(Path())))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("0.1 + 0.2", "0.3"),
        ("-2**2", "-4"),
        ("2^10", "1024"),
        ("2**64", "18446744073709551616"),
        ("7//2 - -7 % 3", "1"),
        ("1/3", "about 0.333333333333333 (1/3)"),
        ("sqrt(16/9) * 3", "4"),
        ("sqrt(2)", "about 1.4142135623731"),
        ("round(2.675, 2)", "2.68"),
        ("comb(50, 6)", "15890700"),
        ("(-1) ** (10**1000 + 1)", "-1"),
        ("10**3000 / 10**3001", "0.1"),
        ("ln(10**1000)", "about 2302.58509299405"),
        ("0x10 × 1_000", "16000"),
        ("max(1, 2.5, -3)", "2.5"),
    ],
)
def test_a_result_is_exact_or_says_that_it_is_rounded(expression: str, result: str) -> None:
    assert computed(expression) == result


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("9**9**9", "digits"),
        ("10**10**8", "digits"),
        ("2**(0-10**9)", "digits"),
        ("(1<<9999999)", "not understood"),
        ("(" * 900 + "1" + ")" * 900, "nested"),
        ("-" * 1900 + "1", "nested"),
        ("1+" * 5000 + "1", "characters"),
        ("factorial(10**9)", "digits"),
        ("comb(10**9, 5*10**8)", "too large"),
        ("perm(10000, 9999)", "too large"),
        ("1e999999999", "too large"),
        ("exp(10**5)", "too large"),
        ("round(1.5, 10**9)", "too large"),
        ("1/0", "zero"),
        ("ln(0)", "no value"),
        ("(-8)**0.3", "no real number"),
        ("__import__('os').system('true')", "no function"),
        ("(1).real", "not understood"),
        ("x + 1", "no number"),
        ("atan2(1)", "2 numbers"),
        ("1 +", "too early"),
        ("", "too early"),
    ],
)
def test_what_is_too_large_or_no_arithmetic_is_refused_in_a_sentence(expression: str, why: str) -> None:
    with pytest.raises(ToolFailure, match=why):
        computed(expression)


@st.composite
def sums(draw: st.DrawFn, depth: int = 3) -> str:
    if depth == 0:
        return str(draw(st.integers(0, 50)))
    sign = draw(st.sampled_from("+-*/"))
    return f"({draw(sums(depth=depth - 1))} {sign} {draw(sums(depth=depth - 1))})"


@given(sums())
def test_it_agrees_with_fractions(expression: str) -> None:
    spelled = "".join(f"Fraction({each})" if each.isdigit() else each for each in _pieces(expression))
    try:
        expected = Fraction(eval(spelled, {"Fraction": Fraction}))
    except ZeroDivisionError:
        expected = None
    if expected is None:
        with pytest.raises(ToolFailure):
            computed(expression)
    else:
        assert computed(f"({expression}) * {expected.denominator}") == str(expected.numerator)


def _pieces(expression: str) -> list[str]:
    return expression.replace("(", " ( ").replace(")", " ) ").split()


@given(st.text("0123456789.+-*/%^(), eE_xpisqrtlnfactorialcomb", max_size=40))
def test_whatever_is_written_gives_a_result_or_a_sentence(expression: str) -> None:
    try:
        said = computed(expression)
    except ToolFailure as failure:
        said = str(failure)
    assert said
