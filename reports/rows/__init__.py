"""One row's life, search, review."""
