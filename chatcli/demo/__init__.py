"""A small engine that speaks Ollama's protocol, no language model behind it. Always a process of its own."""
