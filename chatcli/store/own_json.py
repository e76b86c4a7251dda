"""A conversation as JSON types and back, complete: every branch, its settings, turns and files.

    {"chatcli": 1, "title", "tip", "demo", "settings", "state", "names", "messages", "elsewhere", "files"}

`messages` is the path to the tip; `elsewhere` has what lies on other branches. A message: {"id", "parent", "role",
"content", "thinking", "attachments", "tool_calls", "created", "ended", "turn"}. What is empty is left out. Ids
count from 1; `files` holds the bytes of each attachment once, in base64, under their SHA-256. A tool's message has
its one call in "tool_calls", and in "ended" how far that came.
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from chatcli.conversation.context_state import State
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.tree import Conversation, Ended, Node
from chatcli.conversation.usage import Turn
from chatcli.settings.from_imports import imported_settings
from chatcli.settings.layers import NAMED_HERE
from chatcli.store.codec import renumbered, state_from_plain, state_to_plain, turn_from_plain, turn_to_plain
from chatcli.store.conversations import clean_title
from chatcli.store.import_calls import link_results
from chatcli.store.import_chat import ImportedChat, Seed, chained, plant, turn_of, with_times
from chatcli.store.import_message import listed, mapped, name_of, parent_of, read_messages, read_time, time_of

FORM = 1


def to_plain(conversation: Conversation) -> dict[str, Any]:
    """Of a conversation that loads its nodes on demand, other branches are included as far as they are loaded."""
    path = conversation.path()
    nodes = sorted(conversation.nodes.values(), key=lambda node: node.id)
    ids = {node.id: place for place, node in enumerate(nodes, start=1)}
    on_path = {node.id for node in path}
    files = {each.digest: each for node in nodes for each in node.message.attachments}
    plain = {
        "chatcli": FORM,
        "title": conversation.title,
        "tip": ids[conversation.tip] if conversation.tip is not None else None,
        "demo": conversation.demo,
        "settings": {name: value for name, value in conversation.settings.items() if name != NAMED_HERE},
        "state": state_to_plain(renumbered(conversation.state, ids)),
        "names": {name: ids[node] for name, node in conversation.names.items() if node in ids},
        "messages": [_message_to_plain(node, ids) for node in path],
        "elsewhere": [_message_to_plain(node, ids) for node in nodes if node.id not in on_path],
        "files": {digest: base64.b64encode(each.data).decode() for digest, each in files.items()},
    }
    return {name: value for name, value in plain.items() if value or name in {"title", "tip", "messages"}}


def from_plain(plain: Mapping[str, Any]) -> ImportedChat:
    """Reads what to_plain wrote, perhaps edited by hand: what cannot be understood is left out and reported."""
    repairs: list[str] = []
    items = [*listed(plain.get("messages")), *listed(plain.get("elsewhere"))]
    if "elsewhere" in plain:
        items.sort(
            key=lambda item: item["id"] if isinstance(item, dict) and isinstance(item.get("id"), int) else 0
        )
    conversation = Conversation(
        id=0,
        title=clean_title(str(plain.get("title") or "")),
        demo=plain.get("demo") is True,
        settings=imported_settings(mapped(plain.get("settings")), repairs),
    )
    seeds = seeds_from(items, mapped(plain.get("files")), plain.get("model"), repairs)
    began = read_time(plain.get("created"))
    dated = began is not None or any(seed.created for seed in seeds)
    ids = plant(list(with_times(seeds, began)), conversation, repairs)
    if "chatcli" not in plain:
        link_results(conversation)
    tip = plain.get("tip")
    if isinstance(tip, Hashable) and tip in ids:
        conversation.tip = ids[tip]
    elif tip is not None:
        repairs.append("where the conversation stood cannot be read; it goes on from the last message")
    elif "tip" in plain:
        conversation.tip = None
    numbers = {name: new for name, new in ids.items() if isinstance(name, int)}
    places = mapped(plain.get("names")).items()
    conversation.names = {
        name: numbers[place] for name, place in places if isinstance(place, int) and place in numbers
    }
    try:
        conversation.state = renumbered(_checked_state(state_from_plain(mapped(plain.get("state")))), numbers)
    except (KeyError, TypeError, AttributeError):
        repairs.append("the state of the context could not be read; it starts empty")
    return ImportedChat(conversation, repairs, dated)


def seeds_from(items: Iterable[Any], files: Mapping[str, Any], model: Any, repairs: list[str]) -> list[Seed]:
    """Returns a list of messages as seeds: each follows the one before it, unless it names another parent. `model`
    is that of the replies that do not name theirs.
    """
    seeds: list[Seed] = []
    names: set[Hashable] = set()
    undated: list[int] = []
    for place, item in enumerate(items, start=1):
        messages = read_messages(item, f"message {place}", files, repairs)
        if not messages:
            continue
        about = mapped(item)
        name: Hashable = name_of(about)
        if name is None or name in names:
            name = ("place", place)
        names.add(name)
        before = seeds[-1].name if seeds else None
        created = read_time(time_of(about))
        if created is None and time_of(about) is not None:
            undated.append(place)
        last, by = messages[-1], about.get("model") or model
        turn = _read_turn(about, place, repairs) or turn_of(last, by)
        seed = Seed(name, parent_of(about, before), last, created, _read_ended(about, last), turn)
        seeds += chained(messages[:-1], seed, by)
    instead = "the one before its" if any(seed.created for seed in seeds) else "today's"
    repairs += [f"message {place}: its date cannot be read; taken as {instead}" for place in undated]
    return seeds


def _read_ended(about: Mapping[str, Any], message: Message) -> Ended:
    """How it ended. Of a call in a state that is not known here nobody can say that it was done."""
    try:
        return Ended(about.get("ended") or "complete")
    except ValueError:
        return Ended.FAILED if message.role is Role.TOOL else Ended.COMPLETE


def _read_turn(about: Mapping[str, Any], place: int, repairs: list[str]) -> Turn | None:
    try:
        # Tokens that nobody can read are no part of what is exported, and are taken from no file.
        return replace(_checked_turn(turn_from_plain(about["turn"])), context="") if "turn" in about else None
    except (KeyError, TypeError, AttributeError):
        repairs.append(f"message {place}: its turn cannot be read; left out")
        return None


def _checked_turn(turn: Turn) -> Turn:
    """Raises TypeError for values that no turn has: they would be used in sums, and shown."""
    usage = asdict(turn.usage).values()
    options = [each for value in turn.options.values() for each in (value if isinstance(value, list) else [value])]
    _check(str, turn.model, turn.digest, turn.done_reason, turn.server)
    _check(int, turn.left_out, turn.planned.tokens, turn.planned.exact, turn.quoted, turn.again, turn.gave_way)
    _check((int, float, type(None)), turn.first_token_seconds, turn.read, *usage)
    _check((str, int, float, type(None)), *options)
    return turn


def _checked_state(state: State) -> State:
    _check((int, type(None)), state.reserve)
    summary = state.summary
    while summary is not None:
        _check(str, summary.text, *summary.specifics)
        _check(int, summary.first, summary.last)
        summary = summary.replaces
    return state


def _check(kinds: type | tuple[type, ...], *values: object) -> None:
    if not all(isinstance(value, kinds) for value in values):
        raise TypeError


def _message_to_plain(node: Node, ids: Mapping[int, int]) -> dict[str, Any]:
    message = node.message
    plain = {
        "id": ids[node.id],
        "parent": ids[node.parent] if node.parent is not None else None,
        "role": message.role.value,
        "content": message.text,
        "thinking": message.thinking,
        "attachments": [_attachment_to_plain(each) for each in message.attachments],
        "tool_calls": list(map(_call_to_plain, message.tool_uses)),
        "created": node.created.isoformat(),
        "ended": node.ended.value if node.ended is not Ended.COMPLETE else "",
        "turn": turn_to_plain(replace(node.turn, context="")) if node.turn else None,
    }
    return {name: value for name, value in plain.items() if value or name in {"parent", "content"}}


def _call_to_plain(use: ToolUse) -> dict[str, Any]:
    called = {"function": {"name": use.name, "arguments": dict(use.arguments)}}
    return {"id": use.id, **called} if use.id else called


def _attachment_to_plain(attachment: Attachment) -> dict[str, str]:
    return {
        "kind": attachment.kind,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "sha256": attachment.digest,
    }
