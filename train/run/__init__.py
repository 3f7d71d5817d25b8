"""One training run, top to bottom."""
