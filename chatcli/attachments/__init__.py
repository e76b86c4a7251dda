"""Turns a path, a pattern or an address in a message into the attachments sent with it."""
