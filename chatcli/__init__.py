"""chatcli: a terminal chat program for Ollama that knows what the model sees."""

__version__ = "0.1.0"
