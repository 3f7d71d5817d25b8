"""Families of base models: what is known of each, one a file, and the table of them."""
