"""Measured side by side with peers."""
