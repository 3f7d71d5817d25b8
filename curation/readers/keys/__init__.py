"""Which keys of a record are read, ignored or refused, and how many rows have them."""
