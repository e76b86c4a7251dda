"""What was really asked: a client may put before a question what it has looked up, and attached files.

chatcli's headings are told by their words, since nothing of it is imported here; a test holds the two together.
"""

from __future__ import annotations

import re

_RECALLED = (
    "Earlier in this conversation (may be relevant):\n",
    "Said in other conversations (may be relevant):\n",
)
_PASSAGES = "From the attached files (passages that may answer this):\n"
_FILE_ENDS = re.compile(r"^\(end of ([^\n]+)\)(?:\n\n|\Z)", re.MULTILINE)
_TOO_LONG = re.compile(r"^\[File [^\n]+: too long to be sent whole;[^\n]*\](?:\n\n|\Z)", re.MULTILINE)
_SUMMARY = "Write a summary of our conversation so far"


def asks_for_summary(content: str) -> bool:
    return content.startswith(_SUMMARY)


def question_of(content: str) -> str:
    """The question alone. Of a question in several paragraphs that follows a block, the last one: where a block
    with blank lines in it ends is not marked. "" for files without a word.
    """
    ends = [
        found.end()
        for ending in (_FILE_ENDS, _TOO_LONG)
        for found in ending.finditer(content)
        if ending is _TOO_LONG or f"File {found[1]}:\n" in content[: found.start()]
    ]
    if ends:
        return content[max(ends) :]
    if content.startswith((*_RECALLED, _PASSAGES)):
        return content.rstrip().rpartition("\n\n")[2]
    return content


def without_recalled(content: str) -> str:
    """The question with its files, or passages of them, but without what was said earlier."""
    if not content.startswith(_RECALLED):
        return content
    kept = content.find(f"\n\n{_PASSAGES}")
    if kept < 0:
        kept = next((found.start() for found in re.finditer(r"\n\n\[?File [^\n]+[:\]]\n", content)), -1)
    return content[kept + 2 :] if kept >= 0 else question_of(content)
