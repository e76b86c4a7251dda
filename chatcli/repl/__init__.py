"""The interactive loop: reads a line, acts on it, repeats; with start-up, signals and crash reports."""
