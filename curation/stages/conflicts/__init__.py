"""Rows with the same turns so far and different answers."""
