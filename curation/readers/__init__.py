"""One source shape a file; a reader turns records into rows."""
