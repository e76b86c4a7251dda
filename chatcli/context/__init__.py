"""What fits into the context window: from the conversation's path and the budget to a Plan."""
