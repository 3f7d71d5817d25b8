"""Merge, GGUF, Modelfile."""
