"""Chat messages, by a reader and, where files are large, by a compiled loop."""
