"""The settings: the table of them, the kinds of their values, and the layers that values come from."""
