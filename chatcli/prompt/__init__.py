"""1: key presses become text. Nothing here knows of commands, settings or the conversation."""
