"""The approved rows as packed examples, with the mask."""
