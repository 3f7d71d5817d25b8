"""Report, diff, training, review, cards."""
