"""The conversation, and every value that is passed between the stages of a turn."""
