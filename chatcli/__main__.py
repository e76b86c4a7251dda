"""The entry point, also of `python -m chatcli`: a chat, a subcommand, or an answer to Tab in the shell."""

from __future__ import annotations

import gc
import os

# Collect garbage less often than Python does (700): of what a start makes, next to nothing is garbage.
OBJECTS_BETWEEN_COLLECTIONS = 10_000


def main() -> None:
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        # In the shell, Tab is to be answered within 0.1 s: nothing else may be imported for it.
        if "_CHATCLI_COMPLETE" in os.environ:
            from chatcli.cli import complete

            complete.main()
        else:
            from chatcli.cli.main import main as run

            run()
    finally:
        # When Python ends, it looks through all objects for garbage three times, though the process frees them all
        # at once: a fifth of the CPU of one question. It passes by what is frozen.
        gc.freeze()


if __name__ == "__main__":
    main()
