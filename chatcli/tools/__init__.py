"""What a model may call: the tools, what a call needs leave for, and the rules and answers that give it."""
