"""Session: the open conversation, the settings and the parts, with methods for all that changes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from chatcli.client import server as servers
from chatcli.client.models import Model
from chatcli.client.ollama import Client
from chatcli.conversation.events import Progress, Retry
from chatcli.conversation.message import Attachment
from chatcli.conversation.plan import Plan
from chatcli.conversation.tree import Conversation
from chatcli.errors import Gone, ModelError, StoreError
from chatcli.hints import Do, Hint, Words
from chatcli.paths import Paths
from chatcli.session.background import Background, Later, Recent
from chatcli.session.background_summary import Summarizer
from chatcli.session.context_window import find_window
from chatcli.session.embeddings import Embeddings
from chatcli.session.facts import Facts
from chatcli.session.fallback import Watch, open_store, unwatched
from chatcli.session.model_in_use import find_model, known_model, preset_of, ready_counter
from chatcli.session.named_hosts import find_server, remarks
from chatcli.session.next_request import NextRequest
from chatcli.session.planning import LastSearches
from chatcli.session.toolbox import Toolbox
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings, find_setting
from chatcli.settings.named_tables import Row
from chatcli.settings.setting import Setting
from chatcli.settings.table import TABLE
from chatcli.store.store import Store
from chatcli.tokens.counter import Counter


class Session:
    """Nobody else assigns its attributes: what follows from a change is done here, in the method for it.

    `conversation.id` is 0 until the first message is stored. `model` is what the server says about the model in
    use, `window` its context window in tokens, `counting` the counter once it knows that model's vocabulary.
    `pending` is sent with the next message; `plan` is that of the last request on this path, None when nothing was
    sent on it; `warnings` are still to be shown. `counts_all`: whether a request is counted, too, that fits in any
    case. `watch` shows how far a job is that nobody has asked for, until it is done.
    """

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        store: Store,
        server: servers.Server,
        warnings: Iterable[Words] = (),
        watch: Watch = unwatched,
    ) -> None:
        self.watch = watch
        self.settings = settings
        self.paths = paths
        self.facts = Facts(paths.facts, self.warn)
        self.store = store
        self.server = server
        self.client = Later(self._connected)
        self.model: Later[Model] = Later(lambda: find_model(self))
        self.window: Later[int] = Later(lambda: find_window(self))
        self.counting: Later[Counter] = Later(lambda: ready_counter(self))
        self.counter = self._new_counter()
        self.counts_all = True
        self.background = Background()
        self.models_on_server = Recent(self.background, "models", lambda: self.client.get().models())
        self.titles = Recent(self.background, "titles", lambda: self.store.titles(self.server.demo))
        self.conversation = self._new_conversation()
        self.pending: tuple[Attachment, ...] = ()
        self.plan: Plan | None = None
        self.warnings = tuple(warnings)
        self._retries: list[Retry] = []
        self._show_retry: Callable[[Retry], object] = bool
        self.summarizer = Summarizer(self)
        self.embeddings = Embeddings(self)
        self.next_request = NextRequest(self)
        self.tools = Toolbox(self)
        self.searched = LastSearches()

    def open(self, conversation_id: int) -> list[Words]:
        """Open that conversation with the settings it was left with; returns the settings that could not be
        used. Raises NotFound.
        """
        self._turn_to(self.store.conversation(conversation_id))
        refused = self.settings.take_up(self.conversation.settings)
        self.forget_model()
        return refused

    def begin(self) -> None:
        """Begin a new conversation with the same settings. The old one stays in the store."""
        self._turn_to(self._new_conversation())

    def ensure_stored(self) -> None:
        """Give a conversation that is still empty its place in the store."""
        if not self.conversation.id:
            self.conversation = self.store.create(demo=self.server.demo, settings=self.settings.kept())

    def go_to(self, node: int | None) -> None:
        """Move the tip to that message (None: before the first). What was planned was planned for another path."""
        self.store.go_to(self.conversation, node)
        self.plan = None

    def rename(self, conversation_id: int, title: str) -> str:
        """Give that conversation, open or not, another title; returns it as it was stored."""
        given = self.store.rename(conversation_id, title)
        if self.conversation.id == conversation_id:
            self.conversation.title = given
        return given

    def sending(self, plan: Plan) -> None:
        """This plan is being sent."""
        self.plan = plan

    def attach(self, attachments: Iterable[Attachment]) -> None:
        """Send these, too, with the next message."""
        self.pending += tuple(attachments)

    def detach(self) -> None:
        """Nothing is attached any more: it was sent, or is not wanted."""
        self.pending = ()

    def warn(self, *warnings: Words) -> None:
        self.warnings += warnings

    def take_warnings(self) -> tuple[Words, ...]:
        """The warnings, for whoever shows them now."""
        taken, self.warnings = self.warnings, ()
        return taken

    def use_model(self, name: str) -> Model:
        """Use that model from the next turn on. If the server does not know the name, or the model does not chat,
        this raises and the old one stays.
        """
        model = known_model(self, name)
        if not model.chats:
            able = " and ".join(sorted(model.capabilities))
            raise ModelError(
                f"{name} does not chat: it is for {able}.", Hint(Do("models"), " tells what each can.")
            )
        self.settings.put(table.MODEL.name, name, Layer.SET)
        self.setting_changed(table.MODEL)
        self.model.put(model)
        self.counter.use(model.name, model.digest, preset_of(model))  # estimates, until the vocabulary is there
        return model

    def asking(self, name: str) -> AbstractContextManager[None]:
        """Use that model inside the block ("" changes nothing)."""
        return self.for_one_message({table.MODEL.name: name} if name else {})

    @contextmanager
    def for_one_message(self, values: Mapping[str, Any]) -> Iterator[None]:
        """Use these values of settings inside the block, and store none of them."""
        given = ((find_setting(name), value) for name, value in values.items())
        changed = [(setting, value) for setting, value in given if self.settings[setting] != value]
        for setting, value in changed:
            self.settings.put_value(setting, value, Layer.ONE_MESSAGE)
            self._follow(setting)
        try:
            yield
        finally:
            for setting, _ in changed:
                self.settings.remove(setting, Layer.ONE_MESSAGE)
                self.setting_changed(setting)

    def use_profile(self, profile: Row | None) -> list[Setting[Any]]:
        """Use its settings from now on, in place of an earlier profile's; returns the settings that have changed.
        If there is no such host, or the server does not know its model, this raises and nothing changes.
        """
        settings, given = self.settings, profile.values if profile is not None else {}
        if table.HOST.name in given:
            find_server(settings, self.paths, given[table.HOST.name])
        model, saved = given.get(table.MODEL.name), settings[table.SAVE]
        if model not in {None, settings[table.MODEL]} and given.get(table.HOST.name) in {
            None,
            settings[table.HOST],
        }:
            known_model(self, str(model))
        before = settings.values()
        settings.use_profile(profile, Layer.SWITCHED)
        if settings[table.SAVE] and not saved and self.conversation.tip is not None:
            settings.put_value(table.SAVE, False, Layer.SET)  # a person is asked about what was said before
        changed = [setting for setting, value in zip(TABLE, before, strict=True) if settings[setting] != value]
        for setting in changed:
            self.setting_changed(setting)
        return changed

    def forget_model(self) -> None:
        """Ask the server again about the model and its window before the next request."""
        self.model.forget()
        self.window.forget()
        self.counting.forget()

    def setting_changed(self, setting: Setting[Any]) -> None:
        """Do what else a new value of that setting needs, and store it with the conversation. The loop looks at
        the settings of screen and line itself.
        """
        self._follow(setting)
        self.keep_settings()

    def _follow(self, setting: Setting[Any]) -> None:
        needs: dict[str, Callable[[], None]] = {
            table.NUM_CTX.name: self.window.forget,
            table.MODEL.name: self.forget_model,
            table.THINK.name: self.counting.forget,
            table.TOOLS.name: self.counting.forget,
            table.TOOLS_DENY.name: self.counting.forget,  # what is denied is not offered
            table.HOST.name: self.reconnect,
            table.INSECURE.name: self.reconnect,
            table.SAVE.name: self.change_store,
            table.TOKENIZER.name: self._renew_counter,
            table.EMBEDDING_MODEL.name: self.embeddings.model_set,
        }
        if setting.name in needs:
            needs[setting.name]()

    def keep_settings(self) -> None:
        """Store with the conversation what was set in it."""
        if self.conversation.id:
            self.store.keep_settings(self.conversation, self.settings.kept())

    def count_all(self, wanted: bool) -> None:
        """From here on count every request; or, where nobody is told what they cost, those that may not fit."""
        self.counts_all = wanted

    def count_again(self) -> None:
        """Ask the server again, in the background, for what exact counts need, if a temporary failure prevented
        it.
        """
        if self.counting.ready is not None and self.counter.tries_again:
            self.background.start("counting", self.counter.prepare)

    def reconnect(self) -> None:
        """Use the server that the settings name now. The conversation stays."""
        server = find_server(self.settings, self.paths)
        self.summarizer.question_comes()
        self.embeddings.question_comes()
        self._disconnect()
        self.server = server
        self.warn(*remarks(server, self.settings, self.paths))
        self.forget_model()
        self.embeddings.model_set()

    def start_server(self, *, keep: bool) -> Generator[Progress, None, None]:
        """Start `ollama serve` where the server is looked for, and wait until it answers; unless `keep`, it ends
        with this session. Raises ServerError.
        """
        from chatcli.client.ollama_serve import OllamaServe

        process = OllamaServe(self.server.url, self.paths.server_log if self.settings[table.SAVE] else None)
        if not keep:
            self.server.end_with(process)
        yield from process.answers()
        self.forget_model()

    def change_store(self) -> None:
        """Store messages from now on where the settings say: on disk, or (save off) in memory only. This
        conversation's earlier messages are copied there too; if they cannot be, everything stays where it was.
        """
        wanted, warnings = self.settings[table.SAVE], list[Words]()
        store = open_store(self.settings, self.paths, warnings, self.watch)
        self.warn(*warnings)
        try:
            said = self.conversation.tip is not None
            self.continue_in(store, store.take_in(self.store.whole(self.conversation.id)) if said else None)
        except BaseException:
            store.close()
            self.settings.put_value(table.SAVE, not wanted, Layer.SET)
            raise

    def continue_in(self, store: Store, conversation: Conversation | None) -> None:
        """Continue in this store with this conversation of it (None: a new one). Messages have other ids there:
        what was planned, or is being made, with the old ones is dropped.
        """
        if store is not self.store:
            self.store.close()
        self.store = store
        self.embeddings.numbers_changed()
        self._turn_to(conversation if conversation is not None else self._new_conversation())

    def close(self) -> None:
        """Keep what was made in the background, and end what was started; safe to call twice."""
        with suppress(StoreError, Gone):
            self.summarizer.collect()
        self._disconnect()
        self.background.close()
        self.embeddings.close()
        self.store.close()

    def _turn_to(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.plan = None
        self.summarizer.conversation_changed()
        self.tools.conversation_changed()

    def _new_conversation(self) -> Conversation:
        return Conversation(id=0, demo=self.server.demo)

    def _new_counter(self) -> Counter:
        vocabularies = self.paths.vocabularies if self.settings[table.SAVE] else None
        return Counter(vocabularies, self.settings[table.TOKENIZER])

    def _renew_counter(self) -> None:
        self.counter = self._new_counter()
        self.forget_model()

    def _connected(self) -> Client:
        """A client of the server. What stands in NO_PROXY and cannot be read may have been meant for it."""
        from chatcli.client.proxies import route

        proxy = route(self.server.url).proxy
        if proxy is not None and proxy.not_read:
            self.warn(f"{proxy.not_read} The server is reached through {proxy}.")
        access = self.server.access()
        return Client(
            self.server.url,
            headers=access.headers,
            trust=access.trust,
            retries=lambda: self.settings[table.RETRIES],
            told=self._will_ask_again,
        )

    def _will_ask_again(self, retry: Retry) -> None:
        """What the main thread asks for is waited for there; in other threads a turn waits, or nobody does."""
        if threading.current_thread() is threading.main_thread():
            self._show_retry(retry)
        else:
            self._retries.append(retry)

    def show_retries(self, show: Callable[[Retry], object]) -> None:
        """From here on `show` is called when the server will be asked again and no turn can say so."""
        self._show_retry = show

    def take_retries(self) -> list[Retry]:
        """What a turn has waited for since the last call."""
        taken, self._retries = self._retries, []
        return taken

    def _disconnect(self) -> None:
        client = self.client.ready
        self.client.forget()
        self.models_on_server.forget()
        if client is not None:
            client.close()
        self.server.close()
