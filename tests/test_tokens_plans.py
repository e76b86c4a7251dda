"""Random conversations through the planner: the planned count is the measured one, and it fits."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache

import pytest

from chatcli.context.assemble import assemble
from chatcli.context.budget import Budget, margin_for, reserve_for
from chatcli.context.plan_inputs import Basis
from chatcli.conversation.context_state import State
from chatcli.conversation.message import Message, Role
from chatcli.conversation.plan import Fate, PartKind, Plan
from chatcli.conversation.tree import Node
from chatcli.conversation.usage import Count, total
from chatcli.errors import ContextTooLong
from chatcli.settings.strategies import STRATEGIES, Strategy
from chatcli.tokens.exact import Exact
from tests.bench.tokens import TEXTS
from tests.test_tokens_exact import exact, measured

PAIRS = [("llama-bpe", "headers"), ("spm", "system message twice"), ("qwen2", "thinking"), ("qwen2", "mistral")]
kept = cache(exact)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
def test_no_prompt_outgrows_its_window_and_every_exact_one_is_exact(strategy: Strategy) -> None:
    chance = random.Random(strategy.name)
    planned = 0
    for _ in range(150):
        pair = chance.choice(PAIRS)
        try:
            plan = plan_for(kept(*pair), chance, strategy)
        except ContextTooLong:
            continue
        counting, true = kept(*pair), measured(*pair, plan.messages)
        sent = [part.count for part in plan.parts if part.fate is Fate.SENT and part.kind is not PartKind.TEMPLATE]
        whole = total([counting.fixed(plan.messages), *sent])
        assert true <= plan.window or strategy.server_cuts
        assert whole == Count(true, True)
        planned += 1
    assert planned > 50


def plan_for(counting: Exact, chance: random.Random, strategy: Strategy) -> Plan:
    window, nodes = chance.choice([512, 1024, 2048, 4096]), conversation(chance)
    system = chance.choice(["", "Be a guide.", "Ответь кратко. " * 5])
    fixed = counting.fixed([Message.system(system)] if system else [])
    budget = Budget(window, reserve_for(window), margin_for(window, fixed.exact), fixed)
    forgotten = frozenset(node.id for node in nodes if chance.random() < chance.choice([0, 0.2]))
    some = chance.choice([1, 2, 3, 10])
    basis = Basis(system, budget, counting.cost, State(forgotten=forgotten), strategy, window_messages=some)
    return assemble(reversed(nodes), basis)[0]


def conversation(chance: random.Random) -> list[Node]:
    nodes = []
    for number in range(1, 2 * chance.randrange(1, 30)):
        role = Role.USER if number % 2 else Role.ASSISTANT
        text = chance.choice(TEXTS)[: chance.randrange(1, 500)]
        nodes.append(Node(number, number - 1 or None, number, Message(role, text), datetime.now(UTC)))
    return nodes
