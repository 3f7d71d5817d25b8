"""Runs of an agent that fail: calls whose result says error, calls made again, runs that give up."""
