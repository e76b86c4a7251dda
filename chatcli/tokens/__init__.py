"""3: what it costs, in tokens."""
