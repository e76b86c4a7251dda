"""A small engine that speaks the protocol of Ollama, with no language model behind it. Always a process of its own."""
