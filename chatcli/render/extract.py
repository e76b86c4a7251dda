"""The code blocks of a reply, word for word as the model wrote them: what /copy and `chatcli -x` take."""

from __future__ import annotations


def first_code(markdown: str, broken_off: bool = False) -> str | None:
    """The contents of the first code block; None where there is none, or where a text that is `broken_off` ends
    inside of it.
    """
    blocks = code_blocks(markdown)
    if not blocks or (broken_off and code_blocks(f"{markdown}\nx")[0] != blocks[0]):
        return None
    return blocks[0]


def code_blocks(markdown: str) -> list[str]:
    """Returns the contents of the code blocks, in order, each with the newline at its end."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(markdown)
    return [token.content for token in tokens if token.type in {"fence", "code_block"}]
