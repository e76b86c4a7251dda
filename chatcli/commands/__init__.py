"""Everything that begins with "/"."""
