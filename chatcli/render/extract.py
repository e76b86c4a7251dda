"""The code blocks of a reply, word for word as the model wrote them: what /copy takes."""

from __future__ import annotations


def code_blocks(markdown: str) -> list[str]:
    """Returns the contents of the code blocks, in order, each with the newline at its end."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").parse(markdown)
    return [token.content for token in tokens if token.type in {"fence", "code_block"}]
