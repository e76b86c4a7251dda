"""The session: what is open now, how it is built, and its work in the background."""
