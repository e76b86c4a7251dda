"""What the server says about its models: Model, Listed, Loaded, and how they are read from its responses.

Nothing here talks to the server; ollama.py does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from chatcli.client import failures
from chatcli.conversation.events import Progress
from chatcli.conversation.message import Message, Role
from chatcli.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `capabilities` is empty where the server does not say; `trained` is the window it was trained
    with, `num_ctx` the Modelfile's; `messages` are the Modelfile's, put before those of every request.
    """

    name: str
    digest: str = ""
    capabilities: frozenset[str] = frozenset()
    trained: int | None = None
    num_ctx: int | None = None
    system: str = ""
    messages: tuple[Message, ...] = ()
    template: str = ""
    parameters: str = ""
    license: str = ""
    modelfile: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def preset(self) -> Mapping[str, Sequence[str]]:
        """The options that its Modelfile sets, each with its values as text."""
        found: dict[str, list[str]] = {}
        for line in self.parameters.splitlines():
            name, _, value = line.partition(" ")
            if name and value.strip():
                found.setdefault(name, []).append(value.strip())
        return found

    @property
    def sees(self) -> bool:
        """Whether it accepts images; assumed where the server names no capabilities."""
        return not self.capabilities or "vision" in self.capabilities

    @property
    def chats(self) -> bool:
        """Whether it writes text, as one for embeddings does not; assumed where no capabilities are named."""
        return can_chat(self.capabilities)

    @property
    def knows_tools(self) -> bool:
        """Whether its template shows tool calls; assumed where the server names no capabilities."""
        return not self.capabilities or "tools" in self.capabilities


@dataclass(frozen=True, slots=True)
class Listed:
    """A model on the server's disk. `size` in bytes. `remote`: the machine that it runs on, where only its name is
    on this one. `capabilities` and `trained` are empty where the server says them only in /api/show.
    """

    name: str
    size: int
    modified: datetime | None
    digest: str
    details: Mapping[str, str]
    remote: str = ""
    capabilities: frozenset[str] = frozenset()
    trained: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory. `size` in bytes, `size_vram` of it on the GPU; `context_length`: its window as
    allocated.
    """

    name: str
    size: int
    size_vram: int
    context_length: int | None
    expires: datetime | None
    details: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""


def can_chat(capabilities: frozenset[str]) -> bool:
    return not capabilities or "completion" in capabilities


def read_model(name: str, shown: Mapping[str, Any], digest: str) -> Model:
    """From the answer to /api/show."""
    info = _mapping(shown.get("model_info"))
    parameters = _text(shown.get("parameters"))
    return Model(
        name=name,
        digest=digest,
        capabilities=_capabilities(shown),
        trained=_trained(info),
        num_ctx=_num_ctx(parameters),
        system=_text(shown.get("system")),
        messages=tuple(_messages(_list(shown.get("messages")))),
        template=_text(shown.get("template")),
        parameters=parameters,
        license=_text(shown.get("license")),
        modelfile=_text(shown.get("modelfile")),
        details=_texts(shown.get("details")),
        info=info,
    )


def read_listed(row: Mapping[str, Any]) -> Listed:
    """From a row of /api/tags."""
    return Listed(
        name=_text(row.get("name")) or _text(row.get("model")),
        size=_number(row.get("size")) or 0,
        modified=_moment(row.get("modified_at")),
        digest=_text(row.get("digest")),
        details=_texts(row.get("details")),
        remote=_text(row.get("remote_host")),
        capabilities=_capabilities(row),
        trained=_number(_mapping(row.get("details")).get("context_length")) or None,
    )


def read_loaded(row: Mapping[str, Any]) -> Loaded:
    """From a row of /api/ps."""
    return Loaded(
        name=_text(row.get("name")) or _text(row.get("model")),
        size=_number(row.get("size")) or 0,
        size_vram=_number(row.get("size_vram")) or 0,
        context_length=_number(row.get("context_length")) or None,
        expires=_moment(row.get("expires_at")),
        details=_texts(row.get("details")),
        digest=_text(row.get("digest")),
    )


class Layers:
    """The lines of /api/pull and /api/create as progress. A model comes in several layers, one line tells of one:
    their sizes are added up, under one status.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._done: dict[str, int] = {}
        self._total: dict[str, int] = {}

    def read(self, line: Mapping[str, Any]) -> Progress:
        status, digest = _text(line.get("status")), _text(line.get("digest"))
        done, total = _number(line.get("completed")), _number(line.get("total"))
        if not digest or not total or not status.startswith("pulling"):
            return Progress(status, done, total)
        self._done[digest], self._total[digest] = done or 0, total
        return Progress(f"pulling {self._name}", sum(self._done.values()), sum(self._total.values()))


def read_vectors(answer: Mapping[str, Any], count: int, url: str) -> list[list[float]]:
    """From the response to /api/embed at `url`: as many vectors as texts were sent, all of one length."""
    rows = [_list(row) for row in _list(answer.get("embeddings"))]
    numbers = all(isinstance(value, int | float) for row in rows for value in row)
    if len(rows) != count or not numbers or len({len(row) for row in rows}) > 1 or not all(rows):
        raise failures.not_ollama(url, f"/api/embed has no vectors for the {count} texts it was sent")
    return rows


def to_embed(model: str, text: str, asked: bool) -> str:
    """The text in the form that this embedding model was trained on: some need to be told what is `asked` and what
    is searched. The server does not add it.
    """
    forms = next((forms for name, forms in _FORMS.items() if name in model.casefold()), ("", ""))
    return forms[asked] + text


# By a part of the model's name: the prefix of a text that is searched, and of one that is asked, as documented by
# the model's makers.
_FORMS = {
    "nomic-embed-text": ("search_document: ", "search_query: "),
    "embeddinggemma": ("title: none | text: ", "task: search result | query: "),
    "mxbai-embed": ("", "Represent this sentence for searching relevant passages: "),
    "arctic-embed2": ("", "query: "),
    "arctic-embed": ("", "Represent this sentence for searching relevant passages: "),
    "multilingual-e5": ("passage: ", "query: "),
    "qwen3-embedding": (
        "",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:",
    ),
}


def same_model(one: str, other: str) -> bool:
    """Whether both names mean one model: a name without a tag means its `latest`, and case does not matter."""
    return _with_tag(one) == _with_tag(other)


def digest_of(name: str, listed: Iterable[Listed]) -> str:
    """The digest of the model called `name`; "" where it is not on the server's disk (cloud models are not)."""
    return next((row.digest for row in listed if same_model(row.name, name)), "")


def _with_tag(name: str) -> str:
    folded = name.casefold()
    return folded if ":" in folded.rpartition("/")[2] else f"{folded}:latest"


def _capabilities(said: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(each for each in _list(said.get("capabilities")) if isinstance(each, str))


def _trained(info: Mapping[str, Any]) -> int | None:
    return _number(info.get(f"{info.get('general.architecture')}.context_length"))


def _num_ctx(parameters: str) -> int | None:
    found = re.search(r"^num_ctx\s+(\d{1,10})\s*$", parameters, re.MULTILINE)
    return int(found[1]) if found else None


def _messages(rows: Iterable[Any]) -> Iterable[Message]:
    for row in rows:
        said = _mapping(row)
        if (role := _text(said.get("role"))) in set(Role):
            yield Message(Role(role), _text(said.get("content")), _text(said.get("thinking")))


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _texts(value: Any) -> Mapping[str, str]:
    return {key: text for key, text in _mapping(value).items() if isinstance(text, str)}
