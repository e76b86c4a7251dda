"""7: draw. The only place that writes to the screen besides the prompt."""
