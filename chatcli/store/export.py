"""Exports a conversation for reading: the path to the tip, as Markdown or as one self-contained HTML page. What a
terminal would obey is left out of both: pages are printed, too.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape

from chatcli.conversation.clock import local_time
from chatcli.conversation.message import Attachment, Message, Role, ToolUse
from chatcli.conversation.reply_endings import CUT_SHORT
from chatcli.conversation.tree import Conversation, Node
from chatcli.conversation.usage import counted
from chatcli.text import as_name, clean, escaped

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
        if message.role is Role.TOOL:
            parts.append(_fenced(message.text, "text"))
        elif message.text:
            parts.append(message.text.strip("\n"))
        parts.extend(
            f"Calls {_code(use.name)} with:\n\n{_fenced(_arguments(use), 'json')}" for use in message.calls
        )
    return "\n\n".join(parts) + "\n"


def html_page(conversation: Conversation, rendered: Callable[[str], str] | None, style: str) -> str:
    """`rendered` turns Markdown into safe HTML, styled by the rules in `style`; without it the text is shown
    plain.
    """
    title = escape(_safe(conversation.title) or "Conversation")
    nodes = list(_safe_path(conversation))
    articles = "\n".join(_article(node, rendered or _verbatim) for node in nodes)
    return _PAGE.format(title=title, about=escape(_about(nodes)), style=_STYLE + style, articles=articles)


def _fenced(text: str, language: str) -> str:
    """A block of code that nothing in the text can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return "\n".join([f"{fence}{language}", *text.strip("\n").split("\n"), fence])


def _code(text: str) -> str:
    marks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{marks} {text} {marks}" if "`" in text else f"`{text}`"


def _arguments(use: ToolUse) -> str:
    return escaped(json.dumps(_safe_value(use.arguments), ensure_ascii=False, indent=1, default=str))


def _safe_value(value: object) -> object:
    """The same value with every text in it made safe."""
    match value:
        case str():
            return _safe(value)
        case Mapping():
            return {_safe(str(name)): _safe_value(each) for name, each in value.items()}
        case list():
            return list(map(_safe_value, value))
    return value


def _about(nodes: Sequence[Node]) -> str:
    """When the conversation was held, with which models, and how long it is."""
    days = list(dict.fromkeys(f"{local_time(node.created):%Y-%m-%d}" for node in nodes))
    models = dict.fromkeys(node.turn.model for node in nodes if node.turn is not None and node.turn.model)
    when = [" to ".join(dict.fromkeys((days[0], days[-1])))] if days else []
    return " · ".join([*when, *models, counted(len(nodes), "message")])


def _safe(text: str) -> str:
    """Valid UTF-8 without terminal codes. Half characters become question marks."""
    return clean(text.encode(errors="replace").decode())


def _safe_path(conversation: Conversation) -> Iterator[Node]:
    """Yields the messages of the path with every text in them made safe."""
    for node in conversation.path():
        message = node.message
        files = tuple(replace(each, name=as_name(_safe(each.name))) for each in message.attachments)
        uses = tuple(replace(use, name=as_name(_safe(use.name))) for use in message.tool_uses)
        message = Message(message.role, _safe(message.text), _safe(message.thinking), files, uses)
        turn = node.turn and replace(node.turn, model=as_name(_safe(node.turn.model)))
        yield replace(node, message=message, turn=turn)


def _verbatim(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


def _article(node: Node, rendered: Callable[[str], str]) -> str:
    message = node.message
    moment = local_time(node.created)
    parts = [
        f'<div class="speaker"><span class="who">{escape(_heading(node))}</span>'
        f'<time datetime="{moment.isoformat(timespec="seconds")}">{moment:%Y-%m-%d %H:%M}</time></div>'
    ]
    if message.thinking:
        parts.append(f"<details><summary>Thinking</summary><pre>{escape(message.thinking)}</pre></details>")
    parts.extend(_shown(each) for each in message.attachments)
    if message.role is Role.TOOL:
        # A result is no Markdown of the model's, and may be long: it is folded, and shown as it came.
        size = counted(len(message.text), "character")
        parts.append(f"<details><summary>Result, {size}</summary>{_verbatim(message.text)}</details>")
    elif message.text:
        # What a person typed is not Markdown: it is shown as typed.
        said = (_verbatim if message.role is Role.USER else rendered)(message.text)
        parts.append(f'<div class="said">{said}</div>')
    parts.extend(
        f'<details class="call"><summary>Calls {escape(use.name)}</summary>{_verbatim(_arguments(use))}</details>'
        for use in message.calls
    )
    return f'<article class="{message.role.value}">\n' + "\n".join(parts) + "\n</article>"


def _shown(attachment: Attachment) -> str:
    described = escape(_described(attachment))
    if attachment.kind == "image" and attachment.media_type in _SHOWN:
        data = base64.b64encode(attachment.data).decode()
        return f'<img alt="{described}" src="data:{attachment.media_type};base64,{data}">'
    if attachment.kind == "text":
        text = escape(_safe(attachment.data.decode(errors="replace")))
        return f"<details><summary>{described}</summary><pre>{text}</pre></details>"
    return f'<p><em class="file">{described}</em></p>'


def _heading(node: Node) -> str:
    """Returns the role; for a reply also the model and what cut it off, for a result the tool and what became of
    the call if it was not done.
    """
    speaker = _SPEAKERS[node.message.role]
    if (use := node.message.answers) is not None:
        speaker = f"{speaker} {use.name}"
    if node.turn is not None and node.turn.model:
        speaker = node.turn.model
    ending = CUT_SHORT.get(node.ended)
    return f"{speaker} ({ending})" if ending else speaker


def _described(attachment: Attachment) -> str:
    size = f"{attachment.size / 1000:.0f} kB" if attachment.size >= 1000 else f"{attachment.size} bytes"
    return f"{'Picture' if attachment.kind == 'image' else 'File'}: {attachment.name}, {size}"


_STYLE = """
:root { color-scheme: light dark; --text: #1c1c1c; --page: #fff; --quiet: #666; --line: #d5d5d5; --you: #1f5fa0;
  --model: #2c6e49; --asked: #f2f6fb; }
@media (prefers-color-scheme: dark) { :root { --text: #ddd; --page: #1a1a1a; --quiet: #999; --line: #3c3c3c;
  --you: #7fb2e5; --model: #86c79f; --asked: #212831; } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--text); background: var(--page); overflow-wrap: anywhere; }
body > header { border-bottom: 1px solid var(--line); margin-bottom: 2rem; }
body > header h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.3rem; }
.about, time { color: var(--quiet); font-size: 0.85rem; }
.about { margin: 0 0 0.8rem; }
article { margin: 0 0 1.8rem; }
article.user > .said { background: var(--asked); border-radius: 0.5rem; padding: 0.6rem 0.9rem; }
.speaker { display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; margin-bottom: 0.4rem;
  border-bottom: 1px solid var(--line); }
.who { font-size: 0.85rem; font-weight: 600; letter-spacing: 0.04em; color: var(--model); }
article.user .who { color: var(--you); }
.said > :first-child { margin-top: 0; }
.said > :last-child { margin-bottom: 0; }
.said h1, .said h2, .said h3, .said h4, .said h5, .said h6 { line-height: 1.3; margin: 1.4em 0 0.5em; }
.said h1 { font-size: 1.4rem; } .said h2 { font-size: 1.25rem; } .said h3 { font-size: 1.1rem; }
.said h4, .said h5, .said h6 { font-size: 1rem; }
pre { font: inherit; white-space: pre-wrap; margin: 0.4rem 0; }
details { margin: 0.4rem 0; }
summary, details pre, em.file { color: var(--quiet); font-size: 0.9rem; }
img { max-width: 100%; height: auto; }
@page { margin: 2cm; }
@media print { :root { color-scheme: light; --text: #000; --page: #fff; --quiet: #555; --line: #bbb;
    --you: #1f5fa0; --model: #2c6e49; --asked: #f2f6fb; }
  body { font-size: 10.5pt; max-width: none; margin: 0; padding: 0; }
  .speaker, .said h1, .said h2, .said h3, .said h4 { break-after: avoid; }
  img, tr, article.user { break-inside: avoid; }
  article pre, article.assistant pre { white-space: pre-wrap; }
  p { orphans: 3; widows: 3; } }
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
<header>
<h1>{title}</h1>
<p class="about">{about}</p>
</header>
<main>
{articles}
</main>
</body>
</html>
"""
