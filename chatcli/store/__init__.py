"""8: keep. Every conversation, in one SQLite file."""
