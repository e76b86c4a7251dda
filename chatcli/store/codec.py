"""Converts values to columns and back: text, times, and what is stored as JSON (settings, state, turn, tools)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message, Role, ToolUse
from chatcli.conversation.tree import Ended
from chatcli.conversation.usage import NOTHING, Count, Turn, Usage
from chatcli.reading.json_toml import TooDeep, read_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Column = str | bytes


def pack(text: str) -> Column:
    """Returns text for a column: TEXT, or a BLOB when lone surrogates (from invalid UTF-8 input) rule out TEXT.

    Surrogates are kept because they may be part of a file name. Replacing them here could not be undone; whoever
    sends or shows the text can still replace them.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def unpack(column: Column) -> str:
    return column.decode("utf-8", "surrogatepass") if isinstance(column, bytes) else column


def size_of(message: Message) -> int:
    """Returns the approximate size in bytes (a character counts as one). It bounds how much is loaded at once."""
    return len(message.text) + len(message.thinking) + sum(each.size for each in message.attachments)


def pack_time(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def unpack_time(column: int) -> datetime:
    return _EPOCH + timedelta(microseconds=column)


def pack_json(value: object) -> str:
    # ASCII: a lone surrogate is written as \udc80. A value that JSON cannot express is kept as text, not refused.
    return json.dumps(value, separators=(",", ":"), default=str)


# How far a call has come is kept with the call. The column `ended` has a word that version 0.1 knows: it takes any
# other for damage.
AS_OLDER = {
    Ended.ASKED: Ended.STOPPED,
    Ended.ALLOWED: Ended.STOPPED,
    Ended.REFUSED: Ended.STOPPED,
    Ended.RUNNING: Ended.INTERRUPTED,
    Ended.FAILED: Ended.BROKEN,
}


def pack_ended(ended: Ended) -> str:
    return AS_OLDER.get(ended, ended).value


# Of thousands of rows: an enumeration takes longer to look a value up than a cache does.
unpack_role = lru_cache(16)(Role)
_ended_as = lru_cache(16)(Ended)


def unpack_ended(ended: str, called: Any) -> Ended:
    """`called`: what is kept with the call, if it is one. A state that is not known counts as failed."""
    if not called:
        return _ended_as(ended)
    try:
        return Ended(called)
    except ValueError:
        return Ended.FAILED


def pack_tool_uses(uses: tuple[ToolUse, ...], ended: Ended = Ended.COMPLETE) -> str | None:
    """`ended`: of the message, whose one call it may be."""
    plain = list(map(tool_use_to_plain, uses))
    if plain and ended in AS_OLDER:
        plain[0]["ended"] = ended.value
    return pack_json(plain) if plain else None


def tool_use_to_plain(use: ToolUse) -> dict[str, Any]:
    plain = {"name": use.name, "arguments": dict(use.arguments)}
    return plain | {"id": use.id} if use.id else plain


def unpack_tool_uses(column: Column | None) -> tuple[ToolUse, ...]:
    return unpack_calls(column)[0]


def unpack_calls(column: Column | None) -> tuple[tuple[ToolUse, ...], Any]:
    """The calls, and how far the first one has come where that is kept (else None). Arguments nested deeper than
    the reader allows (older versions imported some) stay text.
    """
    if not column:
        return (), None
    try:
        plain = read_json(column)
    except TooDeep:
        return (ToolUse("tool", {"text": unpack(column)}),), None
    uses = tuple(ToolUse(use["name"], use["arguments"], use.get("id", "")) for use in plain)
    return uses, plain[0].get("ended") if plain else None


def unpack_turn(column: Column | None) -> Turn | None:
    """Returns None also for a turn nested deeper than the reader allows."""
    try:
        return turn_from_plain(read_json(column)) if column else None
    except TooDeep:
        return None


def unpack_state(column: Column) -> State:
    """Returns an empty state for one nested deeper than the reader allows."""
    try:
        return state_from_plain(read_json(column))
    except TooDeep:
        return State()


def turn_to_plain(turn: Turn) -> dict[str, Any]:
    """Returns the turn as JSON types, without its empty fields."""
    plain: dict[str, Any] = {
        name: getattr(turn, name) for name in _TURN if name == "model" or _is_said(turn, name)
    }
    plain["options"] = dict(turn.options)
    plain["planned"] = {"tokens": turn.planned.tokens, "exact": turn.planned.exact}
    plain["usage"] = {name: value for name, value in asdict(turn.usage).items() if value is not None}
    return plain


def _is_said(turn: Turn, name: str) -> bool:
    return bool(getattr(turn, name) != getattr(_UNSAID, name))


def turn_from_plain(plain: Mapping[str, Any]) -> Turn:
    """Ignores names that this version does not know."""
    known = {name: value for name, value in plain.items() if name in _TURN}
    usage = {name: value for name, value in plain.get("usage", {}).items() if name in _USAGE}
    known["usage"] = Usage(**usage)
    planned = plain.get("planned")
    known["planned"] = Count(planned["tokens"], planned["exact"]) if planned else NOTHING
    return Turn(**known)


def state_to_plain(state: State) -> dict[str, Any]:
    """Returns the state as JSON types, without its empty fields."""
    plain: dict[str, Any] = {}
    if state.cut is not None:
        plain["cut"] = state.cut
    if state.summary is not None:
        plain["summary"] = asdict(state.summary)
    if state.pins:
        plain["pins"] = sorted(state.pins)
    if state.forgotten:
        plain["forgotten"] = sorted(state.forgotten)
    if state.reserve is not None:
        plain["reserve"] = state.reserve
    return plain


def state_from_plain(plain: Mapping[str, Any]) -> State:
    return State(
        cut=plain.get("cut"),
        summary=_summary_from_plain(plain.get("summary")),
        pins=frozenset(plain.get("pins", ())),
        forgotten=frozenset(plain.get("forgotten", ())),
        reserve=plain.get("reserve"),
    )


def _summary_from_plain(plain: Mapping[str, Any] | None) -> Summary | None:
    if not plain:
        return None
    known = {name: value for name, value in plain.items() if name in _SUMMARY}
    replaced, lost = _summary_from_plain(plain.get("replaces")), tuple(plain.get("specifics", ()))
    return Summary(**{**known, "replaces": replaced, "specifics": lost})


def renumbered(state: State, ids: Mapping[int, int]) -> State:
    """Returns the state with its node ids translated by `ids`. What it says about other nodes is dropped."""
    return replace(
        state,
        cut=ids.get(state.cut) if state.cut is not None else None,
        summary=_renumbered(state.summary, ids),
        pins=frozenset(ids[each] for each in state.pins if each in ids),
        forgotten=frozenset(ids[each] for each in state.forgotten if each in ids),
    )


def _renumbered(summary: Summary | None, ids: Mapping[int, int]) -> Summary | None:
    """Returns the earlier summary when the messages that this one replaces are missing."""
    if summary is None:
        return None
    earlier = _renumbered(summary.replaces, ids)
    return replace(summary, upto=ids[summary.upto], replaces=earlier) if summary.upto in ids else earlier


_UNSAID = Turn("")
_TURN = [field.name for field in fields(Turn)]
_USAGE = [field.name for field in fields(Usage)]
_SUMMARY = [field.name for field in fields(Summary)]
