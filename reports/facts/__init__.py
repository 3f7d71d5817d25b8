"""What the files tell."""
