"""7: draw. The only package besides the prompt that writes to the screen."""
