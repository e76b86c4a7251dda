"""4: what fits: from the path and the budget to a Plan."""
