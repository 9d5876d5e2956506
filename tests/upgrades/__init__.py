"""What an earlier version has written, and this one reads."""
