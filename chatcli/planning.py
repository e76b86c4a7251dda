"""What a turn sends: the plan for the session as it stands, and the request made of it."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from chatcli.build import keep_settings
from chatcli.client.request import Request, think_as
from chatcli.context.assemble import assemble
from chatcli.context.budget import Budget, margin_for, reserve_for
from chatcli.conversation.message import Message
from chatcli.conversation.plan import Plan, with_template
from chatcli.conversation.state import State
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count
from chatcli.errors import BadFile, ContextTooLong
from chatcli.session import Session
from chatcli.settings import table
from chatcli.settings.settings import Layer
from chatcli.window import offer


def plan_next(session: Session, coming: Node | None = None) -> tuple[Plan, State]:
    """What would be sent now, and the state to keep with it once it was. `coming`: a message not yet said, to be
    planned for as if it were the tip.
    """
    session.counter.warm_up()
    window = _settle_window(session)
    system = session.settings[table.SYSTEM]
    fixed = session.counter.fixed((Message.system(system),) if system else ())
    for _ in range(3):  # what a request costs besides its messages hangs a little on which messages they are
        plan, state = _assemble(session, coming, system, _budget(session, window, fixed))
        before, fixed = fixed, session.counter.fixed(plan.messages)
        if fixed.tokens <= before.tokens:
            break
    return with_template(plan, fixed), state


def _budget(session: Session, window: int, fixed: Count) -> Budget:
    return Budget(
        window=window,
        reserve=reserve_for(window, session.settings[table.RESERVE]),
        margin=margin_for(window, fixed.exact),
        fixed=fixed,
        history=session.settings[table.HISTORY_BUDGET],
    )


def _assemble(session: Session, coming: Node | None, system: str, budget: Budget) -> tuple[Plan, State]:
    try:
        return assemble(
            chain([coming] if coming is not None else [], session.conversation.back()),
            system,
            budget,
            session.counter.count,
            session.conversation.state,
            session.settings[table.STRATEGY],
            session.settings[table.WINDOW_MESSAGES],
            sees=session.model.get().sees,
        )
    except ContextTooLong as error:
        besides = budget.window - max(0, error.available or 0)
        error.hint = f"{error.hint} {offer(session.model.get(), (error.needed or 0) + besides)}".strip()
        raise


def request_for(session: Session, plan: Plan) -> Request:
    """The plan as it goes to the server, with num_ctx as planned for."""
    settings = session.settings
    return Request(
        model=session.model.get().name,
        messages=plan.messages,
        options={**settings.options(), "num_ctx": plan.window},
        think=think_as(settings[table.THINK]),
        format=shape(settings[table.FORMAT]),
        keep_alive=settings[table.KEEP_ALIVE],
    )


def _settle_window(session: Session) -> int:
    """The window, fixed through the conversation from now on: kept as its num_ctx."""
    window = session.window.get()
    if session.settings[table.NUM_CTX] is None:
        session.settings.put_value(table.NUM_CTX, window, Layer.CONVERSATION)
        keep_settings(session)
    return window


def shape(asked: str) -> str | dict[str, Any] | None:
    """The request's `format`: nothing, "json", or the JSON Schema in the file that was named."""
    if asked in {"", "json"}:
        return asked or None
    try:
        schema = json.loads(Path(asked).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(
            f"format: {asked} is neither json nor a file to be read ({error.strerror}).", _INSTEAD
        ) from None
    except ValueError as error:
        raise BadFile(f"format: {asked} is not JSON: {error}.", _INSTEAD) from None
    if not isinstance(schema, dict):
        raise BadFile(f"format: {asked} is not a JSON Schema: it must hold one object.", _INSTEAD)
    return schema


_INSTEAD = "Name a file with a JSON Schema, or json; /unset format replies freely again."
