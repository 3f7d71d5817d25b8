"""Addresses to JSON records: hub, downloads, decoding, tables."""
