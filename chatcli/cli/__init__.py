"""The command line: flags, one-shot questions and pipes, subcommands, exit codes."""
