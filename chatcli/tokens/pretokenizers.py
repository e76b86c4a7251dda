"""How a vocabulary splits text into pieces before merging: a table from tokenizer.ggml.pre to a pattern for
tiktoken.

The facts are from llama.cpp and Ollama (2026). Every pattern matches every character, because tiktoken drops what
is not matched. A test compares the patterns that replace several stages of splitting with those stages.
"""

from __future__ import annotations

from typing import NamedTuple


class Family(NamedTuple):
    """`whole`: a piece that is a token is used as it is, before any merge (llama.cpp's ignore_merges)."""

    name: str
    pattern: str
    whole: bool = False
    bos: bool = False  # a prompt begins with the BOS token where the model file does not say


_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SYMBOLS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_BEFORE = r"[^\r\n\p{L}\p{N}]?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def _cased(digits: str, short: str = "") -> str:
    words = rf"{_BEFORE}{_UPPER}*{_LOWER}+{short}|{_BEFORE}{_UPPER}+{_LOWER}*{short}"
    return rf"{words}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_BLANKS}"


_LLAMA3 = rf"{_SHORT}|{_BEFORE}\p{{L}}+|\p{{N}}{{1,3}}|{_SYMBOLS}|{_BLANKS}"
_QWEN2 = rf"{_SHORT}|{_BEFORE}\p{{L}}+|\p{{N}}|{_SYMBOLS}|{_BLANKS}"
_QWEN35 = (
    rf"{_SHORT}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_BLANKS}"
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SEED = rf"{_SHORT}|{_BEFORE}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_BLANKS}"
_BAILING = rf"'(?i:[sdmt]|ll|ve|re)|{_BEFORE}\p{{L}}+|\p{{N}}|{_SYMBOLS}|\s*[\r\n]|\s+(?!\S)|\s+"
_EXAONE = (
    rf"{_SHORT}|{_BEFORE}(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)

# Two stages, digits first: blanks before a digit are at the end of their piece, and stay together.
_STARCODER = r"\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"

# Four stages: punctuation, words as in gpt2, numbers without their blank, three digits at a time.
_MARKS = r"\p{P}$+<=>^~|"
_DEFAULT = (
    rf"[{_MARKS}]+| ?\p{{L}}+|[0-9]{{3}}|(?:(?![0-9]{{3}})\p{{N}})+| ?[^\s\p{{L}}\p{{N}}{_MARKS}]+"
    rf"|\s+(?![^\s{_MARKS}])|\s"
)

# Three stages: digits, Chinese and Japanese, the rest. `&&` is the intersection of two classes.
_KANA = "一-龥぀-ゟ゠-ヿ"
_ASCII_MARKS = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""
_DEEPSEEK3 = "|".join(
    (
        r"\p{N}{1,3}",
        rf"[[{_KANA}]&&[^\p{{L}}\p{{M}}\p{{P}}\p{{S}}]]?[[{_KANA}]&&[\p{{L}}\p{{M}}]]+",
        rf"[[{_KANA}]&&[\p{{P}}\p{{S}}]]+",
        rf"{_ASCII_MARKS}[A-Za-z]+",
        rf"[^\r\n\p{{L}}\p{{P}}\p{{S}}{_KANA}]?[[\p{{L}}\p{{M}}]&&[^{_KANA}]]+",
        rf" ?[[\p{{P}}\p{{S}}]&&[^{_KANA}]]+[\r\n]*",
        rf"\s*[\r\n]+|\s+(?![^\s\p{{N}}{_KANA}])|\s+",
        rf"[^\s\p{{N}}\p{{L}}\p{{M}}\p{{P}}\p{{S}}{_KANA}]+(?![[\p{{L}}\p{{M}}]&&[^{_KANA}]])",
        rf"[[{_KANA}]&&[^\p{{L}}\p{{M}}\p{{P}}\p{{S}}]]+|[\s\S]",
    )
)

FAMILIES = {
    Family("llama3", _LLAMA3, whole=True, bos=True): (
        "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano"
    ),
    Family("llama3 by merges", _LLAMA3): "dbrx smaug-bpe glm4 chatglm-bpe",
    Family("qwen2", _QWEN2): (
        "qwen2 deepseek-r1-qwen megrez stablelm2 hunyuan solar-open grok-2 kormo f2llmv2 laguna"
    ),
    Family("qwen35", _QWEN35): "qwen35",
    Family("gpt4o", _cased(r"\p{N}{1,3}", rf"{_SHORT}?")): "gpt-4o llama4 kanana2 talkie minimax-m2",
    Family("tekken", _cased(r"\p{N}"), whole=True, bos=True): "tekken",
    Family("gpt2", _GPT2): (
        "gpt-2 phi-2 mpt olmo jais trillion granite-docling exaone4 gigachat a.x-4.0 mellum"
        " modern-bert jina-es jina-de jina-v2-es jina-v2-de"
    ),
    Family("starcoder", _STARCODER): "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
    Family("deepseek3", _DEEPSEEK3): "deepseek-v3 hunyuan-dense joyai-llm hy_v4",
    Family("default", _DEFAULT): "default",
    Family("seed-coder", _SEED): "seed-coder",
    Family("exaone-moe", _EXAONE): "exaone-moe",
    Family("bailing", _BAILING): "bailingmoe bailingmoe2 llada-moe",
}
_BY_NAME = {pre: family for family, names in FAMILIES.items() for pre in names.split()}

# Splits text for a vocabulary of an unknown kind: the most common way. Its counts are estimates.
FALLBACK = _BY_NAME["llama-bpe"]


def family_of(pre: str) -> Family | None:
    """The family of a tokenizer.ggml.pre; None for one that is not in the table. "" is the default family."""
    return _BY_NAME.get(pre or "default")
