"""What a message costs, in tokens: counted exactly with the model's own vocabulary, or estimated."""
