"""The shell: flags, one question from a pipe, subcommands, exit codes."""
