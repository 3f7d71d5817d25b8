"""Text of benchmarks and held-out sets, found in rows."""
