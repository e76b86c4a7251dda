"""The title of a conversation: one line, from the first words that were said."""

from __future__ import annotations

from chatcli.conversation.message import Message

LONGEST = 60


def title_of(message: Message) -> str:
    """The first words, at most LONGEST characters; of a message without words, the name of its first file."""
    words = clean_title(message.text[: LONGEST * 20])
    if not words and message.attachments:
        words = clean_title(message.attachments[0].name)
    if len(words) <= LONGEST:
        return words
    whole, _, _ = words[:LONGEST].rpartition(" ")
    # One very long word (a URL, or a script without spaces) is cut where it is.
    return (whole if len(whole) > LONGEST // 2 else words[: LONGEST - 1]).rstrip(" ,;:-") + "…"


def clean_title(text: str) -> str:
    """One line without control characters and lone surrogates."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split())
