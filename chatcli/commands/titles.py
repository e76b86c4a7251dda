"""A title for the conversation, proposed by the model. It is asked aside: nothing of it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain

from chatcli.client.request import Request
from chatcli.conversation.events import Progress, Text
from chatcli.conversation.message import Message
from chatcli.errors import UserError
from chatcli.session.background import waiting
from chatcli.session.planning import plan_next, request_for
from chatcli.session.session import Session
from chatcli.settings import table
from chatcli.store.title import title_of

ASKING = "Give this conversation a title of at most six words. Answer with the title alone, in its language."
# Most tokens of the answer: a title, and what a model may say around it.
ENOUGH = 200

_AROUND = " \t#*_`\"'«»“”„:.-"


def proposals(session: Session, found: list[str]) -> Iterator[Progress]:
    """Ask; the title is put into `found`. The question follows the conversation as the next message would, so that
    the server has read all but the question already.
    """
    state = Progress(f"Asking {session.settings[table.MODEL]} for a title")
    yield state
    for _ in chain(waiting(session.window), waiting(session.counting)):
        yield state
    texts: list[str] = []
    with closing(session.client.get().chat(_request(session))) as events:
        for event in events:
            if isinstance(event, Text):
                texts.append(event.text)
            yield state
    title = title_in("".join(texts))
    if not title:
        raise UserError("The model gave no title.", "/rename NAME gives one, /title makes one of the first words.")
    found.append(title)


def title_in(answer: str) -> str:
    """The first line with words in it, without what models put around a title."""
    for line in answer.splitlines():
        words = re.sub(r"^\W*title\W*:\W*", "", line, flags=re.IGNORECASE).strip(_AROUND)
        if words:
            return title_of(Message.user(words))
    return ""


def _request(session: Session) -> Request:
    last = session.conversation.last
    if last is None:
        raise UserError("Nothing has been said yet, so there is nothing to name.")
    coming = replace(last, id=0, parent=last.id, number=last.number + 1, message=Message.user(ASKING), turn=None)
    plan, _ = plan_next(session, coming)
    request = request_for(session, plan)
    thinks = "thinking" in session.model.get().capabilities
    options = {**request.options, "num_predict": ENOUGH}
    return replace(request, options=options, format=None, think=False if thinks else None)
