"""Whether the result of a tool call says that the call failed."""
