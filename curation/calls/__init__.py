"""Tool calls: spellings in text, pairs, schemas, checks, repairs, bash."""
