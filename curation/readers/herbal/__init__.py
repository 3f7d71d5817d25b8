"""Herbals: one book in ten small files."""
