"""Near duplicates: candidates by MinHash, each verified exactly."""
