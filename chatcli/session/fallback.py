"""Where what is said is kept: on disk, recovered where it is damaged, or in memory where no disk takes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from chatcli.conversation.tree import Conversation
from chatcli.conversation.usage import counted
from chatcli.errors import Damaged, Gone, NotFound, Replaced, StoreError
from chatcli.paths import Paths
from chatcli.session.session import Session, Vectorising
from chatcli.settings import table
from chatcli.settings.layers import Layer, Settings
from chatcli.store.conversations import stands
from chatcli.store.store import Store

T = TypeVar("T")


def open_store(settings: Settings, paths: Paths, warnings: list[str]) -> Store:
    """The store on disk, recovered where it is damaged; one in memory when that is wanted or all there is left."""
    if not settings[table.SAVE]:
        return Store.open(None)
    try:
        try:
            store = Store.open(paths.store)
        except Damaged:
            warnings.append(_recovered(paths, None)[0])
            store = Store.open(paths.store)
        warnings.extend(filter(None, [store.warning]))
        return store
    except StoreError as error:
        warnings.append(f"{error.message} What is said now is kept in memory only. {error.hint}")
        settings.put("save", "off", Layer.SET)
        return Store.open(None)


def change_store(session: Session) -> None:
    """Keep what is said from now on where the settings say: on disk, or (save off) in memory only. What has been
    said in this conversation is there too.
    """
    before, conversation = session.store, session.conversation
    session.store = open_store(session.settings, session.paths, session.warnings)
    session.conversation = Conversation(id=0, demo=session.server.demo)
    if conversation.tip is not None:
        session.conversation = session.store.take_in(before.whole(conversation.id))
    before.close()
    _forget_numbers(session)


def keep_vectors(session: Session, work: Vectorising | None) -> None:
    """Those made so far. That they cannot be kept now is no loss: they are made again."""
    if work is None or work.embedder is None:
        return
    made, work.made = work.made, []
    with suppress(StoreError):
        vectors = session.store.vectors
        if made:
            vectors.keep(work.embedder, made)
        if work.whole:
            vectors.whole[work.embedder, work.conversation] = work.tip


def go_on(session: Session, error: StoreError | Gone) -> None:
    """The store takes no more: mend it where it is damaged, else go on in memory; where only the conversation is
    gone, with a copy. Says so."""
    if isinstance(error, Gone):
        go_on_with_copy(session)
        return
    if isinstance(error, Damaged):
        mend(session, error)
        return
    session.warnings.append(
        f"{error.message} What is said from now on is kept in memory only; /set save on tries the disk again."
    )
    session.settings.put("save", "off", Layer.SET)
    change_store(session)


def keep_in_memory(session: Session, why: StoreError) -> None:
    """For a store that can only be read: it can be read and searched on, and what is said from now on is beside
    it, in memory only. Says so.
    """
    session.warnings.append(f"{why.message} What is said now is kept in memory only. {why.hint}")
    session.settings.put("save", "off", Layer.SET)
    before, conversation = session.store, session.conversation
    session.store = before.in_memory()
    if conversation.id:
        try:
            session.conversation = session.store.conversation(conversation.id)
        except NotFound:
            session.conversation = session.store.take_in(before.whole(conversation.id))
    before.close()


def mending(session: Session, step: Callable[[], T]) -> T:
    """Take `step`; should the store prove damaged, once more with what was saved of it."""
    try:
        return step()
    except Damaged as error:
        mend(session, error)
        return step()


def still_there(session: Session, step: Callable[[], T]) -> T:
    """Take `step`; should the open conversation be gone, once more with a copy of what is loaded of it."""
    try:
        return step()
    except Gone:
        if not session.conversation.id or is_stored(session):
            raise
        go_on_with_copy(session)
        return step()


def is_stored(session: Session) -> bool:
    """Whether the open conversation is in the store, as far as it goes."""
    return session.store.read(stands, session.conversation.id, session.conversation.tip)


def go_on_with_copy(session: Session) -> None:
    """Another chatcli has deleted the open conversation for good: what is loaded of it goes on as a new one."""
    conversation = session.conversation
    session.conversation = Conversation(id=0, demo=session.server.demo)
    if conversation.nodes:
        session.conversation = session.store.take_in(_loaded(conversation))
    session.warnings.append(
        "This conversation has been deleted for good elsewhere. What was loaded of it here goes on as a new one."
    )
    _forget_numbers(session)


def mend(session: Session, error: Damaged) -> None:
    """The store proved damaged: go on with a new one that has all that can be read of it, and what is in memory of
    this conversation; or, where another chatcli has done that meanwhile, with its new one and a copy of this
    conversation. Says so. Where nothing can be read, what is in memory goes on there.
    """
    opened, before = session.conversation, session.store
    copy = _copied(before, opened) if isinstance(error, Replaced) else None
    before.close()
    try:
        session.store, now = _taken_over(session, error, copy) if copy is not None else _recovered_open(session)
    except StoreError as worse:
        session.warnings.append(f"{worse.message} What is said now is kept in memory only. {worse.hint}")
        session.settings.put("save", "off", Layer.SET)
        session.store, now = Store.open(None), None
        if opened.nodes:
            now = session.store.take_in(_loaded(opened)).id
    session.conversation = Conversation(id=0, demo=session.server.demo)
    if now is not None:
        session.conversation = session.store.conversation(now)
    _forget_numbers(session)


def _recovered_open(session: Session) -> tuple[Store, int | None]:
    """The new store, and where the conversation on the table is in it."""
    told, now = _recovered(session.paths, session.conversation if session.conversation.id else None)
    session.warnings.append(told)
    return Store.open(session.paths.store), now


def _taken_over(session: Session, error: Damaged, copy: Conversation) -> tuple[Store, int | None]:
    """The store that another chatcli has put there, and where the copy is in it."""
    store = Store.open(session.paths.store)
    session.warnings.append(f"{error.message} This conversation goes on there, as a copy.")
    return store, store.take_in(copy).id if copy.nodes else None


def _copied(store: Store, conversation: Conversation) -> Conversation:
    """All of it, or where it cannot be read any more what is in memory."""
    try:
        return store.whole(conversation.id) if conversation.id else conversation
    except StoreError:
        return _loaded(conversation)


def _loaded(conversation: Conversation) -> Conversation:
    from chatcli.store.import_chat import loaded_part

    return loaded_part(conversation)


def _forget_numbers(session: Session) -> None:
    """In another store messages have other numbers: what was planned or is being made by them is given up."""
    session.plan = None
    for work in (session.summary, session.meanings.round):
        if work is not None:
            work.cancelled.set()
    session.summary, session.meanings.round = None, None


def _recovered(paths: Paths, opened: Conversation | None) -> tuple[str, int | None]:
    """Put what can be read of the damaged store into a new one. What came of it, and where `opened` is now."""
    from chatcli.store.recovery import recover

    done = recover(paths.store, opened)
    lost = f"; {done.lost} {'is' if done.lost == 1 else 'are'} lost" if done.lost else ""
    said, where = counted(done.messages, "message"), counted(done.conversations, "conversation")
    return (
        f"The store was damaged. What could be read of it, {said} in {where}, is in a new "
        f"one{lost}. The damaged file is kept as {done.kept}: delete it when you miss "
        "nothing.",
        done.open,
    )
