"""Chat templates, tokens, and what carries loss."""
