"""The client of the Ollama server: requests out, events in, failures translated. The only package that
knows HTTP.
"""
