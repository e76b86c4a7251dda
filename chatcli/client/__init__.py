"""Ask the server and listen: requests out, events in, failures translated. The only package that knows HTTP."""
