"""Trains the demo engine's vocabularies, once; the result is in the repository. Takes a minute.

    python -m tests.bench.demo_vocabularies

Learns from the Python documentation that comes with Python (pydoc's topics), some of its library's source, and
demo_text.md. Another version of Python gives other vocabularies: no test depends on which.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gzip
import inspect
import json
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from pydoc_data import topics
from typing import Any

import chatcli.demo
from chatcli.demo.tokenizer import LETTERS, ByteLevel, SentencePiece, Spelling

MERGES = 3200
WEIGHT = 25  # how often our own text counts, beside a hundred times as much English
LLAMA = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
GEMMA = ("<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")

Pair = tuple[str, str]
Words = Counter[tuple[str, ...]]


def main() -> None:
    for name, fields in (("llama-bpe", llama_bpe()), ("qwen2", qwen2()), ("spm", sentencepiece())):
        written = json.dumps({f"tokenizer.ggml.{key}": value for key, value in fields.items()}, ensure_ascii=False)
        packed = gzip.compress(written.encode(), 9, mtime=0)
        Path(chatcli.demo.__file__).with_name(f"{name}.json.gz").write_bytes(packed)
        print(f"{name}: {len(fields['tokens'])} tokens, {len(packed)} bytes")


def llama_bpe() -> dict[str, Any]:
    """As in Llama 3's files, a token is listed with every way to put it together, not only with the one learnt."""
    learnt = learn(spelt(ByteLevel((), digits=3)))
    known = [*LETTERS.values(), *("".join(pair) for pair in learnt)]
    tokens = dict.fromkeys(known, 1) | dict.fromkeys(LLAMA, 3)
    merges = [way for pair in learnt for way in (pair, *other_ways(pair, set(known)))]
    return byte_level("llama-bpe", tokens, merges, bos=LLAMA[0], eos=LLAMA[-1])


def qwen2() -> dict[str, Any]:
    """Its token ids are in no order at all: whoever takes them for the order of merging counts wrong."""
    learnt = learn(spelt(ByteLevel((), digits=1)))
    known = [*LETTERS.values(), *("".join(pair) for pair in learnt)]
    random.Random(4).shuffle(known)
    tokens = dict.fromkeys(known, 1) | dict.fromkeys(QWEN, 3) | {"<think>": 4, "</think>": 4}
    return byte_level("qwen2", tokens, learnt, bos=QWEN[0], eos=QWEN[-1]) | {"add_bos_token": False}


def byte_level(pre: str, tokens: Mapping[str, int], merges: Sequence[Pair], bos: str, eos: str) -> dict[str, Any]:
    return {
        "add_bos_token": True,
        "bos_token_id": list(tokens).index(bos),
        "eos_token_id": list(tokens).index(eos),
        "merges": [" ".join(pair) for pair in merges],
        "model": "gpt2",
        "pre": pre,
        "token_type": list(tokens.values()),
        "tokens": list(tokens),
    }


def sentencepiece() -> dict[str, Any]:
    """Tokens by falling score, single characters last; any other character falls back on its bytes' tokens."""
    words = spelt(SentencePiece({}))
    letters: Counter[str] = Counter()
    for word, count in words.items():
        for letter in word:
            letters[letter] += count
    common = [letter for letter, count in letters.most_common() if count >= WEIGHT]
    usual = {word: count for word, count in words.items() if set(word) <= set(common)}
    ranked = ["".join(pair) for pair in learn(Counter(usual))] + common
    others = {"<unk>": 2} | dict.fromkeys(GEMMA, 3) | {f"<0x{byte:02X}>": 6 for byte in range(256)}
    tokens = others | dict.fromkeys(ranked, 1)
    return {
        "add_bos_token": True,
        "add_space_prefix": False,
        "bos_token_id": list(tokens).index("<bos>"),
        "eos_token_id": list(tokens).index("<end_of_turn>"),
        "model": "llama",
        "pre": "default",
        "scores": [0.0] * len(others) + [-float(at) for at in range(len(ranked))],
        "token_type": list(tokens.values()),
        "tokens": list(tokens),
        "unknown_token_id": 0,
    }


def spelt(spelling: Spelling) -> Words:
    """How often each piece of the training text comes, as its symbols."""
    modules = (argparse, asyncio.tasks, collections, inspect, json)
    own = Path(__file__).with_name("demo_text.md").read_text(encoding="utf-8")
    words: Words = Counter()
    for text, weight in (
        ("\n".join(topics.topics.values()), 1),
        ("\n".join(inspect.getsource(module) for module in modules), 1),
        (own, WEIGHT),
    ):
        for piece in spelling.pieces(text):
            words[tuple(spelling.symbols(piece))] += weight
    return words


def learn(words: Words) -> list[Pair]:
    """The merges: again and again the commonest two neighbours become one (of equals the first by name)."""
    spelled = [(list(word), count) for word, count in words.items()]
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for at, (symbols, count) in enumerate(spelled):
        for pair in pairwise(symbols):
            counts[pair] += count
            places[pair].add(at)
    learnt: list[Pair] = []
    while len(learnt) < MERGES:
        best = max(counts, key=lambda pair: (counts[pair], pair))
        learnt.append(best)
        for at in places.pop(best):
            symbols, count = spelled[at]
            for pair in pairwise(symbols):
                counts[pair] -= count
                places[pair].discard(at)
            joined = join(symbols, best)
            for pair in pairwise(joined):
                counts[pair] += count
                places[pair].add(at)
            spelled[at] = (joined, count)
        del counts[best]
    return learnt


def join(symbols: Sequence[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    for symbol in symbols:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return joined


def other_ways(pair: Pair, known: set[str]) -> list[Pair]:
    token = "".join(pair)
    ways = ((token[:at], token[at:]) for at in range(1, len(token)))
    return [way for way in ways if way != pair and known.issuperset(way)]


if __name__ == "__main__":
    main()
