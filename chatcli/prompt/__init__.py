"""1: key presses become text. This package knows nothing of commands, settings or the conversation."""
