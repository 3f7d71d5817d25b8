"""Whole jobs as functions: fetch, check, curate, run, the first recipe."""
