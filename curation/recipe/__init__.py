"""YAML to frozen settings; the tables of readers, stages and metrics."""
