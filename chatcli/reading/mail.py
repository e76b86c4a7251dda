"""Mail that is packed in MIME as text: who wrote it to whom, when and about what, and its text."""

from __future__ import annotations

import re

from chatcli.errors import BadFile
from chatcli.reading.encoding import decoded
from chatcli.reading.html import text_of_html

_HEAD = re.compile(r"(?:From [^\n]*\n)?(?:[A-Za-z][\w-]*:[^\n]*\n(?:[ \t][^\n]*\n)*+)*+")
_ABOUT = ("From", "To", "Cc", "Date", "Subject")
# Other mail is readable as it is.
_PACKED = re.compile(
    r"^(?:Content-Transfer-Encoding:\s*(?:base64|quoted-printable)|Content-Type:\s*multipart/|\w+:[^\n]*=\?)",
    re.IGNORECASE | re.MULTILINE,
)


def is_mail(text: str) -> bool:
    head = _HEAD.match(text[:100_000].replace("\r\n", "\n"))
    found = head[0] if head else ""
    names = {name for name in _ABOUT if re.search(rf"^{name}:", found, re.MULTILINE | re.IGNORECASE)}
    return "From" in names and len(names) > 1 and _PACKED.search(found) is not None


def text_of_mail(text: str, name: str) -> str:
    """Raises BadFile for mail that cannot be unpacked."""
    from email import message_from_string, policy
    from email.message import EmailMessage

    try:
        message = message_from_string(text, policy=policy.default)
        assert isinstance(message, EmailMessage)
        head = [f"{each}: {message[each]}" for each in _ABOUT if message[each]]
        body = message.get_body(("plain", "html"))
        said = ""
        if body is not None:
            data = body.get_payload(decode=True)
            said = decoded(data if isinstance(data, bytes) else b"", body.get_content_charset() or "")
            said = text_of_html(said) if body.get_content_type() == "text/html" else said
        files = [each.get_filename() or each.get_content_type() for each in message.iter_attachments()]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise BadFile(f"{name} is mail that cannot be unpacked.", "Save its text, and attach that.") from None
    head += [f"Attached, and not read: {', '.join(files)}"] if files else []
    return "\n".join(head) + "\n\n" + said.replace("\r\n", "\n").strip() + "\n"
