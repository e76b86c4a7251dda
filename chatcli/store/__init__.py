"""8: keep. Everything said, in SQLite."""
