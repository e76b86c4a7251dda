"""Where what is said is kept: on disk, recovered where it is damaged, or in memory where no disk takes it."""

from __future__ import annotations

from contextlib import suppress

from chatcli.conversation.tree import Conversation
from chatcli.errors import Damaged, StoreError
from chatcli.paths import Paths
from chatcli.session import Session, Vectorising
from chatcli.settings import table
from chatcli.settings.settings import Layer, Settings
from chatcli.store.store import Store


def open_store(settings: Settings, paths: Paths, warnings: list[str]) -> Store:
    """The store on disk, recovered where it is damaged; one in memory when that is wanted or all there is left."""
    if not settings[table.SAVE]:
        return Store.open(None)
    try:
        return _open_or_recover(paths, warnings)
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


def go_on_in_memory(session: Session, error: StoreError) -> None:
    """The disk takes no more: what has been said so far stays there, and all goes on in memory. Says so."""
    session.warnings.append(
        f"{error.message} What is said from now on is kept in memory only; /set save on tries the disk again."
    )
    session.settings.put("save", "off", Layer.SET)
    change_store(session)


def _open_or_recover(paths: Paths, warnings: list[str]) -> Store:
    store: Store | None = None
    try:
        store = Store.open(paths.store)
        last = store.last()
        if last is not None:
            store.conversation(last)
    except Damaged:
        if store is not None:
            store.close()
        warnings.append(recovered(paths))
        return Store.open(paths.store)
    return store


def recovered(paths: Paths) -> str:
    """Put what can be read of a damaged store into a new one, and say what came of it. The store is not open."""
    from chatcli.store.recovery import recover

    done = recover(paths.store)
    lost = f"; {done.lost} are lost" if done.lost else ""
    return (
        f"The store was damaged. What could be read of it, {done.messages} messages, is in a new one{lost}. "
        f"The damaged file is kept as {done.kept}."
    )
