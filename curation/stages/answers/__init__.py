"""Answers that are not worth training on."""
