"""Evaluate and try a model."""
