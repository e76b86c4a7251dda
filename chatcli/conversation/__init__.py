"""What has been said, and every value that crosses the stages of a turn."""
