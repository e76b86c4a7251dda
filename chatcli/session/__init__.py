"""What is open now: the session, how it is put together, and its work in the background."""
