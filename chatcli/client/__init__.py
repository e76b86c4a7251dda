"""5 and 6: ask the server, and listen."""
