"""Herbals: one book in a room of small files."""
