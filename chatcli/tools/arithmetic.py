"""The tool `calculate`: arithmetic with exact fractions. Its own parser knows numbers, operators and a table of
functions, and nothing else. How long and how deep an expression is, and how large its numbers get, is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, NamedTuple, NoReturn

from chatcli.dataclass import dataclass
from chatcli.tools.table import builtin
from chatcli.tools.tool import Reach, ToolFailure

LONGEST = 2_000  # characters of an expression
DEPTH = 60  # parentheses, signs and powers inside each other
BITS = 13_000  # of a whole number: 3,900 digits, which Python still writes without being asked
PLACES = 40  # after the point, of a decimal that ends
SHORT = 12  # digits of a fraction that is worth showing

Number = Fraction | float  # a float is a rounded value


@builtin(Reach.PURE)
def calculate(expression: Annotated[str, "As (2+3)*4/7 or sqrt(2)**64"]) -> str:
    """Compute arithmetic exactly; knows functions like ln, sin, round, factorial, and pi."""
    if len(expression) > LONGEST:
        _refuse(f"it has more than {LONGEST:,} characters")
    try:
        return written(_Parser(expression).whole())
    except ZeroDivisionError:
        _refuse("it divides by zero")
    except OverflowError:
        _refuse("a number in it is too large")
    except ValueError:
        _refuse("a function in it has no value there")


def _refuse(why: str) -> NoReturn:
    raise ToolFailure(f"This was not computed: {why}.")


def written(value: Number) -> str:
    """3 · 0.3 · about 0.333333333333333 (1/3) · about 1.4142135623731"""
    if isinstance(value, float):
        if not math.isfinite(value):
            _refuse("a number in it is too large")
        whole = value.is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else f"about {value:.15g}"
    if value.denominator == 1:
        return str(value.numerator)
    places = _places(value.denominator)
    if places is not None:
        digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
        return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
    exact = f"{value.numerator}/{value.denominator}"
    return f"about {_float(value):.15g}" + (f" ({exact})" if len(exact) <= 2 * SHORT else "")


def _places(denominator: int) -> int | None:
    """After how many places its decimal ends; None: never, or too late."""
    for places in range(PLACES + 1):
        if 10**places % denominator == 0:
            return places
    return None


def _float(value: Number) -> float:
    return float(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > BITS:
        _refuse(f"a number in it has more than {BITS * 0.30103:,.0f} digits")
    return value


def _whole(value: Number, name: str) -> int:
    if value != int(value):
        _refuse(f"{name} is of whole numbers only")
    return int(value)


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits > 1 and abs(exponent) * (bits - 1) > BITS:
            _refuse(f"{written(base)[:40]} to that power has more than {BITS * 0.30103:,.0f} digits")
        if bits <= 1:  # 0, 1 and -1, to whatever power
            exponent = (
                exponent if abs(exponent) <= 2 else Fraction((-1 if exponent < 0 else 1) * (2 - exponent % 2))
            )
        return base**exponent.numerator
    if isinstance(base, Fraction) and exponent == Fraction(1, 2):
        return _root(base)
    found = _float(base) ** _float(exponent)
    return found if isinstance(found, float) else _refuse("the power of a negative number is no real number there")


def _root(value: Number) -> Number:
    """Exact where it can be."""
    if isinstance(value, Fraction) and value >= 0:
        above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if above * above == value.numerator and below * below == value.denominator:
            return Fraction(above, below)
    return math.sqrt(value)


def _factorial(value: Number) -> Number:
    if value > 0 and math.lgamma(min(_float(value), 1e9) + 1) / math.log(2) > BITS:
        _refuse(f"a number in it has more than {BITS * 0.30103:,.0f} digits")
    return Fraction(math.factorial(_whole(value, "factorial")))


def _of_two(function: Callable[[int, int], int], name: str) -> Callable[[Number, Number], Number]:
    """comb and perm: both grow with what is taken, and with what it is taken from."""

    def counted(these: Number, taken: Number) -> Number:
        n, k = _whole(these, name), _whole(taken, name)
        if n.bit_length() * min(k, n) > 4 * BITS:
            _refuse(f"the numbers of {name} are too large")
        return Fraction(function(n, k))

    return counted


def _of_whole(function: Callable[..., int], name: str) -> Callable[..., Number]:
    return lambda *values: Fraction(function(*(_whole(value, name) for value in values)))


def _rounded(value: Number, places: Number = Fraction(0)) -> Number:
    """Of a float, what it is written as is rounded: 2.675 is a little less than that."""
    exact = value if isinstance(value, Fraction) else Fraction(repr(value))
    digits = _whole(places, "the second number of round")
    if abs(digits) > LONGEST:
        _refuse("the second number of round is too large")
    return Fraction(round(exact, digits))


def _log(value: Number, base: Number | None = None) -> Number:
    natural = _natural(value)
    return natural if base is None else natural / _natural(base)


def _natural(value: Number) -> float:
    if isinstance(value, Fraction) and value > 0:  # also where it is too large for a float
        return math.log(value.numerator) - math.log(value.denominator)
    return math.log(value)


class _Function(NamedTuple):
    call: Callable[..., Any]
    least: int = 1
    most: int = 1


_MANY = 100
_ROUNDED = (
    *("exp", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *("degrees", "radians", "cbrt", "log2", "log10"),
)
_FUNCTIONS = {
    **{name: _Function(getattr(math, name)) for name in _ROUNDED},
    **{name: _Function(_of_whole(getattr(math, name), name), 1, _MANY) for name in ("gcd", "lcm")},
    **{name: _Function(_of_two(getattr(math, name), name), 2, 2) for name in ("comb", "perm")},
    **{name: _Function(each, 1, _MANY) for name, each in (("min", min), ("max", max))},
    **{name: _Function(getattr(math, name)) for name in ("floor", "ceil", "trunc")},
    "sum": _Function(lambda *values: sum(values, Fraction(0)), 1, _MANY),
    "mean": _Function(lambda *values: sum(values, Fraction(0)) / len(values), 1, _MANY),
    "hypot": _Function(math.hypot, 1, _MANY),
    "atan2": _Function(math.atan2, 2, 2),
    "abs": _Function(abs),
    "sqrt": _Function(_root),
    "ln": _Function(_log),
    "log": _Function(_log, 1, 2),
    "round": _Function(_rounded, 1, 2),
    "factorial": _Function(_factorial),
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}
_SAME = {"^": "**", "×": "*", "·": "*", "÷": "/", "−": "-"}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|//|[-+*/%^×·÷−(),]))"
)
_LAST = re.compile(r"\s*\Z")


@dataclass(slots=True)
class _Parser:
    """Computes while it reads. Each method is one level of precedence."""

    text: str
    at: int = 0
    depth: int = 0

    def whole(self) -> Number:
        value = self._sum()
        if not _LAST.match(self.text, self.at):
            self._unexpected()
        return value

    def _sum(self) -> Number:
        return self._row(self._product, {"+", "-"})

    def _product(self) -> Number:
        return self._row(self._signed, {"*", "/", "//", "%"})

    def _row(self, part: Callable[[], Number], signs: set[str]) -> Number:
        value = part()
        while (sign := self._next()) in signs:
            self._take()
            value = _number(_OPERATORS[sign](*_alike(value, part())))
        return value

    def _signed(self) -> Number:
        sign = self._next()
        if sign not in {"+", "-"}:
            return self._raised()
        self._take()
        value = self._inside(self._signed)
        return -value if sign == "-" else value

    def _raised(self) -> Number:
        base = self._atom()
        if self._next() != "**":
            return base
        self._take()
        return _number(_power(base, self._inside(self._signed)))

    def _atom(self) -> Number:
        kind, word = self._take()
        if kind == "number":
            return _literal(word)
        if kind == "name":
            return self._call(word) if self._next() == "(" else self._constant(word)
        if word != "(":
            self.at -= len(word)
            self._unexpected()
        value = self._inside(self._sum)
        self._expect(")")
        return value

    def _call(self, name: str) -> Number:
        function = _FUNCTIONS.get(name.lower())
        if function is None:
            _refuse(f"there is no function {name[:40]}; there are {', '.join(sorted(_FUNCTIONS))}")
        self._take()
        values = [self._inside(self._sum)] if self._next() != ")" else []
        while self._next() == ",":
            self._take()
            values.append(self._inside(self._sum))
        self._expect(")")
        if not function.least <= len(values) <= function.most:
            some = (
                f"{function.least} to {function.most}" if function.most > function.least else str(function.least)
            )
            _refuse(f"{name} takes {some} numbers, not {len(values)}")
        return _number(function.call(*values))

    def _constant(self, name: str) -> Number:
        if name.lower() not in _CONSTANTS:
            _refuse(f"{name[:40]} is no number; names are {', '.join(_CONSTANTS)} and functions")
        return _CONSTANTS[name.lower()]

    def _inside(self, part: Callable[[], Number]) -> Number:
        self.depth += 1
        if self.depth > DEPTH:
            _refuse(f"it is nested more than {DEPTH} deep")
        value = part()
        self.depth -= 1
        return value

    def _next(self) -> str:
        """The sign that comes next; "" where it is none."""
        found = _TOKEN.match(self.text, self.at)
        sign = (found["sign"] or "") if found else ""
        return _SAME.get(sign, sign)

    def _take(self) -> tuple[str, str]:
        found = _TOKEN.match(self.text, self.at)
        if found is None:
            self._unexpected()
        self.at = found.end()
        return str(found.lastgroup), found[str(found.lastgroup)]

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            self._unexpected()
        self._take()

    def _unexpected(self) -> NoReturn:
        left = self.text[self.at :].strip()
        _refuse(f"{left[:20]} is not understood there" if left else "it ends too early")


def _literal(word: str) -> Number:
    word = word.replace("_", "")
    if word[:2].lower() in {"0x", "0b", "0o"}:
        return _bounded(Fraction(int(word, 0)))
    mantissa, _, exponent = word.lower().partition("e")
    if len(exponent.lstrip("+-0")) > 4 or abs(int(exponent or 0)) > BITS * 0.3:
        _refuse("a number in it is too large")
    return _bounded(Fraction(f"{mantissa.rstrip('.')}{f'e{exponent}' if exponent else ''}"))


def _alike(one: Number, other: Number) -> tuple[Number, Number]:
    """A rounded value makes the other one rounded, too."""
    if isinstance(one, float) or isinstance(other, float):
        return _float(one), _float(other)
    return one, other


def _number(value: Any) -> Number:
    return _bounded(value if isinstance(value, float) else Fraction(value))
