"""Sources to rows, rows to an approved dataset."""
