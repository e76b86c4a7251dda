"""The format that replies are asked for: read and checked before anything is sent, and held against the reply.

Schemas are checked by jsonschema (the extra `chatcli[schema]`), which is imported when there is one to check. No
address that a schema refers to is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatcli.dataclass import dataclass
from chatcli.errors import BadData, BadFile, WrongFormat
from chatcli.hints import Do, Hint
from chatcli.paths import path_of, readable, shown
from chatcli.reading.files import read_bytes
from chatcli.reading.json_toml import read_json, text_of
from chatcli.settings import table
from chatcli.settings.layers import Settings
from chatcli.text import shortened

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

LARGEST_SCHEMA = 5_000_000  # bytes
# How much is quoted of a value that does not fit, in columns.
QUOTED = 200
NOT_CHECKED = "The reply was not checked against the schema: that needs a library. pip install 'chatcli[schema]'"
_INSTEAD = Hint(
    "Name a file with a JSON Schema, give the schema itself, or json",
    Hint("; ", Do("unset", "format"), " replies freely again"),
    ".",
)
_AGAIN = Hint("Ask again", Hint(" with ", Do("retry")), ", or ask in the prompt, too, for what is missing.")


def shape(asked: str) -> str | dict[str, Any] | None:
    """The request's `format`: None, "json", or a JSON Schema, given itself or in a file. Raises BadFile."""
    if asked in {"", "json"}:
        return asked or None
    try:
        text = asked
        if not asked.lstrip().startswith("{"):
            with readable(asked, _INSTEAD):
                data = read_bytes(path_of(asked), LARGEST_SCHEMA)
            text = text_of(data)
        schema = read_json(text, exact=True)
    except BadData as error:
        raise BadFile(f"format: {shown(asked)} is not JSON: {error.why}.", _INSTEAD) from None
    except BadFile as error:
        raise BadFile(f"format is json or a file. {error.message}", _INSTEAD) from None
    if not isinstance(schema, dict):
        raise BadFile(f"format: {asked} is not a JSON Schema: it must hold one object.", _INSTEAD)
    fault = _fault_of(schema)
    if fault:
        raise BadFile(f"format: {shown(asked)} is not a JSON Schema: {fault}.", _INSTEAD)
    return schema


def language_of(settings: Settings) -> str:
    """The language that replies are written in where a format is set; "" for Markdown."""
    return "json" if settings[table.FORMAT] else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a reply has the format that was asked for. `remark`: why that was not, or not wholly, checked."""

    error: WrongFormat | None = None
    remark: str = ""


def judged(reply: str, asked: str) -> Verdict:
    """What is wrong with the text of a reply that should have the format `asked`; nothing where none was."""
    try:
        schema = shape(asked)
    except BadFile as error:  # the file has changed since the request was made
        return Verdict(remark=f"The reply was not checked. {error.message}")
    if schema is None:
        return Verdict()
    try:
        value = read_json(reply)
    except BadData as error:
        return Verdict(WrongFormat(f"The reply is not JSON: {error.why}.", _AGAIN))
    if isinstance(schema, str):
        return Verdict()
    try:
        validator = _validator(schema)
    except ImportError:
        return Verdict(remark=NOT_CHECKED)
    return _checked(validator, value)


def _checked(validator: Validator, value: Any) -> Verdict:
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        faults = list(validator.iter_errors(value))
    except (Unresolvable, RecursionError, ValueError) as error:  # a pattern that is none is a ValueError
        return Verdict(remark=f"The reply was not checked against the schema: {shortened(str(error), QUOTED)}")
    worst = best_match(faults)
    if worst is None:
        return Verdict()
    said = f"at {worst.json_path}: {shortened(worst.message, QUOTED)}"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return Verdict(WrongFormat(f"The reply does not fit the schema: {said}{more}.", _AGAIN))


def _fault_of(schema: dict[str, Any]) -> str:
    """Why this is no JSON Schema, and where; "" where it is one, or where nothing can check that."""
    try:
        validator = _validator(schema)
    except ImportError:
        return ""
    from jsonschema.exceptions import SchemaError

    try:
        validator.check_schema(schema)
    except SchemaError as error:
        return f"at {error.json_path}: {shortened(error.message, QUOTED)}"
    except (RecursionError, ValueError) as error:
        return shortened(str(error), QUOTED)
    return ""


def _validator(schema: dict[str, Any]) -> Validator:
    """Raises ImportError where the extra is not installed."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for
    from jsonschema_specifications import REGISTRY

    return validator_for(schema, default=Draft202012Validator)(schema, registry=REGISTRY)
