"""What a turn sends: the plan for the session, and the request made from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, cast

from chatcli.client.models import Model
from chatcli.client.request import Request, think_as
from chatcli.context.assemble import assemble, from_last_question, settle_cut
from chatcli.context.budget import Budget, margin_for, reserve_for
from chatcli.context.generate import after_context, raw_text
from chatcli.context.plan_inputs import Basis, Memory, Spans
from chatcli.conversation.context_state import State, Summary
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, Part, Plan, with_definitions, with_template
from chatcli.conversation.retrieval import Asked, Meaning, Retrieved
from chatcli.conversation.tree import Conversation, Node
from chatcli.conversation.usage import NOTHING, Count, Turn, total, unpacked
from chatcli.errors import ContextTooLong, NoRoom, ReadOnly, ServerError
from chatcli.hints import Hint
from chatcli.session.context_window import cutting, offer
from chatcli.session.facts import facts_sent
from chatcli.session.model_in_use import preset_of
from chatcli.session.prompt_speed import patience_of
from chatcli.session.reply_format import shape
from chatcli.settings import table
from chatcli.settings.layers import Layer
from chatcli.store import locations
from chatcli.store.store import Store
from chatcli.tokens.counter import Counter

if TYPE_CHECKING:
    from chatcli.session.session import Session

# How far back to look for measured replies: the newest is mostly enough.
LOOKED_AT = 40
# The tokens of up to this many unsent messages are counted; of more they are estimated.
COUNTED = 400
# The searches of one question whose finds are kept.
SEARCHES = 4
# More tokens than a template puts around a message.
AROUND = 32


def plan_next(session: Session, coming: Node | None = None) -> tuple[Plan, State]:
    """The plan for a request sent now, and the state to store once it was sent. `coming`: a message not yet added
    (Conversation.coming), planned for as if it were the tip.
    """
    if not fits_uncounted(session, coming):
        session.counter.warm_up()
    _settle(session)
    generated = _to_generate(session, coming)
    if generated is not None:
        return generated, session.conversation.state
    counter = session.counter
    counter.learn_calls([node.message for node in from_last_question(session.conversation.back(coming))])
    plan, state, fixed = _fitted(session, coming, first_fixed(session))
    for left in reversed(range(4)):  # a request with tool calls is counted as the server writes it
        learnt, before = counter.learn_calls(plan.messages), fixed
        if not counter.render(plan.messages) and not learnt:
            break
        fixed = counter.fixed(plan.messages)
        if not left or (fixed.tokens <= before.tokens and not learnt):
            break
        plan, state, fixed = _fitted(session, coming, fixed)
    return _priced(session, plan, fixed), state


def planned(session: Session, coming: Node | None = None) -> tuple[Plan, State]:
    """The same, as tokens are counted now; nothing is settled by it, and no server is asked."""
    generated = _to_generate(session, coming)
    if generated is not None:
        return generated, session.conversation.state
    plan, state, fixed = _fitted(session, coming, first_fixed(session))
    return _priced(session, plan, fixed), state


def _fitted(session: Session, coming: Node | None, fixed: Count) -> tuple[Plan, State, Count]:
    """A plan that fits, the state after it, and what its request costs besides its messages. `fixed`: the same, as
    far as it is known before.
    """
    for _ in range(3):  # what a request costs besides its messages depends a little on its messages
        plan, state = _assemble(session, coming, budget_for(session, fixed))
        learnt = session.counter.take_up(plan.messages, _measured(session))
        before, fixed = fixed, session.counter.fixed(plan.messages)
        if fixed.tokens <= before.tokens and not learnt:
            break
    return plan, state, fixed


def _priced(session: Session, plan: Plan, fixed: Count) -> Plan:
    """The plan with what its request costs besides its messages, and the definitions of tools in it."""
    definitions = session.counter.definitions(plan.messages)
    return with_definitions(with_template(plan, fixed), definitions, len(session.tools.offered()))


def _to_generate(session: Session, coming: Node | None) -> Plan | None:
    """The plan for /api/generate, where a setting asks for it and it can be asked; else None."""
    settings = session.settings
    if settings[table.COMPLETE]:
        return raw_text(session.conversation.back(coming), basis_of(session), session.counter.text)
    # /api/generate takes no tools.
    generates = settings[table.GENERATE] and not session.tools.offered()
    context = context_before(session, coming) if generates else None
    if context is None:
        return None
    fixed = first_fixed(session)
    try:
        basis = basis_of(session, budget_for(session, fixed))
        plan = after_context(session.conversation.back(coming), basis, context)
    except ContextTooLong:
        return None  # the strategy chooses what fits
    return with_template(plan, replace(session.counter.fixed(plan.messages), exact=not context))


def context_before(session: Session, coming: Node | None = None) -> tuple[int, ...] | None:
    """The context that the server returned for all before the last question, () when it is the first; None where
    there is none, or it is of another model, or has what is to be forgotten, or no question is last.
    """
    question, before = [*islice(session.conversation.back(coming), 2), None][:2]
    if question is None or question.message.role is not Role.USER or session.conversation.state.forgotten:
        return None
    if before is None:
        return ()
    turn = before.turn
    if turn is None or not turn.context or turn.digest != session.model.get().digest:
        return None
    return unpacked(turn.context)


def asks_chat(session: Session) -> bool:
    """Whether the next question goes to /api/chat, with messages, as far as that is known without a plan."""
    settings = session.settings
    if settings[table.COMPLETE]:
        return False
    return not settings[table.GENERATE] or bool(session.tools.offered()) or context_before(session) is None


def _measured(session: Session) -> list[tuple[Message, Turn]]:
    """The last replies on the path and the turns they came from, newest first: their measurements are valid in
    this process too.
    """
    back = islice(session.conversation.back(), LOOKED_AT)
    return [(node.message, node.turn) for node in back if node.turn is not None]


def settled(session: Session) -> State:
    """The state after a reply: decides whether the cut moves, which takes effect with the next request."""
    return settle_cut(session.conversation.back(), basis_of(session))


def basis_of(session: Session, budget: Budget | None = None) -> Basis:
    """What requests are planned from, as the session is now."""
    settings = session.settings
    return Basis(
        settings[table.SYSTEM],
        budget_for(session, first_fixed(session)) if budget is None else budget,
        session.counter.count,
        session.conversation.state,
        settings[table.STRATEGY],
        settings[table.WINDOW_MESSAGES],
        session.model.get().sees,
        session.model.get().knows_tools,
        memory_of(session),
    )


def budget_for(session: Session, fixed: Count) -> Budget:
    settings, window = session.settings, session.window.get()
    asked, limit = settings[table.RESERVE], settings[table.NUM_PREDICT]
    reserve = reserve_for(window, session.conversation.state.reserve if asked is None else asked)
    return Budget(
        window=window,
        reserve=min(reserve, limit) if limit is not None and limit > 0 else reserve,
        margin=margin_for(window, fixed.exact),
        fixed=fixed,
        history=settings[table.HISTORY_BUDGET],
    )


def first_fixed(session: Session) -> Count:
    """What a request costs besides its messages, as far as that is known before there are any: it depends on
    whether a system message is among them.
    """
    system = session.settings[table.SYSTEM] or "".join(facts_sent(session))
    summary = session.conversation.state.summary
    if not system and summary is not None and session.settings[table.STRATEGY].summarizes:
        system = summary.text
    return session.counter.fixed((Message.system(system),) if system else ())


def memory_of(session: Session) -> Memory:
    """The store's functions for this conversation, and the settings for recall."""
    settings = session.settings
    wishes = Memory(
        recall=cast("Literal['on', 'off', 'always']", settings[table.RECALL]),
        recall_share=settings[table.RECALL_SHARE],
        document_share=settings[table.DOCUMENT_SHARE],
        tool_share=settings[table.TOOL_SHARE],
        keep_recent=settings[table.KEEP_RECENT],
        preset=session.model.get().system,
        facts=facts_sent(session),
    )
    return skilled(wishes, session.store, session.conversation, session.embeddings.of, session.searched)


class LastSearches:
    """What the last searches found: a question is planned with several times, with messages that give way and
    without, and within a turn with tools for every request.
    """

    def __init__(self) -> None:
        self._found = deque[tuple[tuple[object, ...], Retrieved]](maxlen=SEARCHES)

    def found(self, sought: tuple[object, ...], search: Callable[[], Retrieved]) -> Retrieved:
        """What `search` finds for all that is `sought`; called when none of the last ones sought the same."""
        for before, found in self._found:
            if before == sought:
                return found
        self._found.append((sought, search()))
        return self._found[-1][1]


def skilled(
    wishes: Memory,
    store: Store,
    conversation: Conversation,
    meaning: Callable[[str], Meaning | None],
    searched: LastSearches | None = None,
) -> Memory:
    """`wishes` with the store's functions. `meaning`: gives a question's vector, where that is known."""
    last = searched or LastSearches()
    question = conversation.question
    asked = question.id if question is not None else 0

    def search(
        terms: Sequence[str],
        upto: int | None,
        spans: Spans,
        text: str,
        limit: int,
        rounds: Asked | None,
    ) -> Retrieved:
        known, all_chats = meaning(text), wishes.recall == "always"
        sought = (store, conversation.id, asked, upto, *terms, *spans, text, known, all_chats, limit, rounds)
        return last.found(
            sought,
            lambda: store.candidates(
                terms,
                conversation=conversation.id,
                upto=upto,
                spans=spans,
                all_chats=all_chats,
                meaning=known,
                limit=limit,
                asked=rounds,
            ),
        )

    return replace(
        wishes,
        search=search,
        look_up=lambda ids, upto: store.on_path(conversation, upto, ids),
        files=lambda upto: store.with_files(conversation, upto),
    )


def _assemble(session: Session, coming: Node | None, budget: Budget) -> tuple[Plan, State]:
    basis = basis_of(session, budget)
    basis = replace(basis, memory=replace(basis.memory, patience=patience_of(session, coming)))
    try:
        return assemble(session.conversation.back(coming), basis)
    except ContextTooLong as error:
        besides = budget.window - max(0, error.available or 0)
        more = offer(session.model.get(), (error.needed or 0) + besides)
        error.advice = Hint(error.advice, " ", more)
        raise


def request_for(session: Session, plan: Plan) -> Request:
    """The request for this plan, with the num_ctx that was planned for."""
    settings = session.settings
    return Request(
        model=session.model.get().name,
        messages=plan.messages,
        options={**settings.options(), "num_ctx": plan.window},
        think=think_as(settings[table.THINK]),
        format=shape(settings[table.FORMAT]),
        keep_alive=settings[table.KEEP_ALIVE],
        cutting=cutting(session),
        context=plan.context,
        raw=plan.raw,
        tools=session.tools.definitions() if plan.is_chat else (),
    )


def with_costs(session: Session, plan: Plan) -> Plan:
    """The plan with what its ranges of unsent messages would have cost, each range still in one row."""

    def cost(part: Part) -> Part:
        if part.fate is Fate.SENT or not part.first or part.count.tokens:
            return part
        return replace(part, count=cost_of(session, part.first, part.last))

    return replace(plan, parts=tuple(map(cost, plan.parts)))


def cost_of(session: Session, first: int, last: int) -> Count:
    """The tokens of messages `first` to `last` of the path; for very many an estimate from their length."""
    conversation, store = session.conversation, session.store
    if conversation.tip is None:
        return NOTHING
    if last - first < COUNTED:
        found = nodes_between(session, first, last)
        return total(
            session.counter.count(node.message.without_thinking)
            for node in basis_of(session).sent(reversed(found))
        )
    letters = store.read(locations.letters_between, conversation.id, conversation.tip, first, last)
    known = [node.message.without_thinking for node in islice(conversation.back(), COUNTED // 4)]
    rate = total(map(session.counter.count, known)).tokens / max(1, sum(len(each.text) for each in known))
    return Count(round(letters * rate))


def nodes_between(session: Session, first: int, last: int) -> Sequence[Node]:
    """Messages `first` to `last` of the path, in order."""
    conversation, store = session.conversation, session.store
    if conversation.tip is None:
        return ()
    ids = store.read(locations.ids_between, conversation.id, conversation.tip, first, last)
    return store.on_path(conversation, conversation.tip, ids)


def summary_of(session: Session) -> Summary | None:
    """The summary of what was said on this path; None where there is none."""
    return basis_of(session).at(session.conversation.tip).state.summary


def fits_uncounted(session: Session, coming: Node | None = None) -> bool:
    """Whether all that the next request can send has fewer bytes than the window has room for tokens, where the
    session counts only what it must. No token is shorter than a byte, so nothing has to be counted then: nothing
    can be left out. Where a template takes more than expected, the server refuses the request, and it is planned
    again with counts. `coming` as in plan_next.
    """
    if session.counts_all or session.counter.ready or session.tools.offered() or not asks_chat(session):
        return False
    settings = session.settings
    if session.conversation.state.summary is not None or settings[table.RECALL] == "always":
        return False
    budget = budget_for(session, first_fixed(session))
    left = budget.room if budget.history is None else min(budget.room, budget.history)
    front = map(Message.system, (settings[table.SYSTEM], *facts_sent(session)))
    said = (node.message for node in session.conversation.back(coming))
    for message in chain(front, preset_of(session.model.get()), said):
        left -= len(f"{message.text}{message.thinking}".encode("utf-8", "surrogatepass")) + AROUND
        if left < 0 or message.attachments or message.tool_uses:  # what goes with a message is chosen by counts
            return False
    return True


def counter_of(session: Session) -> Counter:
    """The counter, once it counts as well as it can. Without a server it is the bundled encoding that counts."""
    with suppress(ServerError):
        session.counting.get()
    session.counter.warm_up()
    return session.counter


def _settle(session: Session) -> None:
    """Fix the window for the rest of the conversation by storing it as its num_ctx; and the tools, since another
    set means that all is read again. Where that cannot be written, neither can the reply: it is told then.
    """
    settings, window, before = session.settings, session.window.get(), session.settings.kept()
    if settings[table.NUM_CTX] is None:
        settings.put_value(table.NUM_CTX, window, Layer.CONVERSATION)
    if settings[table.TOOLS] and settings.origin(table.TOOLS) < Layer.CONVERSATION:
        settings.put_value(table.TOOLS, settings[table.TOOLS], Layer.CONVERSATION)
    if settings.kept() != before:
        with suppress(NoRoom, ReadOnly):
            session.keep_settings()


def request_of(
    session: Session,
    model: Model,
    window: int,
    messages: tuple[Message, ...],
    limit: int,
    tools: tuple[Mapping[str, Any], ...] = (),
) -> Request:
    """A request outside the chat, for a summary. It uses the chat's model and window, so that the model is not
    reloaded and its prompt cache is used; no thinking where that can be switched off; the chat's `stop`; at most
    `limit` tokens.
    """
    options = {name: value for name, value in session.settings.options().items() if name != "stop"}
    return Request(
        model=model.name,
        messages=messages,
        options={**options, "num_ctx": window, "num_predict": limit},
        think=False if "thinking" in model.capabilities else None,
        keep_alive=session.settings[table.KEEP_ALIVE],
        cutting={**cutting(session), "truncate": False},
        tools=tools,
    )
