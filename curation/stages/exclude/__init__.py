"""Rows that a person marked to leave out."""
