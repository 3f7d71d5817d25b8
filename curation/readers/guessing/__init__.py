"""What a file looks like: its first records, what their names say, shapes that no reader takes."""
