"""The entry point, also of `python -m chatcli`: a chat, a subcommand, or an answer to Tab in the shell."""

from __future__ import annotations

import os


def main() -> None:
    # In the shell, Tab is to be answered within 0.1 s: nothing else may be imported for it.
    if "_CHATCLI_COMPLETE" in os.environ:
        from chatcli.cli import complete

        complete.main()
    else:
        from chatcli.cli.main import main as run

        run()


if __name__ == "__main__":
    main()
