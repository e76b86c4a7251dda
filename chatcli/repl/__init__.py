"""The loop: a line is read, acted on, and the next one is read; and what stands around that."""
