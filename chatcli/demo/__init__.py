"""A small engine that speaks Ollama's protocol, without a language model. It always runs as its own process."""
