"""From a path, a pattern or an address in a message to what goes with it."""
