"""Exports a conversation for reading: the path to the tip, as Markdown or as one self-contained HTML page. What a
terminal would obey is left out of both: pages are printed, too.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape

from chatcli.conversation.message import Attachment, Role
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.tree import Conversation, Node
from chatcli.text import as_name, clean

_SPEAKERS = {Role.USER: "You", Role.ASSISTANT: "Assistant", Role.SYSTEM: "System", Role.TOOL: "Tool"}
# Other kinds of pictures appear by name only: an SVG could carry a script into the page.
_SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp"}


def markdown_page(conversation: Conversation) -> str:
    parts = [f"# {_safe(conversation.title) or 'Conversation'}"]
    for node in _safe_path(conversation):
        message = node.message
        parts.append(f"## {_heading(node)}")
        if message.thinking:
            parts.append("\n".join(f"> {line}".rstrip() for line in message.thinking.splitlines()))
        parts.extend(f"*{_described(each)}*" for each in message.attachments)
        if message.text:
            parts.append(message.text.strip("\n"))
    return "\n\n".join(parts) + "\n"


def html_page(conversation: Conversation, rendered: Callable[[str], str] | None, style: str) -> str:
    """`rendered` turns Markdown into safe HTML, styled by the rules in `style`; without it the text is shown
    plain.
    """
    title = escape(_safe(conversation.title) or "Conversation")
    articles = "\n".join(_article(node, rendered or _verbatim) for node in _safe_path(conversation))
    return _PAGE.format(title=title, style=_STYLE + style, articles=articles)


def _safe(text: str) -> str:
    """Valid UTF-8 without terminal codes. Half characters become question marks."""
    return clean(text.encode(errors="replace").decode())


def _safe_path(conversation: Conversation) -> Iterator[Node]:
    """Yields the messages of the path with every text in them made safe."""
    for node in conversation.path():
        message = node.message
        files = tuple(replace(each, name=as_name(_safe(each.name))) for each in message.attachments)
        message = replace(message, text=_safe(message.text), thinking=_safe(message.thinking), attachments=files)
        turn = node.turn and replace(node.turn, model=as_name(_safe(node.turn.model)))
        yield replace(node, message=message, turn=turn)


def _verbatim(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _article(node: Node, rendered: Callable[[str], str]) -> str:
    message = node.message
    parts = [f"<h2>{escape(_heading(node))}</h2>"]
    if message.thinking:
        parts.append(f"<details><summary>Thinking</summary><pre>{escape(message.thinking)}</pre></details>")
    parts.extend(_shown(each) for each in message.attachments)
    if message.text:
        # What a person typed is not Markdown: it is shown as typed.
        parts.append((_verbatim if message.role is Role.USER else rendered)(message.text))
    return f'<article class="{message.role.value}">\n' + "\n".join(parts) + "\n</article>"


def _shown(attachment: Attachment) -> str:
    described = escape(_described(attachment))
    if attachment.kind == "image" and attachment.media_type in _SHOWN:
        data = base64.b64encode(attachment.data).decode()
        return f'<img alt="{described}" src="data:{attachment.media_type};base64,{data}">'
    if attachment.kind == "text":
        text = escape(_safe(attachment.data.decode(errors="replace")))
        return f"<details><summary>{described}</summary><pre>{text}</pre></details>"
    return f"<p><em>{described}</em></p>"


def _heading(node: Node) -> str:
    """Returns the role; for a reply also the model and what cut it off."""
    speaker = _SPEAKERS[node.message.role]
    if node.turn is not None and node.turn.model:
        speaker = node.turn.model
    ending = CUT_SHORT.get(node.ended)
    return f"{speaker} ({ending})" if ending else speaker


def _described(attachment: Attachment) -> str:
    size = f"{attachment.size / 1000:.0f} kB" if attachment.size >= 1000 else f"{attachment.size} bytes"
    return f"{'Picture' if attachment.kind == 'image' else 'File'}: {attachment.name}, {size}"


_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1c; background: #fff; }
article { margin: 1.5rem 0; padding: 0 1rem; border-left: 3px solid #ccc; }
article.user { border-color: #2a6fb0; }
h2 { font-size: 0.9rem; color: #666; margin: 0; }
pre { font: inherit; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0.4rem 0; }
details pre { color: #666; }
img { max-width: 100%; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1a1a1a; } h2, details pre { color: #999; } }
"""

_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{articles}
</body>
</html>
"""
