"""Where the conversation is stored: on disk, recovered if the file is damaged, or in memory if no disk
accepts it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar

from chatcli.conversation.clock import local_time
from chatcli.conversation.events import Progress
from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import counted
from chatcli.errors import Damaged, Gone, NotFound, Replaced, StoreError
from chatcli.hints import Do, Hint, Words
from chatcli.paths import Paths
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings
from chatcli.store.conversations import stands
from chatcli.store.store import Store

if TYPE_CHECKING:
    from datetime import datetime

    from chatcli.session.session import Session
    from chatcli.store.backups import Backup

T = TypeVar("T")

IN_MEMORY = " Messages are now kept in memory only"
_STOPPED = Damaged("The store is damaged; its recovery was stopped.", "The next start of chatcli does it.")

# Shows how far a job is, until it is done.
Watch = Callable[[Generator[Progress, None, None]], object]


def unwatched(job: Generator[Progress, None, None]) -> None:
    """Does a job without showing how far it is."""
    deque(job, maxlen=0)


def open_store(settings: Settings, paths: Paths, warnings: list[Words], watch: Watch) -> Store:
    """The store on disk, recovered if it is damaged; one in memory if the settings ask for it or nothing else
    works. `watch` shows how far a recovery is.
    """
    if not settings[table.SAVE]:
        return Store.open(None)
    try:
        try:
            return Store.open(paths.store)
        except Damaged:
            warnings.append(_recovered(paths, None, watch)[0])
            return Store.open(paths.store)
    except StoreError as error:
        warnings.append(Hint(error.message, IN_MEMORY, ". ", error.advice))
        settings.put("save", "off", Layer.SET)
        return Store.open(None)


def go_on(session: Session, error: StoreError | Gone, watch: Watch = unwatched) -> None:
    """The store accepts no more: repair it if it is damaged, else continue in memory; if only the conversation is
    gone, continue with a copy. Warns. `watch` shows how far a repair is; while a reply is drawn, nothing can.
    """
    if isinstance(error, Gone):
        go_on_with_copy(session)
        return
    if isinstance(error, Damaged):
        mend(session, error, watch)
        return
    again = Hint("; ", Do("set", "save", "on"), " tries the disk again")
    session.warn(Hint(error.message, IN_MEMORY, again, "."))
    session.settings.put("save", "off", Layer.SET)
    session.change_store()


def keep_in_memory(session: Session, why: StoreError) -> None:
    """For a store that can only be read: it can still be read and searched, and new messages are kept in memory
    only. Warns.
    """
    session.warn(Hint(why.message, IN_MEMORY, ". ", why.advice))
    session.settings.put("save", "off", Layer.SET)
    store, number = session.store.in_memory(), session.conversation.id
    conversation: Conversation | None = None
    if number:
        try:
            conversation = store.conversation(number)
        except NotFound:
            conversation = store.take_in(session.store.whole(number))
    session.continue_in(store, conversation)


def mending(session: Session, step: Callable[[], T]) -> T:
    """Run `step`; if the store turns out to be damaged, run it once more with what could be recovered."""
    try:
        return step()
    except Damaged as error:
        mend(session, error, session.watch)
        return step()


def still_there(session: Session, step: Callable[[], T]) -> T:
    """Run `step`; if the open conversation is gone, run it once more with a copy of what is loaded of it."""
    try:
        return step()
    except Gone:
        if not session.conversation.id or is_stored(session):
            raise
        go_on_with_copy(session)
        return step()


def is_stored(session: Session) -> bool:
    """Whether the open conversation, as far as it goes, is in the store."""
    return session.store.read(stands, session.conversation.id, session.conversation.tip)


def go_on_with_copy(session: Session) -> None:
    """Another chatcli has permanently deleted the open conversation: what is loaded of it continues as a new
    conversation.
    """
    conversation = session.conversation
    copy = session.store.take_in(_loaded(conversation)) if conversation.nodes else None
    session.continue_in(session.store, copy)
    session.warn(
        "Another chatcli has deleted this conversation permanently. What is loaded here continues as a new one."
    )


def mend(session: Session, error: Damaged, watch: Watch = unwatched) -> None:
    """The store turned out to be damaged: continue with a new one that has everything readable from it, and what
    is in memory of this conversation. If another chatcli has already recovered it, continue with that store and a
    copy of this conversation. If nothing can be read, or Ctrl-C ends it, continue in memory. Warns.
    """
    opened, before = session.conversation, session.store
    copy = _copied(before, opened) if isinstance(error, Replaced) else None
    before.close()
    try:
        store, now = _taken_over(session, error, copy) if copy is not None else _recovered_open(session, watch)
    except (StoreError, KeyboardInterrupt) as stopped:
        worse = stopped if isinstance(stopped, StoreError) else _STOPPED
        session.warn(Hint(worse.message, IN_MEMORY, ". ", worse.advice))
        session.settings.put("save", "off", Layer.SET)
        store, now = Store.open(None), None
        if opened.nodes:
            now = store.take_in(_loaded(opened)).id
    session.continue_in(store, store.conversation(now) if now is not None else None)


def restoring(session: Session, backup: Backup) -> Generator[Progress, None, str]:
    """Restore that backup, together with all that the store has besides; returns what was done. Raises StoreError;
    then everything is as it was, and so it is when this is closed before its end.
    """
    from chatcli.store.recovery import recovering

    opened, path = session.conversation, session.paths.store
    now = opened.id if opened.nodes else None
    session.store.close()
    try:
        done = yield from recovering(path, opened if now is not None else None, backup)
        now = done.open
    finally:
        store = Store.open(path)
        session.continue_in(store, store.conversation(now) if now is not None else None)
    return (
        f"The backup of {_day(backup.made)} is restored: {counted(done.messages, 'message')} in "
        f"{counted(done.conversations, 'conversation')}, {done.from_backup} of them from the backup only. The "
        f"store as it was is kept as {done.kept}: delete it when you miss nothing."
    )


def _day(moment: datetime) -> str:
    return f"{local_time(moment):%Y-%m-%d %H:%M}"


def _recovered_open(session: Session, watch: Watch) -> tuple[Store, int | None]:
    """The new store, and the id of the open conversation in it."""
    told, now = _recovered(session.paths, session.conversation if session.conversation.id else None, watch)
    session.warn(told)
    return Store.open(session.paths.store), now


def _taken_over(session: Session, error: Damaged, copy: Conversation) -> tuple[Store, int | None]:
    """The store that another chatcli has put there, and the id of the copy in it."""
    store = Store.open(session.paths.store)
    session.warn(f"{error.message} This conversation continues there, as a copy.")
    return store, store.take_in(copy).id if copy.nodes else None


def _copied(store: Store, conversation: Conversation) -> Conversation:
    """A copy of all of it, or, if it can no longer be read, of what is in memory."""
    try:
        return store.whole(conversation.id) if conversation.id else conversation
    except StoreError:
        return _loaded(conversation)


def _loaded(conversation: Conversation) -> Conversation:
    from chatcli.store.import_chat import loaded_part

    return loaded_part(conversation)


def _recovered(paths: Paths, opened: Conversation | None, watch: Watch) -> tuple[str, int | None]:
    """Copy what can be read of the damaged store into a new one. Returns what was done, and where
    `opened` is now.
    """
    from chatcli.store.recovery import Recovered, recovering

    results: list[Recovered] = []

    def job() -> Generator[Progress, None, None]:
        results.append((yield from recovering(paths.store, opened)))

    watch(job())
    (done,) = results
    lost = f"; {done.lost} {'is' if done.lost == 1 else 'are'} lost" if done.lost else ""
    said, where = counted(done.messages, "message"), counted(done.conversations, "conversation")
    if done.backup is not None:
        lost = f"; {done.from_backup} of them from the backup of {_day(done.backup)}{lost}"
    return (
        f"The store was damaged. What could be read of it, {said} in {where}, is in a new "
        f"one{lost}. The damaged file is kept as {done.kept}: delete it when you miss "
        "nothing.",
        done.open,
    )
